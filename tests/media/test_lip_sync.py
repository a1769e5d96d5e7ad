"""The issue's second browser test: flash and beep of each second stay together on record."""

import statistics
from collections.abc import Callable
from typing import Any

from server.media import Room, SegmentClosed

from .conftest import Facts, Vault
from .recording import look

SECONDS = 9
FRAME = 1 / 30  # seconds
APART = 0.04  # seconds; people begin to notice at 45 ms of early sound (ITU-R BT.1359)


async def test_flash_and_beep_of_each_second_are_recorded_within_40_ms(
    visit: Callable[..., Any], room: Room, facts: Facts, vault: Vault
) -> None:
    pages = {name: await visit(name) for name in ("notary", "applicant")}
    await facts.until(
        lambda: all(
            len(facts.of(SegmentClosed, name)) >= SECONDS for name in ("notary", "applicant")
        )
    )
    # On a busy machine the page itself draws late; it says by how much.
    late = {name: await page.evaluate("late") for name, page in pages.items()}
    for take in await room.close():
        recording = look(take.path, vault.decrypt)
        pairs = [
            beep - flash
            for flash in recording.flashes
            for beep in recording.beeps
            if abs(beep - flash) < 0.4
        ]
        assert len(pairs) >= SECONDS - 3
        # A canvas is captured 30 times a second: a flash stands half a frame late on average.
        errors = [each + FRAME / 2 for each in against(pairs, late[take.participant])]
        shown = [round(error * 1000) for error in errors]
        assert abs(statistics.median(errors)) < APART, shown
        # A starved page skips frames of its canvas; a line put wrong would be off by more.
        assert max(map(abs, errors)) < APART + 3 * FRAME, shown


def against(pairs: list[float], late: list[float]) -> list[float]:
    """How far each recorded pair is from the page's own; its first few were not recorded."""
    fits = [
        [pair + drawn for pair, drawn in zip(pairs, late[skip:], strict=False)]
        for skip in range(max(1, len(late) - len(pairs) + 1))
    ]
    return min(fits, key=lambda errors: sum(map(abs, errors)))
