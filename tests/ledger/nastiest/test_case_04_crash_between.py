"""4. Crash between commit and sign, sign and publish, publish and witness, witness and attest.

One office dies by its own hand at every seam of an entry's way, life after life. Whatever it had
promised stands, what it left half-way is finished, and nobody was shown two histories.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.note import LogKeys
from tests.ledger.killing import Town, found_office
from tests.ledger.victim import STEPS, steps_taken

SEAMS = [f"{when} {step}" for step in STEPS[1:] for when in ("before", "after")]


@pytest.fixture(scope="module")
def town(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("crash")
    town = Town(directory / "town", keys, found_office(directory / "office"))
    town.directory.mkdir()
    town.open_outside()
    yield town
    town.kill_outside()


@pytest.mark.parametrize("seam", SEAMS)
def test_case_04_a_crash_between_two_steps_breaks_no_promise(town: Town, seam: str) -> None:
    town.die_at(seam)
    when, _, step = seam.partition(" ")
    assert (step in steps_taken(town.orders().steps)) == (when == "after")
    town.inspect()
    last = town.sealed[town.live_until_sealed()]
    assert last.timestamp is not None
    town.inspect()
    town.verify_seals()
