"""What the ledger's tests stand on: a clock in the hand, a folder to open and reopen, vectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.anchors import ReadToken
from ledger.cosigning import Witnesses
from ledger.entry import Submission
from ledger.log import Log
from ledger.note import LogKeys
from ledger.postgres import PostgresStore
from ledger.sqlite import SqliteStore
from ledger.store import Store

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors"
on_both = pytest.mark.parametrize("office", ["sqlite", "postgresql"], indirect=True)
"""The same promises, whatever keeps the ledger."""
NOON = 1_795_442_400_000
"""Some moment, in ms."""


@dataclass(slots=True)
class Clock:
    """A wall clock and a monotonic clock, in ms, that move when the test says so."""

    wall: int = NOON
    steady: int = 5_000

    def pass_ms(self, ms: int) -> None:
        self.wall += ms
        self.steady += ms


@dataclass(slots=True)
class Office:
    """Where a ledger lives; it can be opened, closed and opened again."""

    directory: Path
    keys: LogKeys
    clock: Clock = field(default_factory=Clock)
    timestamp: Callable[[bytes], Awaitable[bytes]] | None = None
    read_token: ReadToken | None = None
    witnesses: Callable[[], Witnesses] | None = None
    tick_s: float = 1.0
    url: str | None = None
    """Its PostgreSQL database; else a file of SQLite's in the folder."""
    opened: list[Log] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.directory / "ledger.db"

    @property
    def guard(self) -> Path:
        return self.directory / "volume" / "guard"

    def store(self) -> Store:
        return PostgresStore(self.url) if self.url else SqliteStore(self.database)

    async def open(self) -> Log:
        self.guard.parent.mkdir(exist_ok=True)
        log = await Log.open(
            self.store(),
            keys=self.keys,
            guard=self.guard,
            clock=lambda: self.clock.wall,
            monotonic=lambda: self.clock.steady,
            timestamp=self.timestamp,
            read_token=self.read_token,
            witnesses=self.witnesses() if self.witnesses else None,
            tick_s=self.tick_s,
        )
        self.opened.append(log)
        return log


def submission(number: int, *, case: int = 1, text: str = "") -> Submission:
    """The `number`th fact of a test."""
    event = sha256(f"event {number}".encode()).hexdigest()[:32]
    return Submission("test", event, f"{case:032x}", {"kind": "evidence", "n": number, "t": text})


def vectors(*parts: str) -> Path:
    """A published vector's path; the test is skipped where the vectors are not at hand."""
    path = VECTORS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"published vectors are not here: {path.name}")
    return path
