"""A call ends while the disk is full: what the recorder has yet to tell, the seal waits for."""

import asyncio
import errno

import pytest
from script import WANG, Play
from stage import open_stage

from server.domain.evidence import Gap


class Backlog:
    """A recorder with one gap it could not tell yet."""

    def __init__(self) -> None:
        self.short_of_space = True
        self.asked = asyncio.Event()
        self.told = asyncio.Event()
        self.stopped = False

    async def all_told(self, sid: str) -> None:
        self.asked.set()
        if self.stopped:
            raise OSError(errno.ENOSPC, "facts of the recording wait for space")
        await self.told.wait()


async def closed(play: Play) -> None:
    """The session is over; its seal has been asked for."""
    await play.open()
    for number in range(1, 10):
        await play.step(number)
    await play.end_takes()


async def test_a_session_is_not_sealed_before_all_of_its_recording_was_told(office):
    backlog = Backlog()
    async with open_stage(office("waiting"), untold=backlog) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await closed(play)
        (take, *_) = await stage.services.workplace.recordings.takes(play.sid)
        async with asyncio.TaskGroup() as tasks:
            sealing = tasks.create_task(stage.work())
            await backlog.asked.wait()
            view = await stage.services.intake.case(WANG, play.case, language="en")
            assert (view["state"], view["next"]["title"]) == ("CLOSED", "Waiting to be sealed")
            assert "disk is full" in view["next"]["detail"]
            assert not sealing.done()
            now = stage.clock()  # at last there is space
            late = Gap(play.sid, take.participant, take.take, "loss", now - 2_000, now - 1_000, {})
            await stage.services.recordings.gap(late)
            backlog.short_of_space = False
            backlog.told.set()
        session = await stage.services.workplace.files.session(play.sid)
        assert session.state.value == "SEALED"
        entries = (await stage.services.delivery.receipt(WANG, play.case))["entries"]
        within = [each["inclusion"] for each in entries if each["kind"] == "gap"]
        assert within
        assert all(within)


async def test_a_server_that_stops_before_that_seals_nothing(office):
    backlog = Backlog()
    backlog.stopped = True
    async with open_stage(office("waiting"), untold=backlog) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await closed(play)
        with pytest.raises(OSError, match="wait for space"):
            await stage.work()
        session = await stage.services.workplace.files.session(play.sid)
        assert (session.state.value, session.seal_event) == ("CLOSED", None)
