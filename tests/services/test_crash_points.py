"""Sealing and issuing stopped between any two durable steps: they go on, and do nothing twice."""

import asyncio

import pytest
from script import LIN, WANG, Play
from stage import Stage, open_stage

from ledger.entry import Leaf
from server.services.sealing import Job

POINTS = (
    "number-allocated",
    "intent-anchored",
    "certificate-signed",
    "certificate-stored",
    "act-completed",
    "act-sealed",
    "status-logged",
    "bundle-stored",
)


class Stopped(BaseException):
    """The process ends here."""


def stop_at(point: str):
    def passed(name: str) -> None:
        if name == point:
            raise Stopped(name)

    return passed


async def go_on(stage: Stage, job: Job) -> None:
    """What `server.jobs` does with an unfinished certificate."""
    if job.kind == "issue":
        await stage.services.sealing.issue(job.id)
    await stage.services.sealing.deliver(job.id)


async def test_issuing_resumes_after_every_step_with_one_signature(office):
    directory = office("judged")
    async with open_stage(directory) as stage:
        (case,) = await stage.services.workplace.files.cases()
        await Play(stage, case=case.id).approve()
    files = set()
    for point in POINTS:
        async with open_stage(directory, passed=stop_at(point)) as stage:
            jobs = await stage.services.sealing.pending()
            assert [job.id for job in jobs] == [case.id]
            with pytest.raises(Stopped):
                await go_on(stage, jobs[0])
            row = await stage.services.workplace.registers.certificate(
                (await stage.services.workplace.files.case(case.id)).certificate.intent
            )
            files |= {row.sha256} if row else set()
    async with open_stage(directory) as stage:
        await stage.services.sealing.deliver(case.id)
        issued = await stage.services.workplace.files.case(case.id)
        assert issued.state == "DELIVERED"
        assert files == {issued.certificate.pdf_sha256}
        register = await stage.log.chain(stage.services.workplace.office.register)
        kinds = [Leaf.parse(leaf).body["kind"] for _, leaf in register]
        assert kinds == ["act-intended", "act-completed", "status-list"]


@pytest.mark.parametrize("point", ["seal-written", "seal-proven"])
async def test_sealing_resumes(office, point):
    directory = office("waiting")
    async with open_stage(directory) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        for number in range(1, 10):
            await play.step(number)
        await play.end_takes()
    async with open_stage(directory, passed=stop_at(point)) as stage:
        with pytest.raises(Stopped):
            await stage.services.sealing.seal_session(play.sid)
    async with open_stage(directory) as stage:
        await stage.services.sealing.seal_session(play.sid)
        assert (await stage.services.workplace.files.case(case.id)).state == "SEALED"
        chain = [Leaf.parse(leaf) for _, leaf in await stage.log.chain(case.id)]
        seals = [leaf.body for leaf in chain if leaf.body["kind"] == "session-seal"]
        assert len(seals) == 1
        receipt = await stage.services.delivery.receipt(WANG, case.id)
        assert receipt["proofs"] == "full"


async def test_a_dead_process_leaves_an_interrupted_session_with_its_gap(office):
    directory = office("waiting")
    async with open_stage(directory) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        await play.step(1)
        lost = play.segment("applicant", 1)  # durable on disk, but nobody was told
    async with open_stage(directory, taken=[lost]) as stage:
        assert await stage.services.archive.recover() == (play.sid,)
        view = await stage.services.ceremony.view(LIN, play.sid, language="zh-CN")
        assert view["state"] == "INTERRUPTED"
        assert view["recording"]["segments"] == 3
        assert {gap["kind"] for gap in view["recording"]["gaps"]} == {"stall"}
        takes = await stage.services.workplace.recordings.takes(play.sid)
        assert [take.reason for take in takes] == ["lost", "lost"]
        play = Play(stage, case=case.id, sid=play.sid)
        await stage.services.ceremony.resume(LIN, play.sid, language="zh-CN")
        await play.step(2)
        assert (await play.view())["step"] == 3
        assert await stage.services.archive.recover() == (play.sid,)


async def test_the_grace_began_when_something_was_last_heard(office):
    """Also when the last of it is told to the ledger only now, long after."""
    directory = office("waiting")
    async with open_stage(directory) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        lost = play.segment("applicant", 7)
        died_at = stage.clock()
    async with open_stage(directory, taken=[lost]) as stage:
        stage.clock.ahead_ms += 3_600_000  # longer than any grace
        assert await stage.services.archive.recover() == (play.sid,)
        session = await stage.services.workplace.files.session(play.sid)
        assert lost.end_at <= session.interrupted_at <= died_at
        assert session.grace_ends_at < stage.clock()


async def test_two_approvals_at_once_allocate_one_number(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        results = await asyncio.gather(play.approve(), play.approve(), return_exceptions=True)
        assert sorted(type(each).__name__ for each in results) == ["DomainError", "NoneType"]
        assert len(await stage.services.workplace.registers.all()) == 1
