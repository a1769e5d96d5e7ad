"""The ledger's tables, insert-only, in SQLite.

    entry(idx, key, case_id, case_seq, leaf)   the log; everything else can be derived from it
    tile(level, n, hashes)                     full tiles only, 8192 bytes; the edge is in memory
    checkpoint(size, note)                     the published ones
    attest(size, kind, who, body, at)          what others said of a checkpoint: timestamp tokens

`case_id` and `case_seq` repeat what the leaf says, so that one case can be found. Triggers
refuse UPDATE, DELETE, REPLACE and gaps, for every program that opens the file.

The statements are SQLAlchemy Core and portable; what is SQLite's own is in `SqliteStore` below.
One thread writes, through one held connection; any thread may read.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from ledger.errors import DamageError, LockedError, StoreError, TakenError
from ledger.merkle import FullTile

SCHEMA = MetaData()

entry = Table(
    "entry",
    SCHEMA,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("case_id", LargeBinary, nullable=False),
    Column("case_seq", Integer, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    UniqueConstraint("case_id", "case_seq"),
    sqlite_strict=True,
)
tile = Table(
    "tile",
    SCHEMA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_strict=True,
)
checkpoint = Table(
    "checkpoint",
    SCHEMA,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)
attest = Table(
    "attest",
    SCHEMA,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("at", Integer, nullable=False),
    sqlite_strict=True,
)

TIMESTAMP = "timestamp"
"""The kind of an RFC 3161 token over a checkpoint note's bytes."""

Row = tuple[int, bytes, bytes, int, bytes]
"""An entry's columns in the table's order: idx, key, case_id, case_seq, leaf."""


# What the sequencer does for every batch, as the driver takes it: through Core it costs as much
# again as SQLite's own work, and the disk waits.
_ADD_ENTRY = "INSERT INTO entry VALUES (?, ?, ?, ?, ?)"
_ADD_TILE = "INSERT INTO tile VALUES (?, ?, ?)"
_CASE_HEAD = "SELECT case_seq, leaf FROM entry WHERE case_id = ? ORDER BY case_seq DESC LIMIT 1"


