"""What a log tells of itself: its growth by the checkpoints' own times, and who has followed it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from ledger.note import LogKeys
from ledger.sqlite import SqliteStore
from ledger.standing import MOST_STEPS, STEPS_MS, Growth, Survey
from tests.ledger.house import Office, submission

MINUTE, HOUR, DAY = STEPS_MS[0], STEPS_MS[2], STEPS_MS[3]
EAST_MS = 8 * HOUR


@pytest.fixture
def office(tmp_path, keys: LogKeys) -> Office:
    return Office(tmp_path, keys, tick_s=3600)


async def grow(office: Office, *steps: tuple[int, int]) -> None:
    """For each step let some ms pass, then write so many entries and publish them."""
    number = 0
    for pause_ms, count in steps:
        office.clock.pass_ms(pause_ms)
        log = await office.open()
        for _ in range(count):
            await log.append(submission(number))
            number += 1
        await log.close()


def grown(office: Office, *, zone_ms: int = 0, store: SqliteStore | None = None) -> Growth | None:
    store = store or SqliteStore(office.database)
    try:
        survey = Survey(store, None, waiting=lambda: 3)
        standing = survey.standing(now=office.clock.wall, zone_ms=zone_ms)
    finally:
        store.close()
    assert standing.seals_waiting == 3
    return standing.growth


async def test_a_log_without_entries_has_not_grown(office):
    await grow(office, (0, 0))
    assert grown(office) is None


async def test_entries_are_counted_when_their_checkpoint_was_signed(office):
    start = office.clock.wall
    assert start % MINUTE == 0
    await grow(office, (0, 3), (MINUTE, 5), (MINUTE - 1000, 1), (2 * MINUTE + 1000, 0))
    growth = grown(office)
    assert growth is not None
    assert asdict(growth) == {
        "start": start,
        "step_ms": MINUTE,
        "before": 0,
        # what is signed on an edge counts for what begins there
        "sizes": (3, 9, 9, 9, 9),
    }


@pytest.mark.parametrize(
    ("later_ms", "step_ms"),
    [(50 * MINUTE, MINUTE), (3 * HOUR, STEPS_MS[1]), (2 * DAY, HOUR), (40 * DAY, DAY)],
)
async def test_steps_widen_with_the_log_and_stay_few(office, later_ms, step_ms):
    await grow(office, (0, 2), (later_ms, 2))
    growth = grown(office, zone_ms=EAST_MS)
    assert growth is not None
    assert growth.step_ms == step_ms
    assert len(growth.sizes) <= MOST_STEPS
    assert (growth.sizes[0], growth.sizes[-2], growth.sizes[-1]) == (2, 2, 4)
    assert (growth.start + EAST_MS) % step_ms == 0  # a day begins at the office's midnight


async def test_a_log_too_old_for_the_widest_step_shows_the_newest_and_what_was_before(office):
    await grow(office, (0, 2), (6 * 365 * DAY, 2))
    growth = grown(office)
    assert growth is not None
    assert (growth.step_ms, growth.before, growth.sizes[-1]) == (STEPS_MS[-1], 2, 4)
    assert len(growth.sizes) == MOST_STEPS


async def test_what_is_past_is_looked_up_once(office):
    await grow(office, (0, 2), (5 * HOUR, 2), (5 * HOUR, 2))
    looked: list[int] = []

    class Counted(SqliteStore):
        def checkpoint_from(self, size: int) -> tuple[int, str] | None:
            looked.append(size)
            return super().checkpoint_from(size)

    store = Counted(office.database)
    survey = Survey(store, None, waiting=lambda: 0)
    first = survey.standing(now=office.clock.wall)
    once = len(looked)
    assert survey.standing(now=office.clock.wall) == first
    assert len(looked) - once == 1
    store.close()
