"""Where a ledger is written anew: beside the damaged one, whose place it then takes at once.

    a file          ledger.db.new   -> one rename; the damaged one stays as ledger.db.damaged-1
    in PostgreSQL   another schema  -> one transaction (`ledger.beside_postgres`)

Nobody else writes the ledger meanwhile, and what an earlier run left of its draft is thrown away.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.errors import DamageError, NotFoundError
from ledger.lock import hold
from ledger.sqlite import SqliteStore
from ledger.store import Store


class Draft(Protocol):
    """An empty ledger beside a damaged one."""

    @property
    def ledger(self) -> Path | str:
        """The draft, as `Snapshot.of` takes it."""
        ...

    def store(self) -> Store:
        """Opens to write the draft; close it again."""
        ...

    def swap(self) -> str:
        """Put the draft in the damaged ledger's place; where that one is kept. StoreError, OSError.

        Either it happens as a whole or not at all.
        """
        ...


def draft_beside(ledger: Path | str) -> AbstractContextManager[Draft]:
    """An empty draft beside a SQLite file, or beside the tables in PostgreSQL at a URL.

    Raises LockedError while a server runs, NotFoundError, StoreError, DamageError.
    """
    if isinstance(ledger, Path):
        return _beside_file(ledger)
    from ledger.beside_postgres import beside_tables  # whoever keeps a file needs no driver

    return beside_tables(ledger)


@contextmanager
def _beside_file(database: Path) -> Iterator[Draft]:
    with hold(database):
        fresh = database.with_name(database.name + ".new")
        _remove(fresh)
        _finish_log(database)
        yield FileDraft(database, fresh)


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A SQLite file beside another."""

    database: Path
    ledger: Path

    def store(self) -> Store:
        return SqliteStore(self.ledger)

    def swap(self) -> str:
        """One rename; the damaged file has two names by then."""
        database, fresh = self.database, self.ledger
        _finish_log(fresh)
        for end in ("-wal", "-shm"):  # empty: `_finish_log` has seen to it
            database.with_name(database.name + end).unlink(missing_ok=True)
        number = 1
        while (kept := database.with_name(f"{database.name}.damaged-{number}")).exists():
            number += 1
        os.link(database, kept)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(database)
        folder = os.open(database.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        _remove(fresh)
        return str(kept)


def _finish_log(database: Path) -> None:
    """Copy SQLite's write-ahead log home and empty it: it would be replayed onto the new file."""
    if not database.is_file():
        raise NotFoundError(f"there is no ledger at {database}")
    try:
        with closing(sqlite3.connect(database)) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise DamageError(
            f"SQLite cannot read {database} ({error}); nothing was changed. Restore a backup that "
            "reaches the guard"
        ) from error
    if busy:
        raise DamageError(f"another program reads {database}; nothing was changed")


def _remove(fresh: Path) -> None:
    """Remove what an earlier run left of its draft, and its side files."""
    for end in ("", "-wal", "-shm", ".lock"):
        fresh.with_name(fresh.name + end).unlink(missing_ok=True)
