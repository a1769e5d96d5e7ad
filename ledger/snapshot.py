"""One moment of a ledger's database, read and never written: for checks beside a running log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, func, inspect, select

from ledger.errors import NotFoundError
from ledger.store import checkpoint, entry, head, retold, tile

CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it is stored."""

    idx: int
    event_key: bytes
    case_before: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is in the tables at one moment. Raises StoreError when it cannot be read."""

    connection: Connection

    @classmethod
    @contextmanager
    def of(cls, ledger: Path | str) -> Iterator[Snapshot]:
        """Open a ledger's SQLite file, or the PostgreSQL database at a URL.

        Raises NotFoundError when there is none.
        """
        engine, begin = _file(ledger) if isinstance(ledger, Path) else _address(ledger)
        try:
            with retold("read"), engine.connect() as connection:
                connection.exec_driver_sql(begin)
                if isinstance(ledger, str) and not inspect(connection).has_table(entry.name):
                    raise NotFoundError("there are no ledger's tables in this database")
                yield cls(connection)
        finally:
            engine.dispose()

    def verdict(self) -> str:
        """What SQLite says of its own pages: "ok". PostgreSQL has no such word, but checksums."""
        if self.connection.dialect.name != "sqlite":
            return "ok"
        with retold("read"):
            return str(self.connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())

    def unguarded(self) -> tuple[str, ...]:
        """Triggers in PostgreSQL that should refuse changes and are off. SQLite's are made anew."""
        if self.connection.dialect.name == "sqlite":
            return ()
        from ledger.postgres import triggers_off

        with retold("read"):
            return triggers_off(self.connection)

    def size(self) -> int:
        return int(self._rows(select(func.count()).select_from(entry))[0][0])

    def tiles(self) -> int:
        return int(self._rows(select(func.count()).select_from(tile))[0][0])

    def heads(self) -> int:
        return int(self._rows(select(func.count()).select_from(head))[0][0])

    def is_head(self, case: str, index: int) -> bool:
        """Whether an entry is filed as the newest of its case at a checkpoint."""
        same = (head.c.case_id == bytes.fromhex(case)) & (head.c.idx == index)
        return bool(self._rows(select(head.c.idx).where(same)))

    def entries(self) -> Iterator[Row]:
        """Every entry in order."""
        start = -1
        while True:
            query = select(*entry.columns).where(entry.c.idx > start).order_by(entry.c.idx)
            rows = [Row(*row) for row in self._rows(query.limit(CHUNK))]
            if not rows:
                return
            yield from rows
            start = rows[-1].idx

    def rows(self, start: int, stop: int) -> Sequence[Row]:
        """The entries start <= index < stop, as far as there are any."""
        where = (entry.c.idx >= start) & (entry.c.idx < stop)
        query = select(*entry.columns).where(where).order_by(entry.c.idx)
        return [Row(*row) for row in self._rows(query)]

    def tile(self, level: int, number: int) -> bytes | None:
        query = select(tile.c.hashes).where(tile.c.level == level, tile.c.n == number)
        return next((hashes for (hashes,) in self._rows(query)), None)

    def checkpoints(self) -> list[tuple[int, str]]:
        """Size and note of every checkpoint, smallest first."""
        query = select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size)
        return [(size, note) for size, note in self._rows(query)]

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with retold("read"):
            return self.connection.execute(query).all()


def _file(path: Path) -> tuple[Engine, str]:
    if not path.is_file():
        raise NotFoundError(f"there is no ledger at {path}")
    # A medium that cannot be written holds no -shm, without which WAL is not read.
    frozen = "" if os.access(path.parent, os.W_OK) else "&immutable=1"
    return create_engine(f"sqlite:///file:{path.absolute()}?mode=ro{frozen}&uri=true"), "BEGIN"


def _address(url: str) -> tuple[Engine, str]:
    from ledger.postgres import engine  # whoever keeps a file needs no driver for a server

    return engine(url), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
