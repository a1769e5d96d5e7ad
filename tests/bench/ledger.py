"""Appends per second, beside pymerkle and beside writing the same bytes with no log at all.

A leaf of 385 bytes, SQLite with synchronous=FULL, 1 / 64 / 1024 callers who each wait for their
receipt. The bare file gets the leaves of one group in one write, then fdatasync. The three take
turns in short rounds, for the disk is shared and its speed drifts.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pymerkle import SqliteTree

from ledger.entry import Submission
from ledger.log import Log
from ledger.note import LogKeys
from ledger.store import SqliteStore
from tests.bench import Row

TITLE = "ledger: appends/s, leaf of 385 bytes"
CALLERS = {1: 0.34, 64: 0.24, 1024: 0.06}
"""How many callers at once, and the prototype's ratio to write + fdatasync: the floor."""
ROUNDS = 5
ROUND_S = 0.5


def submission(number: int) -> Submission:
    """An entry of 385 bytes (about: numbers grow) in one of 8 sessions that run at once."""
    digest = sha256(number.to_bytes(8, "big")).hexdigest()
    body = {"kind": "evidence", "actor": digest[:24], "items": [{"name": "video"}]}
    return Submission("bench", digest[:32], f"{number % 8:032x}", body)


async def append_for(log: Log, callers: int, seconds: float, start: int) -> tuple[int, float]:
    """How many appends came back in how many seconds."""
    began = time.perf_counter()
    end = began + seconds
    done = 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await log.append(submission(number))
            number += callers
            done += 1

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(start + number))
    return done, time.perf_counter() - began


def grow_pymerkle(tree: SqliteTree, leaf: bytes, callers: int, seconds: float) -> tuple[int, float]:
    began = time.perf_counter()
    done = 0
    while time.perf_counter() < began + seconds:
        tree.append_entries([leaf] * callers)
        done += callers
    return done, time.perf_counter() - began


def write_bare(file: int, leaf: bytes, callers: int, seconds: float) -> tuple[int, float]:
    began = time.perf_counter()
    done = 0
    while time.perf_counter() < began + seconds:
        os.write(file, leaf * callers)
        os.fdatasync(file)
        done += callers
    return done, time.perf_counter() - began


async def measure(directory: Path, callers: int) -> tuple[float, float, float]:
    """Appends per second of this ledger, pymerkle and the bare file."""
    totals = [[0, 0.0] for _ in range(3)]
    log = await Log.open(
        SqliteStore(directory / "ledger.db"),
        keys=LogKeys.generate("bench.example/ledger"),
        guard=directory / "guard",
        clock=lambda: time.time_ns() // 1_000_000,
    )
    await log.append(submission(0))
    leaf = await log.leaf(0)
    file = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with SqliteTree(str(directory / "pymerkle.db")) as tree:
        for _ in range(ROUNDS):
            for total, (done, seconds) in zip(
                totals,
                (
                    await append_for(log, callers, ROUND_S, log.size * 2),
                    grow_pymerkle(tree, leaf, callers, ROUND_S),
                    write_bare(file, leaf, callers, ROUND_S),
                ),
                strict=True,
            ):
                total[0] += done
                total[1] += seconds
    os.close(file)
    await log.close()
    ours, pymerkle, bare = (done / seconds for done, seconds in totals)
    return ours, pymerkle, bare


def rows() -> Iterator[Row]:
    for callers, floor in CALLERS.items():
        with TemporaryDirectory() as directory:
            ours, pymerkle, bare = asyncio.run(measure(Path(directory), callers))
        what = f"{callers} caller{'s' if callers > 1 else ''}"
        yield Row(what, ours, "/s", "write + fdatasync", bare, floor)
        yield Row(what, ours, "/s", "pymerkle (SQLite)", pymerkle)
