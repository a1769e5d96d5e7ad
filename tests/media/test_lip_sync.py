"""The issue's second browser test: flash and beep of each second stay together on record."""

import statistics
from collections.abc import Callable
from typing import Any

from server.media import Room, SegmentClosed

from .conftest import Facts, Vault
from .recording import Recording, look

SECONDS = 10
APART = 0.04  # seconds; people begin to notice at 45 ms of early sound (ITU-R BT.1359)

Pairs = dict[int, tuple[float, float]]
"""Between what times each second's flash came before its beep (s), by seconds from the first beep.

A flash came after the last frame without it: a starved encoder leaves frames out.
"""


async def test_flash_and_beep_of_each_second_are_recorded_within_40_ms(
    visit: Callable[..., Any], room: Room, facts: Facts, vault: Vault
) -> None:
    pages = {name: await visit(name) for name in ("notary", "applicant")}
    # By their times, for a lossy line has more key frames, and so more segments, in a second.
    await facts.until(lambda: all(recorded(facts, name) >= SECONDS for name in pages))
    # On a busy machine the page itself draws late; it says of each second by how much.
    drawn = {name: dict(await page.evaluate("late")) for name, page in pages.items()}
    for take in await room.close():
        pairs = paired(look(take.path, vault.decrypt))
        assert len(pairs) >= SECONDS // 2, pairs
        errors = against(pairs, drawn[take.participant])
        assert statistics.median(errors) < APART, (errors, pairs, drawn[take.participant])


def recorded(facts: Facts, name: str) -> float:
    """How many seconds of a participant are in segments already."""
    return sum(each.end_at - each.start_at for each in facts.of(SegmentClosed, name)) / 1000


def paired(recording: Recording) -> Pairs:
    return {
        round(beep - recording.beeps[0]): (beep - bright, beep - dark)
        for dark, bright in recording.flashes
        for beep in recording.beeps
        if abs(beep - bright) < 0.4
    }


def against(pairs: Pairs, late: dict[int, float]) -> list[float]:
    """How far each recorded pair is from the page's own, whose first few were not recorded."""
    fits = [
        [outside(pairs[at], -late[at + first]) for at in pairs if at + first in late]
        for first in range(min(late) - max(pairs), max(late) + 1)
    ]
    most = max(map(len, fits))
    return min((fit for fit in fits if len(fit) == most), key=sum)


def outside(span: tuple[float, float], value: float) -> float:
    """How far a value lies outside a span; 0 within."""
    return max(span[0] - value, value - span[1], 0.0)
