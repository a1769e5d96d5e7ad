"""The scrubber in a server: bounded, never ending, and loud about what has changed."""

import pytest

from ledger.note import LogKeys
from ledger.snapshot import Snapshot
from server.scrubbing import PASS_S, PAUSE_S, Scrubber
from tests.ledger.house import Office
from tests.ledger.test_recovery import fill, tamper
from tests.ledger.test_scrub import FLIPPED


class EnoughError(Exception):
    """The test has seen what it wanted."""


class Time:
    """Sleeps that pass at once and are counted; after `passes` long ones it is enough."""

    def __init__(self, passes: int) -> None:
        self.now, self.pauses, self._passes = 0.0, [], passes

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self._passes -= seconds > PAUSE_S
        if self._passes == 0:
            raise EnoughError


@pytest.fixture
async def office(tmp_path) -> Office:
    office = Office(tmp_path, LogKeys.generate("office.example/ledger"))
    await fill(office, 700)
    return office


async def scrub(office: Office, *, passes: int = 1) -> tuple[Scrubber, Time]:
    passing = Time(passes)
    scrubber = Scrubber(
        office.database, clock=lambda: 42, monotonic=passing.monotonic, sleep=passing.sleep
    )
    with pytest.raises(EnoughError):
        await scrubber.run()
    return scrubber, passing


async def test_it_reads_a_slice_every_few_seconds_and_all_of_it_once_a_day(office):
    scrubber, passing = await scrub(office, passes=2)
    assert passing.pauses == [PAUSE_S, PAUSE_S, PASS_S - 2 * PAUSE_S] * 2
    assert (scrubber.damaged, scrubber.scrubbed_at, scrubber.scrubbed) == ((), 42, 700)


async def test_what_has_changed_is_said_once_and_kept_until_it_is_well(office, caplog):
    with Snapshot.of(office.database) as snapshot:
        (leaf,) = [row.leaf for row in snapshot.rows(300, 301)]
    tamper(office.database, FLIPPED, 300)
    tamper(office.database, "UPDATE tile SET hashes = zeroblob(8192) WHERE n = 0")
    scrubber, _ = await scrub(office, passes=3)
    assert scrubber.damaged == ("entry 300", "tile 0/0")
    assert caplog.text.count("entry 300 of the ledger") == 1
    assert caplog.text.count("tile 0/0 of the ledger") == 1
    assert caplog.text.count("farseal ledger recover") == 2

    tamper(office.database, "UPDATE entry SET leaf = ? WHERE idx = 300", leaf)
    passing = Time(1)
    scrubber._monotonic, scrubber._sleep = passing.monotonic, passing.sleep
    with pytest.raises(EnoughError):
        await scrubber.run()
    assert scrubber.damaged == ("tile 0/0",)


async def test_a_ledger_that_cannot_be_read_is_said_and_tried_again(office, caplog):
    whole = office.database.read_bytes()
    office.database.write_bytes(b"x" * len(whole))
    seen: list[tuple[str, ...]] = []

    async def mend(seconds: float) -> None:
        if seconds > PAUSE_S:
            raise EnoughError
        seen.append(scrubber.damaged)
        for path in office.directory.glob("ledger.db-*"):
            path.unlink()
        office.database.write_bytes(whole)

    scrubber = Scrubber(office.database, clock=lambda: 42, monotonic=lambda: 0.0, sleep=mend)
    with pytest.raises(EnoughError):
        await scrubber.run()
    assert seen[0] == ("database",)
    assert caplog.text.count("cannot be read again") == 1
    assert (scrubber.damaged, scrubber.scrubbed_at) == ((), 42)
