"""What a witness remembers, in one SQLite file: a row for each log, and contradictions.

    cosigned(origin PK, origin_hash, size, root, time, note)   the largest tree cosigned
    evidence(id PK, origin, body)                              requests that contradict it

The table itself refuses to lose a row, to shrink a tree or to change a root. A replacement is
durable when it returns, and of two at once, in one process or in two, one wins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from ledger.errors import DamageError, StoreError
from ledger.witness import Row, origin_hash

MOST_EVIDENCE = 100
"""Kept for each log; the first ones prove as much as any later."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, origin_hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    root BLOB NOT NULL, time INTEGER NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (origin, body)
) STRICT;
CREATE TRIGGER IF NOT EXISTS cosigned_stays BEFORE DELETE ON cosigned
BEGIN SELECT RAISE(ROLLBACK, 'a witness does not forget'); END;
CREATE TRIGGER IF NOT EXISTS cosigned_grows BEFORE UPDATE ON cosigned
WHEN NEW.origin != OLD.origin OR NEW.size < OLD.size
  OR (NEW.size = OLD.size AND NEW.root != OLD.root)
BEGIN SELECT RAISE(ROLLBACK, 'a log only grows'); END;
CREATE TRIGGER IF NOT EXISTS cosigned_once BEFORE INSERT ON cosigned
WHEN EXISTS (SELECT 1 FROM cosigned WHERE origin = NEW.origin)
BEGIN SELECT RAISE(ROLLBACK, 'this log has a row'); END;
"""


class WitnessStore:
    """The rows of one witness. Usable from any thread; raises StoreError."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open the file; without `create` it must be there. Raises DamageError, StoreError."""
        if not create and not path.is_file():
            raise DamageError(
                f"the witness's memory {path} is missing, though it has keys: without it, it could "
                "vouch for a second history. Put the file back. If it is lost for good, retire "
                "this witness: begin another, with new keys, in an empty folder"
            )
        self._lock = Lock()
        with _retold():
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_SCHEMA)
            (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise DamageError(f"the witness's memory {path} is damaged ({verdict})")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def read(self, origin: str) -> Row | None:
        return self._row("origin", origin)

    def by_hash(self, origin_hash: str) -> Row | None:
        return self._row("origin_hash", origin_hash)

    def _row(self, column: str, value: str) -> Row | None:
        query = f"SELECT size, root, time, note FROM cosigned WHERE {column} = ?"  # noqa: S608
        with self._lock, _retold():
            row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else Row(*row)

    def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
        """Put `after` in the place of `before`, durably; False, and nothing done, if it moved."""
        values = (after.size, after.root, after.time, after.note)
        with self._lock, _retold(), self._transaction():
            if before is None:
                done = self._connection.execute(
                    "INSERT INTO cosigned (size, root, time, note, origin, origin_hash) "
                    "SELECT ?, ?, ?, ?, ?, ? "
                    "WHERE NOT EXISTS (SELECT 1 FROM cosigned WHERE origin = ?)",
                    (*values, origin, origin_hash(origin), origin),
                )
            else:
                done = self._connection.execute(
                    "UPDATE cosigned SET size = ?, root = ?, time = ?, note = ? "
                    "WHERE origin = ? AND size = ? AND root = ? AND time <= ?",
                    (*values, origin, before.size, before.root, after.time),
                )
        return done.rowcount == 1

    def keep_evidence(self, origin: str, body: bytes) -> None:
        """Keep a contradicting request, once, and no more than there is room for."""
        with self._lock, _retold(), self._transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO evidence (origin, body) SELECT ?, ? "
                "WHERE (SELECT count(*) FROM evidence WHERE origin = ?) < ?",
                (origin, body, origin, MOST_EVIDENCE),
            )

    def evidence(self, origin: str) -> list[bytes]:
        """The contradicting requests, oldest first."""
        query = "SELECT body FROM evidence WHERE origin = ? ORDER BY id"
        with self._lock, _retold():
            return [body for (body,) in self._connection.execute(query, (origin,))]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def _retold() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"the witness could not record: {error}. Nothing was cosigned; put the disk right"
        ) from error
