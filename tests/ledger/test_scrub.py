"""Case 10 of the ten nastiest: silent rot in an old entry or tile is found, and named exactly."""

from __future__ import annotations

import sqlite3

import pytest

from ledger.scrub import Fault, Scrub
from ledger.snapshot import Snapshot
from tests.ledger.house import Office, submission
from tests.ledger.test_recovery import fill, tamper


def scrubbed(office: Office, *, bundles: int = 1) -> list[Fault]:
    scrub = Scrub()
    while True:
        with Snapshot.of(office.database) as snapshot:  # a moment of its own for each slice
            if scrub.step(snapshot, bundles=bundles):
                assert scrub.done == scrub.goal(snapshot)
                return scrub.faults


def test_a_ledger_that_is_well_has_no_faults(grown: Office) -> None:
    for bundles in (1, 2, 50):
        assert scrubbed(grown, bundles=bundles) == []


async def test_an_empty_ledger_is_well(office: Office) -> None:
    log = await office.open()
    await log.close()
    assert scrubbed(office) == []


async def test_it_reads_a_ledger_in_use_up_to_its_newest_checkpoint(office: Office) -> None:
    await fill(office, 300)
    log = await office.open()
    scrub = Scrub()
    with Snapshot.of(office.database) as snapshot:
        assert not scrub.step(snapshot)
    await log.append(submission(300))
    await log.seal(300)
    with Snapshot.of(office.database) as snapshot:
        assert scrub.step(snapshot)
        assert (scrub.done, scrub.faults) == (300, [])


FLIPPED = "UPDATE entry SET leaf = CAST(replace(leaf, '\"n\":', '\"m\":') AS BLOB) WHERE idx = ?"


@pytest.mark.parametrize("index", [0, 1, 254, 255, 256, 511, 512, 530, 598, 599])
def test_a_flipped_entry_is_named_and_nothing_else(grown: Office, index: int) -> None:
    tamper(grown.database, FLIPPED, index)
    wanted = Fault("entry", index) if index < 599 else Fault("root", 600)
    assert scrubbed(grown) == [wanted]  # nothing stands behind the last one but the root


@pytest.mark.parametrize("at", [0, 255 * 32, 8191])
@pytest.mark.parametrize("number", [0, 1])
def test_a_flipped_tile_is_named_and_no_entry(grown: Office, number: int, at: int) -> None:
    with sqlite3.connect(grown.database) as connection:
        query = "SELECT hashes FROM tile WHERE level = 0 AND n = ?"
        (hashes,) = connection.execute(query, (number,)).fetchone()
    connection.close()
    flipped = bytearray(hashes)
    flipped[at] ^= 1
    tamper(
        grown.database,
        "UPDATE tile SET hashes = ? WHERE level = 0 AND n = ?",
        bytes(flipped),
        number,
    )
    assert scrubbed(grown) == [Fault("tile", number, 0)]


@pytest.mark.parametrize("what", ["hashes = x'00'", "hashes = zeroblob(8192)"])
def test_a_tile_of_nonsense_is_named(grown: Office, what: str) -> None:
    tamper(grown.database, f"UPDATE tile SET {what} WHERE n = 1")
    assert scrubbed(grown) == [Fault("tile", 1, 0)]


def test_what_is_missing_is_named(grown: Office) -> None:
    tamper(grown.database, "DELETE FROM tile WHERE n = 1")
    tamper(grown.database, "DELETE FROM entry WHERE idx = 7")
    assert scrubbed(grown) == [Fault("entry", 7), Fault("tile", 1, 0)]


def test_an_entry_and_its_tile_are_told_apart(grown: Office) -> None:
    tamper(grown.database, FLIPPED, 300)
    tamper(grown.database, FLIPPED, 7)
    tamper(grown.database, "UPDATE tile SET hashes = zeroblob(8192) WHERE n = 0")
    assert sorted(scrubbed(grown)) == [
        Fault("entry", 7),
        Fault("entry", 300),
        Fault("tile", 0, 0),
    ]
    assert [each.where for each in sorted(scrubbed(grown))] == ["entry 7", "entry 300", "tile 0/0"]


async def test_a_tile_of_tiles_is_looked_at_too(office: Office) -> None:
    await fill(office, 66_000)
    assert scrubbed(office, bundles=300) == []
    tamper(office.database, "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 1")
    assert scrubbed(office, bundles=300) == [Fault("tile", 0, 1)]
