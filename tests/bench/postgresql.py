"""A ledger in PostgreSQL beside one in SQLite and beside no log at all.

The same entries, callers and rounds as in `tests.bench.ledger`. The server is a real one, started
for this, on loopback and on the same disk, with fsync and synchronous_commit on, and nothing else
tuned. Its processes take their part of the same cores.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.log import Log
from ledger.note import LogKeys
from ledger.postgres import PostgresStore
from ledger.sqlite import SqliteStore
from ledger.store import Store
from tests.bench import Row
from tests.bench.ledger import (
    BARE,
    PLENTY,
    ROUND_S,
    ROUNDS,
    Rounds,
    append_for,
    plan,
    submission,
    write_bare,
)
from tests.ledger.postgresql import binaries, running

TITLE = "ledger in PostgreSQL: the same appends, by a server on loopback, fsync on"
CALLERS = (1, 64, 1024)
SQLITE = "SQLite"


@dataclass(slots=True)
class Measured:
    """What each did, in turns."""

    ours: Rounds = field(default_factory=Rounds)
    sqlite: Rounds = field(default_factory=Rounds)
    bare: Rounds = field(default_factory=Rounds)


async def opened(store: Store, directory: Path, name: str) -> Log:
    return await Log.open(
        store,
        keys=LogKeys.generate("bench.example/ledger"),
        guard=directory / f"guard-{name}",
        clock=lambda: time.time_ns() // 1_000_000,
    )


async def measure(directory: Path, url: str, callers: int) -> Measured:
    """Rounds of the ledger in PostgreSQL, the one in SQLite, and the bare file."""
    got = Measured()
    ours = await opened(PostgresStore(url), directory, "postgresql")
    sqlite = await opened(SqliteStore(directory / "ledger.db"), directory, "sqlite")
    for log in (ours, sqlite):
        await log.append(submission(0))
    leaf = await ours.leaf(0)
    file = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for number in range(ROUNDS):
        for log, rounds in ((ours, got.ours), (sqlite, got.sqlite)):
            planned = plan(1 + number * PLENTY, PLENTY, submission)
            with rounds.turn() as turn:
                turn.appends = await append_for(log, callers, ROUND_S, planned)
            del planned
            gc.unfreeze()
        with got.bare.turn() as turn:
            turn.appends = write_bare(file, leaf, callers, ROUND_S)
    os.close(file)
    for log in (ours, sqlite):
        await log.close()
    return got


def rows() -> Iterator[Row]:
    if binaries() is None:
        return
    with TemporaryDirectory() as folder, running(port=_free_port()) as server:
        for callers in CALLERS:
            directory = Path(folder) / str(callers)
            directory.mkdir()
            got = asyncio.run(measure(directory, server.fresh(), callers))
            what = f"{callers} caller{'s' if callers > 1 else ''}"
            rate = got.ours.per_second
            yield Row(what, rate, "/s", SQLITE, got.sqlite.per_second)
            yield Row(what, rate, "/s", BARE, got.bare.per_second)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
