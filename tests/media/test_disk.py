"""A full disk and a killed process: what was told is kept, and it plays."""

import asyncio
import json
import pathlib
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from server.media import (
    Gap,
    RecorderFailed,
    Room,
    SegmentClosed,
    TakeDamaged,
    TakeEnded,
    TakeStarted,
    read_take,
    recover,
)
from server.media.takefile import TakeFile
from server.rehearsal.peer import Peer

from .conftest import FPS, SESSION, Facts, Vault
from .recording import look

FULL = 200 << 10  # bytes a file may have while the disk is "full"


@pytest.fixture
def full_disk() -> Iterator[Callable[[bool], None]]:
    """Makes the kernel refuse writes beyond FULL bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(on: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL if on else soft, hard))

    yield limit
    limit(False)


async def test_a_full_disk_ends_the_take_and_not_the_call(
    room: Room,
    facts: Facts,
    vault: Vault,
    make_peer: Callable[..., Peer],
    full_disk: Callable[[bool], None],
) -> None:
    notary, applicant = make_peer("notary"), make_peer("applicant")
    await notary.connect()
    await applicant.connect()
    full_disk(True)
    await facts.until(lambda: facts.of(RecorderFailed, "applicant"))
    await facts.until(lambda: facts.of(TakeEnded, "applicant"))
    (failed,) = facts.of(RecorderFailed, "applicant")
    assert (failed.take, "large" in failed.reason.lower()) == (0, True)
    (ended,) = facts.of(TakeEnded, "applicant")
    told = [s for s in facts.of(SegmentClosed, "applicant") if s.take == 0]
    assert ended.reason == "disk"
    assert ended.segments == len(told) > 0
    assert ended.chain == told[-1].chain
    await notary.received(video=notary.frames["video"] + FPS)  # the call goes on

    full_disk(False)
    await facts.until(
        lambda: [s for s in facts.of(SegmentClosed, "applicant") if s.take == 1], seconds=20
    )
    assert [started.take for started in facts.of(TakeStarted, "applicant")] == [0, 1]
    (gap,) = [gap for gap in facts.of(Gap, "applicant") if gap.kind == "disk"]
    assert gap.start_at == told[-1].end_at
    assert gap.end_at > gap.start_at
    takes = [take for take in await room.close() if take.participant == "applicant"]
    assert [take.reason for take in takes] == ["disk", "closed"]
    for take in takes:
        assert look(take.path, vault.decrypt).first_is_key
        assert [s.chain for s in recover(take.path, vault.decrypt)][-1] == take.chain


async def test_kill_9_loses_at_most_the_open_cluster(tmp_path: pathlib.Path, vault: Vault) -> None:
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        str(pathlib.Path(__file__).parent / "victim.py"),
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    told: dict[str, list[dict[str, str | int]]] = {"notary": [], "applicant": []}
    async with asyncio.timeout(60):
        while min(len(segments) for segments in told.values()) < 4:
            fact = json.loads(await victim.stdout.readline())
            told[fact["participant"]].append(fact)
        # Killed at once, somewhere inside the clusters that are open now.
        victim.send_signal(signal.SIGKILL)
        killed_at = time.time_ns() // 1_000_000
        for line in (await victim.stdout.read()).splitlines():
            fact = json.loads(line)
            told[fact["participant"]].append(fact)
        await victim.wait()
    for name, segments in told.items():
        path = tmp_path / f"{SESSION}-{name}-0.take"
        stored = recover(path, vault.decrypt)
        kept = [(s.number, s.offset, s.plaintext_sha256, s.chain) for s in stored]
        assert kept[: len(segments)] == [
            (s["number"], s["offset"], s["plaintext_sha256"], s["chain"]) for s in segments
        ]
        assert killed_at - int(segments[-1]["end_at"]) < 2_000
        recording = look(path, vault.decrypt)
        assert recording.first_is_key
        assert recording.duration > 3


def test_a_torn_tail_is_left_aside_and_a_changed_byte_ends_the_take(
    tmp_path: pathlib.Path, vault: Vault
) -> None:
    path = tmp_path / f"{SESSION}-notary-0.take"
    file = TakeFile(path, vault.encrypt)
    segments = [file.append(bytes([n]) * 1000) for n in range(4)]
    file.close()
    assert recover(path, vault.decrypt) == tuple(segments)
    assert path.stat().st_mode & 0o777 == 0o600
    whole = path.read_bytes()

    path.write_bytes(whole[:-1])
    assert recover(path, vault.decrypt) == tuple(segments[:3])
    path.write_bytes(whole + b"\0\0\0")
    assert recover(path, vault.decrypt) == tuple(segments)
    for offset in (0, 3, segments[1].offset, segments[1].offset + 500, segments[1].offset - 1):
        changed = bytearray(whole)
        changed[offset] ^= 1
        path.write_bytes(changed)
        assert len(recover(path, vault.decrypt)) == (0 if offset < 4 else 1)
    # Segments in another order, or under another name, do not open.
    first, second = (whole[s.offset - 4 : s.offset + s.length] for s in segments[:2])
    path.write_bytes(second + first)
    assert recover(path, vault.decrypt) == ()
    other = tmp_path / f"{SESSION}-applicant-0.take"
    other.write_bytes(whole)
    assert list(read_take(other, vault.decrypt)) == []


def test_a_name_is_never_used_twice(tmp_path: pathlib.Path, vault: Vault) -> None:
    path = tmp_path / f"{SESSION}-notary-0.take"
    TakeFile(path, vault.encrypt).close()
    with pytest.raises(FileExistsError):
        TakeFile(path, vault.encrypt)
    with pytest.raises(TakeDamaged):
        recover(tmp_path / "notes.txt", vault.decrypt)
