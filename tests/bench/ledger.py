"""Appends per second and what each costs, beside pymerkle and beside no log at all.

A leaf of 385 bytes, SQLite with synchronous=FULL, 1 / 64 / 1024 callers who each wait for their
receipt. The bare file gets the leaves of one group in one write, then fdatasync. All take turns in
short rounds, for the disk is shared and its speed drifts; a figure is the median of its rounds. CPU
is that of the whole process, its
threads, SQLite and the callers included; what is to be recorded is thought up beforehand. Event ids
begin with the time (UUIDv7's order); one row has random ones.

pymerkle knows no callers who wait together: each of many appends by itself (`append_entry`), and
the row "in bulk" is one caller who hands over as many at once (`append_entries`). immudb commits
each caller's own transaction, as its documentation shows it.

The floors were measured with the first prototype on a slower disk. The faster a disk writes, the
lower the ratio of anything that computes: from 64 callers on a log is bound by its processor.
docs/decisions/0014 has the parts, and why these floors are not reached on a fast disk.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pymerkle import SqliteTree

from ledger.entry import Submission
from ledger.log import Log
from ledger.note import LogKeys
from ledger.sqlite import SqliteStore
from tests.bench import Row, immudb_peer

TITLE = "ledger: appends of 385 bytes, each durable; a bare file is write + fdatasync"
CALLERS = {1: 0.34, 64: 0.24, 1024: 0.06}
"""How many callers at once, and the prototype's ratio to write + fdatasync: the floor."""
ROUNDS = 7
ROUND_S = 0.5
BARE, PYMERKLE, BULK, IMMUDB = "bare file", "pymerkle", "pymerkle in bulk", "immudb embedded"
TIMES = 3.0
"""How many times the peers' rate is asked for, at 1 and 64 callers."""
CPU_US, ENTRY_BYTES = 20.0, 560.0
"""What an entry may cost at 1024 callers."""
PLENTY = 60_000
"""More submissions than a round at any speed we have seen takes."""


@dataclass(slots=True)
class Round:
    """Appends, and what they took: seconds on the wall, and of this process's CPU time."""

    appends: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(slots=True)
class Rounds:
    """One of those who take turns. A stall of the disk spoils a round, not the figure."""

    done: list[Round] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return median(each.appends / each.wall_s for each in self.done)

    @property
    def cpu_us(self) -> float:
        """CPU time of one append, in microseconds."""
        return median(each.cpu_s / each.appends for each in self.done) * 1e6

    @contextmanager
    def turn(self) -> Iterator[Round]:
        this, wall, cpu = Round(), time.perf_counter(), time.process_time()
        yield this
        this.wall_s, this.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        self.done.append(this)


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


Fields = tuple[str, str, str, Mapping[str, object]]


async def append_for(log: Log, callers: int, seconds: float, plan: Sequence[Fields]) -> int:
    """How many appends came back in that many seconds."""
    waiting = iter(plan)
    end = time.perf_counter() + seconds
    done = 0

    async def caller() -> None:
        nonlocal done
        for fields in waiting:  # one iterator for all
            await log.append(Submission(*fields))
            done += 1
            if time.perf_counter() >= end:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    assert done < len(plan), "the plan was too short for this machine"
    return done


def plan(start: int, count: int, make: Make) -> list[Fields]:
    """What will be recorded; the garbage collector does not look at it."""
    made = [make(start + number) for number in range(count)]
    fields = [(each.client, each.event, each.case, each.body) for each in made]
    gc.collect()
    gc.freeze()
    return fields


def grow_pymerkle(tree: SqliteTree, leaf: bytes, seconds: float) -> int:
    """One after another, whoever they are from."""
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        tree.append_entry(leaf)
        done += 1
    return done


def grow_in_bulk(tree: SqliteTree, leaf: bytes, callers: int, seconds: float) -> int:
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


@dataclass(slots=True)
class Measured:
    """What each did, in turns. entry_bytes: of our database, closed, for each entry."""

    ours: Rounds = field(default_factory=Rounds)
    pymerkle: Rounds = field(default_factory=Rounds)
    bulk: Rounds = field(default_factory=Rounds)
    bare: Rounds = field(default_factory=Rounds)
    immudb: Rounds = field(default_factory=Rounds)
    entry_bytes: float = 0.0


async def measure(directory: Path, callers: int, make: Make, program: Path | None) -> Measured:
    """Rounds of this ledger, its peers, and the bare file."""
    got = Measured()
    log = await Log.open(
        SqliteStore(directory / "ledger.db"),
        keys=LogKeys.generate("bench.example/ledger"),
        guard=directory / "guard",
        clock=lambda: time.time_ns() // 1_000_000,
    )
    await log.append(make(0))
    leaf = await log.leaf(0)
    file = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with SqliteTree(str(directory / "pymerkle.db")) as tree:
        for number in range(ROUNDS):
            planned = plan(1 + number * PLENTY, PLENTY, make)
            with got.ours.turn() as turn:
                turn.appends = await append_for(log, callers, ROUND_S, planned)
            del planned
            gc.unfreeze()
            with got.pymerkle.turn() as turn:
                turn.appends = grow_pymerkle(tree, leaf, ROUND_S)
            if callers > 1:
                with got.bulk.turn() as turn:
                    turn.appends = grow_in_bulk(tree, leaf, callers, ROUND_S)
            with got.bare.turn() as turn:
                turn.appends = write_bare(file, leaf, callers, ROUND_S)
            if program is not None:
                folder = directory / f"immudb-{number}"
                appends, seconds = immudb_peer.run(program, folder, callers, ROUND_S, len(leaf))
                got.immudb.done.append(Round(appends, seconds))
    os.close(file)
    size = log.size
    await log.close()
    got.entry_bytes = (directory / "ledger.db").stat().st_size / size
    return got


def rows() -> Iterator[Row]:
    program, why = immudb_peer.build()
    for callers, floor in CALLERS.items():
        what = f"{callers} caller{'s' if callers > 1 else ''}"
        few = callers < 1024
        got = _measured(callers, program=program if few else None)
        rate, cpu = got.ours.per_second, got.ours.cpu_us
        times = TIMES if few else None
        yield Row(what, rate, "/s", BARE, got.bare.per_second, 0.9 * floor)
        yield Row(what, rate, "/s", PYMERKLE, got.pymerkle.per_second, times)
        if callers > 1:
            yield Row(what, rate, "/s", BULK, got.bulk.per_second)
        if few and program is not None:
            yield Row(what, rate, "/s", IMMUDB, got.immudb.per_second, TIMES)
        elif few:
            yield Row(what, rate, "/s", f"{IMMUDB}: {why}")
        promise = None if few else CPU_US
        yield Row(f"{callers}, CPU each", cpu, "us", BARE, got.bare.cpu_us, promise=promise)
        if not few:
            yield Row("on disk, an entry", got.entry_bytes, "B", promise=ENTRY_BYTES)
    got = _measured(1024, scattered)
    yield Row("1024, random ids", got.ours.per_second, "/s", BARE, got.bare.per_second)
    yield Row("1024, random, CPU", got.ours.cpu_us, "us", BARE, got.bare.cpu_us)


def _measured(callers: int, make: Make = submission, program: Path | None = None) -> Measured:
    with TemporaryDirectory() as directory:
        return asyncio.run(measure(Path(directory), callers, make, program))
