"""Appends per second and what each costs, beside pymerkle and beside no log at all.

A leaf of 385 bytes, SQLite with synchronous=FULL, 1 / 64 / 1024 callers who each wait for their
receipt. The bare file gets the leaves of one group in one write, then fdatasync. The three take
turns in short rounds, for the disk is shared and its speed drifts. CPU is that of the whole
process, callers included. Event ids begin with the time (UUIDv7's order); one row has random ones.

The floors were measured with the first prototype on a slower disk. The faster a disk writes, the
lower the ratio of anything that computes: at 1024 callers a log is bound by its processor.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pymerkle import SqliteTree

from ledger.entry import Submission
from ledger.log import Log
from ledger.note import LogKeys
from ledger.sqlite import SqliteStore
from tests.bench import Row

TITLE = "ledger: appends of 385 bytes, each durable; a bare file is write + fdatasync"
CALLERS = {1: 0.34, 64: 0.24, 1024: 0.06}
"""How many callers at once, and the prototype's ratio to write + fdatasync: the floor."""
ROUNDS = 5
ROUND_S = 0.5
BARE, PYMERKLE = "bare file", "pymerkle"


@dataclass(slots=True)
class Total:
    """Appends, and what they took: seconds on the wall, and of this process's CPU time."""

    appends: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def per_second(self) -> float:
        return self.appends / self.wall_s

    @property
    def cpu_us(self) -> float:
        """CPU time of one append, in microseconds."""
        return self.cpu_s / self.appends * 1e6

    @contextmanager
    def timed(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu


Make = Callable[[int], Submission]


def submission(number: int) -> Submission:
    """An entry of 385 bytes (about: numbers grow) in one of 8 sessions that run at once."""
    digest = sha256(number.to_bytes(8, "big")).hexdigest()
    return _evidence(number, digest, f"{number // 40:012x}{digest[:20]}")  # 40 ids in each ms


def scattered(number: int) -> Submission:
    """The same under a random id."""
    digest = sha256(number.to_bytes(8, "big")).hexdigest()
    return _evidence(number, digest, digest[:32])


def _evidence(number: int, digest: str, event: str) -> Submission:
    body = {"kind": "evidence", "actor": digest[:24], "items": [{"name": "video"}]}
    return Submission("bench", event, f"{number % 8:032x}", body)


async def append_for(
    log: Log, callers: int, seconds: float, start: int, make: Make = submission
) -> int:
    """How many appends came back in that many seconds."""
    end = time.perf_counter() + seconds
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await log.append(make(number))
            number += callers
            done += 1

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(start + number))
    return done


def grow_pymerkle(tree: SqliteTree, leaf: bytes, callers: int, seconds: float) -> int:
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        tree.append_entries([leaf] * callers)
        done += callers
    return done


def write_bare(file: int, leaf: bytes, callers: int, seconds: float) -> int:
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        os.write(file, leaf * callers)
        os.fdatasync(file)
        done += callers
    return done


async def measure(
    directory: Path, callers: int, make: Make = submission
) -> tuple[Total, Total, Total]:
    """This ledger, pymerkle and the bare file."""
    ours, pymerkle, bare = Total(), Total(), Total()
    log = await Log.open(
        SqliteStore(directory / "ledger.db"),
        keys=LogKeys.generate("bench.example/ledger"),
        guard=directory / "guard",
        clock=lambda: time.time_ns() // 1_000_000,
    )
    await log.append(make(0))
    leaf = await log.leaf(0)
    file = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    start = 1
    with SqliteTree(str(directory / "pymerkle.db")) as tree:
        for _ in range(ROUNDS):
            with ours.timed():
                ours.appends += await append_for(log, callers, ROUND_S, start, make)
            start = 2 * (start + log.size)  # beyond every number there is
            with pymerkle.timed():
                pymerkle.appends += grow_pymerkle(tree, leaf, callers, ROUND_S)
            with bare.timed():
                bare.appends += write_bare(file, leaf, callers, ROUND_S)
    os.close(file)
    await log.close()
    return ours, pymerkle, bare


def rows() -> Iterator[Row]:
    for callers, floor in CALLERS.items():
        what = f"{callers} caller{'s' if callers > 1 else ''}"
        ours, pymerkle, bare = _measured(callers)
        yield Row(what, ours.per_second, "/s", BARE, bare.per_second, floor)
        yield Row(what, ours.per_second, "/s", PYMERKLE, pymerkle.per_second)
        yield Row(f"{callers}, CPU each", ours.cpu_us, "us", BARE, bare.cpu_us)
        yield Row(f"{callers}, CPU each", ours.cpu_us, "us", PYMERKLE, pymerkle.cpu_us)
    ours, _, bare = _measured(1024, scattered)
    yield Row("1024, random ids", ours.per_second, "/s", BARE, bare.per_second)
    yield Row("1024, random, CPU", ours.cpu_us, "us", BARE, bare.cpu_us)


def _measured(callers: int, make: Make = submission) -> tuple[Total, Total, Total]:
    with TemporaryDirectory() as directory:
        return asyncio.run(measure(Path(directory), callers, make))
