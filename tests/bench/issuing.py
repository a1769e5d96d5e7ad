"""From the approver's code to the delivered certificate, on the real services.

What `tests/services` plays, timed: an office in a temporary directory with real SQLite, ledger,
keys and DBOS jobs. The clock runs from the approval to the state DELIVERED: the number, the
anchored intent, drawing, both signatures and the archive timestamp, the anchored act, the bundle,
the delivery.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

ROOM = str(Path(__file__).parents[1] / "services")
if ROOM not in sys.path:  # its modules name each other as pytest finds them
    sys.path.append(ROOM)

from script import Play  # noqa: E402
from stage import open_stage  # noqa: E402

from server.jobs import Jobs  # noqa: E402


def approvals(directory: Path, *, cases: int) -> list[float]:
    """Seconds from approval to delivery of each case, one after the other in one office."""
    return asyncio.run(_play(directory, cases))


async def _play(directory: Path, cases: int) -> list[float]:
    directory.mkdir()
    jobs = Jobs(directory / "jobs.db")
    async with open_stage(directory, jobs=jobs) as stage:
        await jobs.launch(stage.services.sealing, stage.services.archive)
        return [await _one(Play(stage), jobs) for _ in range(cases)]


async def _one(play: Play, jobs: Jobs) -> float:
    files = play.stage.services.workplace.files
    await play.to_waiting()
    await play.session()
    await jobs.finished("seal", play.sid)
    await play.certify()
    await play.judge()
    began = time.perf_counter()
    await play.approve()
    async with asyncio.timeout(60):
        # Asked as a screen asks: who waits for the job itself is told at its next full second.
        while (await files.case(play.case)).state != "DELIVERED":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    await jobs.finished("issue", play.case)
    await jobs.finished("keep", play.sid)
    return took
