"""Recordings after the session: take files become objects, and nothing is lost on the way."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import pytest
from script import LIN, Play
from stage import Stage, open_stage

from server.domain.errors import DomainError
from server.jobs import Jobs
from server.media.takefile import LENGTH, TakeFile, take_path

CLUSTERS = 3
TAKES = (("applicant", 1), ("notary", 1))


class Stopped(BaseException):
    """The process ends here."""


def stop_at(point: str, times: int):
    """Stop when a point is passed for the `times`-th time."""
    passes: Counter[str] = Counter()

    def passed(name: str) -> None:
        passes[name] += 1
        if name == point and passes[name] == times:
            raise Stopped(name)

    return passed


@pytest.fixture(scope="module")
def recorded(played, tmp_path_factory) -> Path:
    """An office whose session is closed and not sealed yet; its takes have three clusters each."""
    directory = tmp_path_factory.mktemp("recorded") / "office"
    shutil.copytree(played["waiting"], directory)

    async def play() -> None:
        async with open_stage(directory) as stage:
            (case,) = await stage.services.workplace.files.cases()
            play = Play(stage, case=case.id, clusters=CLUSTERS)
            await play.open()
            for number in range(1, 10):
                await play.step(number)
            await play.end_takes()

    asyncio.run(play())
    return directory


@pytest.fixture(scope="module")
def sealed(recorded, tmp_path_factory) -> Path:
    """The same, sealed; its takes are files still."""
    directory = tmp_path_factory.mktemp("sealed") / "office"
    shutil.copytree(recorded, directory)

    async def seal() -> None:
        async with open_stage(directory) as stage:
            await stage.services.sealing.seal_session(await session_of(stage))

    asyncio.run(seal())
    return directory


@pytest.fixture
def copied(tmp_path):
    def copy(directory: Path) -> Path:
        return Path(shutil.copytree(directory, tmp_path / "office"))

    return copy


async def session_of(stage: Stage) -> str:
    (case,) = await stage.services.workplace.files.cases()
    return case.sessions[-1]


async def streamed(stage: Stage, sid: str) -> dict[str, bytes]:
    stream = stage.services.archive.stream
    return {role: b"".join([c async for c in stream(sid, role, take)]) for role, take in TAKES}


def expected(role: str) -> bytes:
    return b"".join(f"cluster {n} of {role}, take 1".encode() * 50 for n in range(CLUSTERS))


EVERYTHING = {role: expected(role) for role, _ in TAKES}


async def test_a_sealed_sessions_recordings_move_and_stream_the_same_bytes(copied, sealed):
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        archive = stage.services.archive
        assert [(job.kind, job.id) for job in await archive.pending()] == [("keep", sid)]
        assert await streamed(stage, sid) == EVERYTHING
        await archive.keep(sid)
        assert list(stage.takes.iterdir()) == []
        assert await streamed(stage, sid) == EVERYTHING
        for row in await stage.services.workplace.recordings.segments(sid):
            blob = next((stage.directory / "objects").glob(f"*/{row.object}")).read_bytes()
            assert b"cluster" not in blob
        assert await archive.pending() == ()
        await archive.keep(sid)
        assert await streamed(stage, sid) == EVERYTHING


@pytest.mark.parametrize(
    ("point", "times"),
    [("cluster-moved", 1), ("cluster-moved", CLUSTERS + 1), ("take-recorded", 1)],
)
async def test_stopped_anywhere_it_goes_on_and_loses_nothing(copied, sealed, point, times):
    directory = copied(sealed)
    async with open_stage(directory, passed=stop_at(point, times)) as stage:
        sid = await session_of(stage)
        with pytest.raises(Stopped):
            await stage.services.archive.keep(sid)
        assert await streamed(stage, sid) == EVERYTHING
    async with open_stage(directory) as stage:
        assert [job.id for job in await stage.services.archive.pending()] == [sid]
        await stage.services.archive.keep(sid)
        assert list(stage.takes.iterdir()) == []
        assert await streamed(stage, sid) == EVERYTHING
        # the same bytes have the same name: moving twice left nothing beside them
        rows = await stage.services.workplace.recordings.segments(sid)
        moved = {row.object for row in rows}
        lying = {path.name for path in (directory / "objects").glob("*/*")}
        before = {path.name for path in (sealed / "objects").glob("*/*")}
        assert lying - before == moved
        assert len(moved) == len(TAKES) * CLUSTERS


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def cut_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def spoil_a_length(path: Path) -> None:
    data = path.read_bytes()
    (length,) = LENGTH.unpack(data[: LENGTH.size])
    path.write_bytes(data[: LENGTH.size + length] + b"\xff" + data[LENGTH.size + length + 1 :])


def say_a_cluster_twice(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (change_a_byte, "cluster 2 was changed"),
        (cut_the_end, "cluster 2 of 3 is torn or gone"),
        (spoil_a_length, "cluster 1 of 3 is torn or gone"),
        (say_a_cluster_twice, "the ledger does not know cluster 3"),
        (Path.unlink, "is neither a file nor objects"),
    ],
)
async def test_a_damaged_take_stays_and_the_log_says_why(copied, sealed, caplog, damage, why):
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        path = take_path(stage.takes, sid, "applicant", 1)
        whole = path.read_bytes()
        damage(path)
        left = path.read_bytes() if path.exists() else None
        await stage.services.archive.keep(sid)
        assert why in caplog.text
        assert f"{sid}-applicant-1" in caplog.text
        assert (path.read_bytes() if path.exists() else None) == left
        assert not take_path(stage.takes, sid, "notary", 1).exists()  # the other was kept
        path.write_bytes(whole)  # mended from a backup
        await stage.services.archive.keep(sid)
        assert not path.exists()
        assert await streamed(stage, sid) == EVERYTHING


async def test_other_content_under_the_right_key_is_not_what_the_ledger_says(
    copied, sealed, caplog
):
    """Whoever has the key and the database can write another take; the ledger does not agree."""
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        path = take_path(stage.takes, sid, "applicant", 1)
        path.unlink()
        cipher = await stage.services.recordings.cipher(sid)
        forged = TakeFile(path, cipher.encrypt)
        stored = [forged.append(b"what was never said") for _ in range(CLUSTERS)]
        forged.close()
        async with stage.database.write() as connection:
            for each in stored:
                await connection.exec_driver_sql(
                    "UPDATE segment SET ciphertext_sha256 = ?, plaintext_sha256 = ?"
                    " WHERE participant = 'applicant' AND number = ?",
                    (each.ciphertext_sha256, each.plaintext_sha256, each.number),
                )
        await stage.services.archive.keep(sid)
        assert "cluster 0 is not what the ledger's entry commits to" in caplog.text
        assert path.exists()


async def test_a_torn_end_that_was_never_told_holds_nothing_up(copied, sealed):
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        path = take_path(stage.takes, sid, "applicant", 1)
        with path.open("ab") as file:
            file.write(LENGTH.pack(5000) + b"the open cluster when the process died")
        await stage.services.archive.keep(sid)
        assert not path.exists()
        assert await streamed(stage, sid) == EVERYTHING


async def test_nothing_moves_before_the_session_is_sealed(copied, recorded):
    async with open_stage(copied(recorded)) as stage:
        sid = await session_of(stage)
        assert await stage.services.archive.pending() == ()
        await stage.services.archive.keep(sid)
        assert len(list(stage.takes.iterdir())) == len(TAKES)
        assert await streamed(stage, sid) == EVERYTHING


async def broken_off(stage: Stage) -> Play:
    (case,) = await stage.services.workplace.files.cases()
    play = Play(stage, case=case.id, clusters=CLUSTERS)
    await play.open()
    await play.step(1)
    await stage.services.ceremony.abort(LIN, play.sid, reason="有第三人在场", language="zh-CN")
    return play


async def test_a_session_broken_off_is_kept_once_its_takes_are_ended_and_anchored(office):
    async with open_stage(office("waiting")) as stage:
        play = await broken_off(stage)
        archive = stage.services.archive
        await stage.journal.drain()
        await archive.keep(play.sid)  # the recorder still has them open
        assert await archive.pending() == ()
        await play.end_takes()
        await archive.keep(play.sid)  # the ledger does not have their ends yet
        assert await archive.pending() == ()
        assert len(list(stage.takes.iterdir())) == len(TAKES)
        await stage.journal.drain()
        assert [(job.kind, job.id) for job in await archive.pending()] == [("keep", play.sid)]
        await archive.keep(play.sid)
        assert list(stage.takes.iterdir()) == []
        assert await streamed(stage, play.sid) == EVERYTHING


async def test_a_session_broken_off_just_before_a_crash_has_its_takes_ended_at_the_start(office):
    directory = office("waiting")
    async with open_stage(directory) as stage:
        sid = (await broken_off(stage)).sid
    jobs = Jobs(directory / "jobs.db")
    async with open_stage(directory, jobs=jobs) as stage:
        assert await stage.services.archive.recover() == ()  # none that could go on
        await stage.journal.drain()
        await jobs.launch(stage.services.sealing, stage.services.archive)
        await jobs.finished("keep", sid)
        takes = await stage.services.workplace.recordings.takes(sid)
        assert [take.reason for take in takes] == ["lost", "lost"]
        assert list(stage.takes.iterdir()) == []
        assert await streamed(stage, sid) == EVERYTHING


async def test_a_take_kept_while_somebody_watches_plays_on(copied, sealed):
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        watching = stage.services.archive.stream(sid, "applicant", 1)
        seen = [await anext(watching)]
        await stage.services.archive.keep(sid)
        seen += [cluster async for cluster in watching]
        assert b"".join(seen) == expected("applicant")


async def test_no_such_take_is_said_so(copied, sealed):
    async with open_stage(copied(sealed)) as stage:
        sid = await session_of(stage)
        with pytest.raises(DomainError, match="recording-unknown"):
            await anext(stage.services.archive.stream(sid, "applicant", 7))


async def test_the_jobs_keep_what_they_sealed_and_take_up_what_was_left(copied, recorded):
    directory = copied(recorded)
    jobs = Jobs(directory / "jobs.db")
    async with open_stage(directory, jobs=jobs) as stage:
        sid = await session_of(stage)
        path = take_path(stage.takes, sid, "applicant", 1)
        whole = path.read_bytes()
        change_a_byte(path)
        await jobs.launch(stage.services.sealing, stage.services.archive)
        await jobs.finished("seal", sid)
        await jobs.finished("keep", sid)
        assert list(stage.takes.iterdir()) == [path]
    path.write_bytes(whole)
    jobs = Jobs(directory / "jobs.db")
    async with open_stage(directory, jobs=jobs) as stage:
        await jobs.launch(stage.services.sealing, stage.services.archive)
        await jobs.finished("keep", sid)
        assert list(stage.takes.iterdir()) == []
        assert await streamed(stage, sid) == EVERYTHING
