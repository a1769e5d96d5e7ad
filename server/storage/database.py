"""The database: one writer at a time, many readers, SQLite with WAL and synchronous=FULL.

A write takes the database's write lock at its beginning (BEGIN IMMEDIATE), so it never fails half
way for having read something old; writers of this process queue in asyncio, not in SQLite.
"""

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Owned by the composition root: `open` before use, `close` at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._reader = _engine(path, begin="BEGIN", pool_size=4)
        self._listeners: list[Callable[[], None]] = []

    async def open(self) -> None:
        """Bring the tables to the newest form (synchronously: it happens once, at start)."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        migrate(self._path)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    async def scour(self) -> None:
        """Write the file anew without what was deleted; nothing of it is left in the file.

        Raises OSError while another program keeps the file from being written anew.
        """
        await asyncio.to_thread(_scour, self._path)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every committed write (the journal waits for events so)."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that may change things: all of it is committed, or nothing.

        Raises OSError (ENOSPC) when the disk is full.
        """
        try:
            async with self._writer.begin() as connection:
                yield connection
        except OperationalError as error:
            if "disk is full" in str(error.orig):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        for listener in self._listeners:
            listener()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view of what is committed."""
        async with self._reader.connect() as connection:
            yield connection


def migrate(path: Path, *, to: str = "head") -> None:
    """Run the migrations of the file at `path` up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    command.upgrade(config, to)


def _scour(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise OSError(errno.EBUSY, f"{path.name} could not be written anew: {error}") from error
    finally:
        connection.close()
    if busy:
        raise OSError(errno.EBUSY, f"another program reads {path.name}")


def _engine(path: Path, *, begin: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", pool_size=pool_size, max_overflow=0, pool_timeout=60
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy says BEGIN itself, below
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
