"""A ledger in one SQLite file: a lock beside it, WAL, and triggers that make it insert-only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, func

from ledger.errors import DamageError, StoreError
from ledger.lock import take
from ledger.merkle import FullTile
from ledger.store import SCHEMA, Row, Store, entry, retold

GROUPS = (512, 32, 1)
"""How many entries go into one statement: after each, the writer waits for its turn among Python's
threads, up to 5 ms."""

WAL_FRAME = 24 + 4096
"""Bytes of one page in the write-ahead log, with its header."""
WAL_PAGES = 1000
"""How many go into it before they are copied home; then it begins again at its front."""
WAL_ROOM = (WAL_PAGES + 100) * WAL_FRAME
"""What is laid out of it beforehand: a commit's pages may come on top of the last that fit."""
PLENTY = 16
"""How many times as much must be free before anything is laid out."""

# What the sequencer does for every batch, as the driver takes it: through Core it costs as much
# again as SQLite's own work, and the disk waits. OR ROLLBACK spares SQLite a journal for each
# statement: a batch is recorded as a whole or not at all.
_ADD_ENTRY = "INSERT OR ROLLBACK INTO entry VALUES (?, ?, ?, ?)"
_ADD_ENTRIES = [(count, _ADD_ENTRY + ", (?, ?, ?, ?)" * (count - 1)) for count in GROUPS]
_ADD_TILE = "INSERT OR ROLLBACK INTO tile VALUES (?, ?, ?)"
_HEAD = "SELECT idx, leaf FROM entry WHERE idx = (SELECT max(idx) FROM head WHERE case_id = ?)"


class SqliteStore(Store):
    """A ledger in one SQLite file (with its -wal and -shm beside it)."""

    def __init__(self, path: Path) -> None:
        super().__init__(_engine(path))
        self.path = path
        self._lock: int | None = None

    # -- life ---------------------------------------------------------------------------------

    def open(self) -> None:
        self._close_writer()
        if self._lock is None:
            self._lock = take(self.path)
        with retold("open the ledger's database"):
            self._writer = self._engine.connect()
            self._require_columns(self._writer)
            SCHEMA.create_all(self._writer)
            for statement in _triggers():
                self._writer.exec_driver_sql(statement)
            _lay_out(Path(f"{self.path.resolve()}-wal"))
            verdict = self._writer.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            self._writer.commit()
        if verdict != "ok":
            raise DamageError(
                f"the database {self.path} is damaged ({verdict}); nothing was written. Run "
                "`farseal ledger fsck`, then restore it from a copy no older than the guard"
            )

    def _require_columns(self, connection: Connection) -> None:
        names = [row.name for row in connection.exec_driver_sql("PRAGMA table_info(entry)")]
        if names not in ([], entry.columns.keys()):
            raise DamageError(
                f"the database {self.path} was written by a version of this program that was "
                "never released; nothing was changed. Put it aside and start with an empty folder"
            )

    def close(self) -> None:
        super().close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- writing: one thread ------------------------------------------------------------------

    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        with self._driver() as connection:
            at = 0
            for count, statement in _ADD_ENTRIES:
                while len(rows) - at >= count:
                    group = chain.from_iterable(rows[at : at + count])
                    connection.execute(statement, tuple(group))
                    at += count
            if tiles:
                connection.executemany(_ADD_TILE, [(t.level, t.number, t.hashes) for t in tiles])

    def heads(self, cases: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        with self._driver() as connection:
            rows = ((c, connection.execute(_HEAD, (bytes.fromhex(c),)).fetchone()) for c in cases)
            return {case: row for case, row in rows if row is not None}

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise StoreError("the ledger's database is not open for writing")
        connection: Any = self._writer.connection.driver_connection
        refused = retold("record", taken=sqlite3.IntegrityError, failed=sqlite3.Error)
        with refused, connection:  # sqlite3's own: commit, or roll back
            yield connection

    @staticmethod
    def _holds(leaf: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        return func.instr(leaf, part) > 0


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=4, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # an acknowledged entry survives a power cut
            "busy_timeout = 5000",
            "cache_size = -16384",
            f"wal_autocheckpoint = {WAL_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _lay_out(log: Path) -> None:
    """Fill the write-ahead log up with zeros, so that no commit waits until the file has grown.

    A commit that only overwrites takes one write to the disk; one that grows the file has the file
    system write its own books as well. SQLite reads no frame in zeros, for no page is numbered 0.
    Nothing but speed hangs on it: where there is little room, or none, it is left as it is.
    """
    with suppress(OSError):
        disk = os.statvfs(log.parent)
        file = os.open(log, os.O_WRONLY | os.O_APPEND)
        try:
            lacking = WAL_ROOM - os.fstat(file).st_size
            if 0 < lacking * PLENTY < disk.f_bavail * disk.f_frsize:
                os.write(file, bytes(lacking))
                os.fdatasync(file)
        finally:
            os.close(file)  # SQLite has its locks on the two files beside it, not on this one


def _triggers() -> Iterator[str]:
    # REPLACE fires no delete trigger, so a row that stands in the way of an insert is refused too.
    taken = {
        "entry": "NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry) "
        "OR EXISTS (SELECT 1 FROM entry WHERE event_key = NEW.event_key)",
        "tile": "EXISTS (SELECT 1 FROM tile WHERE level = NEW.level AND n = NEW.n)",
        "checkpoint": "NEW.size <= (SELECT max(size) FROM checkpoint)",
        "head": "EXISTS (SELECT 1 FROM head WHERE case_id = NEW.case_id AND idx >= NEW.idx)",
        "attest": "EXISTS (SELECT 1 FROM attest "
        "WHERE size = NEW.size AND kind = NEW.kind AND who = NEW.who)",
    }
    for table, condition in taken.items():
        for action, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", f"WHEN {condition} ")):
            yield (
                f"CREATE TRIGGER IF NOT EXISTS {table}_{action.lower()} "
                f"BEFORE {action} ON {table} {when}"
                "BEGIN SELECT RAISE(ROLLBACK, 'the ledger is insert-only'); END"
            )