class SqliteStore:
    """A ledger in one SQLite file (with its -wal and -shm beside it).

    `open` takes the writer's lock. Reads are thread-safe and see what is committed.
    Raises StoreError, DamageError, LockedError; never SQLAlchemy's own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)
        self._writer: Connection | None = None
        self._lock: int | None = None

    # -- life ---------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the lock, make the tables, check the file; again after a failed write."""
        self._close_writer()
        if self._lock is None:
            self._lock = _lock(self.path)
        with retold("open the ledger's database"):
            self._writer = self._engine.connect()
            SCHEMA.create_all(self._writer)
            for statement in _triggers():
                self._writer.exec_driver_sql(statement)
            verdict = self._writer.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            self._writer.commit()
        if verdict != "ok":
            raise DamageError(
                f"the database {self.path} is damaged ({verdict}); nothing was written. Run "
                "`farseal ledger fsck`, then restore it from a copy no older than the guard"
            )

    def close(self) -> None:
        self._close_writer()
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.invalidate()
            self._writer.close()
            self._writer = None

    # -- writing: one thread ------------------------------------------------------------------

    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        """Commit one batch: durable when it returns (one fsync).

        Raises TakenError when a key is in the ledger already, and nothing is written; after
        StoreError the outcome may be unknown, and `open` and `size` tell.
        """
        with self._driver() as connection:
            connection.executemany(_ADD_ENTRY, rows)
            if tiles:
                connection.executemany(_ADD_TILE, [(t.level, t.number, t.hashes) for t in tiles])

    def case_heads(self, cases: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """case_seq and leaf of the newest entry of each case that has any."""
        with self._driver() as connection:
            rows = (
                (c, connection.execute(_CASE_HEAD, (bytes.fromhex(c),)).fetchone()) for c in cases
            )
            return {case: row for case, row in rows if row is not None}

    def add_checkpoint(self, *, size: int, note: str) -> None:
        with retold("publish"), self._writing() as connection:
            connection.execute(insert(checkpoint).values(size=size, note=note))

    def add_attestation(self, *, size: int, kind: str, who: str, body: bytes, at: int) -> None:
        with retold("record"), self._writing() as connection:
            values = {"size": size, "kind": kind, "who": who, "body": body, "at": at}
            connection.execute(insert(attest).values(values))

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise StoreError("the ledger's database is not open for writing")
        connection: Any = self._writer.connection.driver_connection
        with retold("record"), connection:  # sqlite3's own: commit, or roll back
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._writer is None:
            raise StoreError("the ledger's database is not open for writing")
        with self._writer.begin():
            yield self._writer

    # -- reading: any thread ------------------------------------------------------------------

    def size(self) -> int:
        """How many entries there are."""
        with self._reading() as connection:
            last = connection.scalar(select(entry.c.idx).order_by(entry.c.idx.desc()).limit(1))
        return 0 if last is None else last + 1

    def find(self, keys: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """Index and leaf of those keys that are in the ledger."""
        with self._reading() as connection:
            query = select(entry.c.key, entry.c.idx, entry.c.leaf).where(entry.c.key.in_(keys))
            return {key: (idx, leaf) for key, idx, leaf in connection.execute(query)}

    def leaves(self, start: int, stop: int) -> list[bytes]:
        """The leaves start <= index < stop, as far as there are any."""
        where = (entry.c.idx >= start) & (entry.c.idx < stop)
        with self._reading() as connection:
            return list(connection.scalars(select(entry.c.leaf).where(where).order_by(entry.c.idx)))

    def chain(self, case: str) -> list[tuple[int, bytes]]:
        """Index and leaf of every entry of a case, in the case's order."""
        query = (
            select(entry.c.idx, entry.c.leaf)
            .where(entry.c.case_id == bytes.fromhex(case))
            .order_by(entry.c.case_seq)
        )
        with self._reading() as connection:
            return [(idx, leaf) for idx, leaf in connection.execute(query)]

    def tile(self, level: int, number: int) -> bytes | None:
        """The bytes of a full tile."""
        query = select(tile.c.hashes).where(tile.c.level == level, tile.c.n == number)
        with self._reading() as connection:
            return connection.scalar(query)

    def last_checkpoint(self) -> tuple[int, str] | None:
        """Size and note of the newest published checkpoint."""
        query = select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size.desc())
        with self._reading() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        return None if row is None else (row[0], row[1])

    def timestamped(self, index: int) -> tuple[int, str, bytes] | None:
        """Size, note and token of the first timestamped checkpoint that covers an index."""
        query = (
            select(checkpoint.c.size, checkpoint.c.note, attest.c.body)
            .join(attest, attest.c.size == checkpoint.c.size)
            .where(attest.c.kind == TIMESTAMP, checkpoint.c.size > index)
            .order_by(checkpoint.c.size)
            .limit(1)
        )
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row[0], row[1], row[2])

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with retold("read"), self._engine.connect() as connection:
            yield connection


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=4, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # an acknowledged entry survives a power cut
            "busy_timeout = 5000",
            "cache_size = -16384",
            # Batches touch the same few index pages: copy them home less often than by default.
            "wal_autocheckpoint = 4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _triggers() -> Iterator[str]:
    # REPLACE fires no delete trigger, so a row that stands in the way of an insert is refused too.
    taken = {
        "entry": "NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry) "
        "OR EXISTS (SELECT 1 FROM entry WHERE key = NEW.key) "
        "OR EXISTS (SELECT 1 FROM entry WHERE case_id = NEW.case_id AND case_seq = NEW.case_seq)",
        "tile": "EXISTS (SELECT 1 FROM tile WHERE level = NEW.level AND n = NEW.n)",
        "checkpoint": "NEW.size <= (SELECT max(size) FROM checkpoint)",
        "attest": "EXISTS (SELECT 1 FROM attest "
        "WHERE size = NEW.size AND kind = NEW.kind AND who = NEW.who)",
    }
    for table, condition in taken.items():
        for action, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", f"WHEN {condition} ")):
            yield (
                f"CREATE TRIGGER IF NOT EXISTS {table}_{action.lower()} "
                f"BEFORE {action} ON {table} {when}"
                "BEGIN SELECT RAISE(ABORT, 'the ledger is insert-only'); END"
            )


def _lock(path: Path) -> int:
    """An exclusive lock on `<path>.lock`; two writers of one ledger would fork its history."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"the ledger's folder {path.parent} cannot be used: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise LockedError(
            f"another process writes the ledger {path}; nothing was changed. Stop it first"
        ) from error
    return handle


@contextmanager
def retold(doing: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, IntegrityError) as error:
        raise TakenError(f"the ledger could not {doing}: it holds this already") from error
    except (sqlite3.Error, DBAPIError) as error:
        reason = getattr(error, "orig", error)
        raise StoreError(
            f"the ledger could not {doing}: {reason}. Everything acknowledged is kept; "
            "put the disk right and submit the same event again"
        ) from error
