"""The whole rehearsal: film first, then the case, then what it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.rehearsal import story
from server.rehearsal.footage import film
from server.rehearsal.leavings import leave
from server.rehearsal.office import fresh_office

ACTS = {
    "film": "Filming made-up people, drawing a card",
    **story.ACTS,
    "leave": "Leaving what a third party is given",
}
"""Every act in its order, with the sentence that is shown while it runs."""


async def rehearse(out: Path, *, scratch: Path, now: Callable[[str], None]) -> str:
    """Plays one case, leaves its results in `out`, and returns the certificate's number.

    `scratch` takes the office's data (scratch/data) and its log (scratch/office.log). `now` is
    told each act as it begins.
    """
    now("film")
    async with asyncio.TaskGroup() as filming:
        footage = filming.create_task(asyncio.to_thread(film), name="film")
        async with fresh_office(scratch / "data") as office:
            today = datetime.now(UTC).date()
            async with story.play(office, await footage, now, today=today) as played:
                now("leave")
                people = {"applicant": played.applicant, "approver": played.approver}
                await leave(out, case=played.case, **people)
                return str(played.case["certificate"]["number"])
