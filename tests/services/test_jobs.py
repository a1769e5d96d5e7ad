"""The sweep: what is unfinished goes on without a restart, and nothing runs twice at once."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from script import LIN, TOTP, Play
from stage import open_stage

from server.jobs import Jobs
from server.services.sealing import Job
from server.supervisor import Supervisor
from tests.fakes.disk import fill, mounted

SOON_S = 60


@dataclass
class Desk:
    """One session to seal, on a disk that may be full."""

    full: bool = False
    sealed: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    refused: int = 0
    kept: int = 0
    inside: int = 0
    runs: int = 0
    most: int = 0
    looked: int = 0
    on_look: Callable[[int], None] = lambda _times: None

    async def seal_session(self, sid: str) -> None:
        if self.full:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.runs += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.begun.set()
        await self.go.wait()
        self.inside -= 1
        if self.full:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.sealed.set()

    async def issue(self, case_id: str) -> None:
        raise AssertionError("nothing was approved")

    async def deliver(self, case_id: str) -> None:
        raise AssertionError("nothing was approved")

    async def pending(self) -> tuple[Job, ...]:
        self.looked += 1
        self.on_look(self.looked)
        return () if self.sealed.is_set() else (Job("seal", "s1"),)

    async def key(self, job: Job) -> str:
        return f"{job.kind}-{job.id}"


class Shelf:
    """No takes at all."""

    async def keep(self, sid: str) -> None:
        return None

    async def pending(self) -> tuple[Job, ...]:
        return ()


@asynccontextmanager
async def sweeping(path: Path, desk: Desk) -> AsyncIterator[Jobs]:
    """Jobs whose sweep runs as in the server, only faster."""
    jobs = Jobs(path, retry_seconds=0.001, sweep_seconds=0.05)
    await jobs.launch(desk, Shelf())
    try:
        async with asyncio.timeout(SOON_S), Supervisor(failed=lambda _: None) as tasks:
            tasks.start(jobs.run(), name="sweep")
            yield jobs
    finally:
        jobs.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size="4m") as disk:
        yield disk


async def test_a_job_that_failed_for_good_is_begun_again_without_a_restart(tmp_path):
    desk = Desk(full=True)
    desk.go.set()

    def space_again(_times: int) -> None:
        desk.full = desk.refused < 10  # every try of the first attempt is refused

    desk.on_look = space_again
    async with sweeping(tmp_path / "jobs.db", desk):
        await desk.sealed.wait()
    assert desk.refused >= 10
    assert desk.runs == 1


async def test_what_runs_is_left_alone_by_every_sweep(tmp_path):
    desk = Desk()
    async with sweeping(tmp_path / "jobs.db", desk) as jobs:
        await desk.begun.wait()
        await asyncio.gather(*(jobs.sweep() for _ in range(3)), jobs.start("seal", "s1"))
        desk.go.set()
        await jobs.finished("seal", "s1")
        await jobs.sweep()
    assert (desk.runs, desk.most) == (1, 1)


async def test_a_sweep_that_comes_while_the_server_stops_has_nothing_to_do(tmp_path):
    desk = Desk()
    desk.sealed.set()
    async with sweeping(tmp_path / "jobs.db", desk) as jobs:
        pass
    looked = desk.looked
    await jobs.sweep()
    assert desk.looked == looked > 0


async def test_a_job_whose_failure_could_not_even_be_written_down_goes_on(small_disk):
    """The disk that refuses the work refuses its workflow's end too: it stays `PENDING`."""
    desk = Desk()
    async with sweeping(small_disk / "jobs.db", desk):
        await desk.begun.wait()
        ballast = fill(small_disk)
        desk.full = True
        desk.go.set()

        def space_again(_times: int) -> None:
            if desk.refused >= 10 and ballast.exists():
                ballast.unlink()
                desk.full = False

        desk.on_look = space_again
        await desk.sealed.wait()
    assert desk.most == 1


async def test_a_session_closed_on_a_full_disk_is_closed_and_sealed_when_there_is_space(
    office, small_disk, caplog
):
    jobs = Jobs(small_disk / "jobs.db", retry_seconds=0.001)
    async with open_stage(office("waiting"), jobs=jobs) as stage:
        await jobs.launch(stage.services.sealing, stage.services.archive)
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        for number in range(1, 9):
            await play.step(number)
        await play.step_9()
        await play.recheck()
        await play.end_takes()
        ballast = fill(small_disk)
        with caplog.at_level(logging.ERROR, "farseal.jobs"):
            view = await stage.services.ceremony.close(LIN, play.sid, totp=TOTP, language="en")
        assert view["state"] == "CLOSED"  # what was committed is not called refused
        assert "a job waits for the next sweep: seal" in caplog.text
        await jobs.sweep()  # still full
        assert (await play.view())["state"] == "CLOSED"
        ballast.unlink()
        await jobs.sweep()
        await jobs.finished("seal", play.sid)
        assert (await play.view())["state"] == "SEALED"
