"""Plays one case as far as it goes, in a process that ends itself by kill -9 at a named point.

    python driver.py    reads lines DIRECTORY<tab>POINT; for each one forks a process that plays,
                        and says "ended CODE" (imports are made once: they take seconds)

Every start is a recovery: what a former process left is taken up first, then the play goes on from
the state it finds. Points: step-2, step-5, step-7, and those `services.sealing` and
`services.archive` pass.
"""

import asyncio
import os
import signal
import sys
import traceback
from pathlib import Path

from script import LIN, WANG, Play
from stage import Stage, open_stage

from server.jobs import Jobs


async def play_on(directory: Path, point: str) -> None:
    def here(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    jobs = Jobs(directory / "jobs.db")
    async with open_stage(directory, passed=here, jobs=jobs) as stage:
        await stage.services.archive.recover()
        await stage.journal.drain()
        await jobs.launch(stage.services.sealing, stage.services.archive)
        play = Play(stage)
        cases = await stage.services.workplace.files.cases()
        if cases:
            play.case = cases[0].id
        else:
            await play.to_waiting()
        await talk(stage, play, here)
        await finish(stage, play, jobs)


async def talk(stage: Stage, play: Play, here) -> None:
    """The session, from where it stands to its close."""
    case = await stage.services.workplace.files.case(play.case)
    play.clusters = 3
    if case.state == "WAITING":
        await play.open()
    elif case.state == "IN_SESSION":
        play.sid = case.sessions[-1]
        view = await stage.services.ceremony.resume(LIN, play.sid, language="zh-CN")
        play.sid = view["id"]
    else:
        play.sid = case.sessions[-1]
        return
    while (view := await play.view())["state"] == "OPEN":
        number = view["step"]
        if number == 2:
            identity = stage.services.identity
            await identity.document(WANG, play.sid, side="front", image=b"1", language="zh-CN")
        elif number == 5:
            await stage.services.ceremony.speak(
                LIN, play.sid, who="applicant", key="who", text="王小明", language="zh-CN"
            )
        elif number == 7:
            await play.make_key()
            await play.sign("document", before_signing=lambda: here("step-7"))
            await play.recheck()
            await stage.services.ceremony.complete(LIN, play.sid, number=7, language="zh-CN")
            continue
        here(f"step-{number}")
        await play.step(number)
    await play.end_takes()


async def finish(stage: Stage, play: Play, jobs: Jobs) -> None:
    """Seal, certify, approve, issue, deliver."""
    state = (await stage.services.workplace.files.case(play.case)).state
    if state == "CLOSED":
        await jobs.finished("seal", play.sid)
    if state in ("CLOSED", "SEALED"):
        await play.certify()
        await play.judge()
        await play.approve()
    await jobs.finished("issue", play.case)
    await jobs.finished("keep", play.sid)


def play_in_a_process(directory: Path, point: str) -> int:
    """Fork, play, and return the exit code; nothing of one play is left for the next."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(play_on(directory, point))
            code = 0
        except BaseException:  # noqa: BLE001 - told to the test as words and a code
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    import dbos  # noqa: F401 - imported here once, for every play

    for line in sys.stdin:
        directory, _, point = line.rstrip("\n").partition("\t")
        print(f"ended {play_in_a_process(Path(directory), point)}", flush=True)
