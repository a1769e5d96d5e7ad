"""kill -9 at random moments of the whole way: commit, sign, publish, witness, attest.

Nothing that was promised is lost, nobody is ever shown a second history, and every start is
clean. `make soak` does the same two hundred times.
"""

from __future__ import annotations

import random
from pathlib import Path

from ledger.note import LogKeys
from tests.ledger.killing import Town, found_office

KILLS = 20


def test_killed_at_random_it_breaks_no_promise(tmp_path: Path, keys: LogKeys) -> None:
    chance = random.Random(20_261_123)
    town = Town(tmp_path / "town", keys, found_office(tmp_path / "office"))
    town.directory.mkdir()
    town.open_outside()
    try:
        for _ in range(KILLS):
            town.live_and_die(chance)
            town.inspect()
        town.live_until_sealed()  # and what was left half-way is finished in the next life
        town.inspect()
        town.verify_seals()
    finally:
        town.kill_outside()
    assert len(town.receipts) >= KILLS
    assert sum(town.died_in.values()) >= KILLS
