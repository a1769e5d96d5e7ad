"""200 lives of an office that end with kill -9 at random, its witnesses' and authority's too."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.note import LogKeys
from tests.ledger.killing import Town, found_office

KILLS = 200
EVERY = 20
"""After so many another office begins: looking through a long ledger takes longer than a life."""


def run(say: Callable[[str], None]) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    began, receipts, seals = time.perf_counter(), 0, 0
    for done in range(0, KILLS, EVERY):
        with TemporaryDirectory(prefix="farseal-soak-") as name:
            town = Town(
                Path(name) / "town",
                LogKeys.generate("soak.example/ledger"),
                found_office(Path(name) / "office"),
            )
            town.directory.mkdir()
            town.open_outside()
            try:
                for _ in range(EVERY):
                    town.live_and_die(chance)
                    town.inspect()
                town.live_until_sealed()
                town.inspect()
                town.verify_seals()
            finally:
                town.kill_outside()
            receipts, seals = receipts + len(town.receipts), seals + len(town.sealed)
            where = ", ".join(f"{step} {count}" for step, count in town.died_in.most_common())
            say(
                f"{done + EVERY} of {KILLS} killed (seed {seed}), "
                f"{time.perf_counter() - began:.0f} s; this time during {where}"
            )
    say(f"kept: all {receipts:,} receipts, all {seals:,} seals; one history, shown or cosigned")
