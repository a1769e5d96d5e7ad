"""Media processes and the sessions in them: what an operator and the next start can read.

The fence itself is in memory (`server.media.placement`): one process alone writes facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import delete, insert, select, update

from server.storage import models
from server.storage.database import Database

_W, _P = models.media_worker, models.placement


class Enlisted(Protocol):
    """A process as it stands: `server.media.placement.Enlisted`."""

    @property
    def id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def sessions(self) -> int: ...
    @property
    def lag_ms(self) -> int: ...
    @property
    def ready(self) -> bool: ...


class Placements:
    """`server.media.placement.Book` in the database. Raises OSError (ENOSPC) when it writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, workers: Sequence[Enlisted], *, at: int) -> None:
        """These processes stand so now; a name that is not among them has no process."""
        async with self._database.write() as connection:
            await connection.execute(update(_W).values(ready=False))
            for each in workers:
                values = {
                    "pid": each.pid,
                    "epoch": each.epoch,
                    "capacity": each.capacity,
                    "sessions": each.sessions,
                    "lag_ms": each.lag_ms,
                    "ready": each.ready,
                }
                if each.ready:
                    values["heartbeat_at"] = at
                known = update(_W).where(_W.c.id == each.id)
                if not (await connection.execute(known.values(**values))).rowcount:
                    values["heartbeat_at"] = at
                    await connection.execute(insert(_W).values(id=each.id, **values))

    async def worker_epoch(self, worker: str) -> int:
        """The newest epoch of a process's name; 0 when it never was."""
        async with self._database.read() as connection:
            return await connection.scalar(select(_W.c.epoch).where(_W.c.id == worker)) or 0

    async def epoch(self, session: str) -> int:
        """A session's newest epoch; 0 when it is in no process."""
        query = select(_P.c.epoch).where(_P.c.session_id == session)
        async with self._database.read() as connection:
            return await connection.scalar(query) or 0

    async def place(self, session: str, *, worker: str, epoch: int, at: int) -> None:
        """A session is in this process from now on."""
        values = {"worker": worker, "epoch": epoch, "at": at}
        async with self._database.write() as connection:
            known = update(_P).where(_P.c.session_id == session)
            if not (await connection.execute(known.values(**values))).rowcount:
                await connection.execute(insert(_P).values(session_id=session, **values))

    async def forget(self, session: str) -> None:
        """A session is over."""
        async with self._database.write() as connection:
            await connection.execute(delete(_P).where(_P.c.session_id == session))
