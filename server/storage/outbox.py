"""The events waiting for the ledger, in the order they were written, and their anchors."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import models
from server.storage.database import Database

_E = models.event


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event as written. `body` is the leaf's body (JSON); `index` is `None` until anchored."""

    seq: int
    id: str
    case_id: str
    session_id: str | None
    chain: str
    kind: str
    at: int
    body: str
    private: bytes
    index: int | None
    leaf_hash: str | None


@dataclass(frozen=True, slots=True)
class AnchorState:
    """Newest anchored entry of a case or session, and how many events still wait."""

    index: int | None
    leaf_hash: str | None
    pending: int


class Outbox:
    """Reads events, and marks them anchored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, *, limit: int) -> tuple[WrittenEvent, ...]:
        """The oldest events not yet anchored."""
        query = select(_E).where(_E.c.anchored_at.is_(None)).order_by(_E.c.seq).limit(limit)
        return await self._read(query)

    async def mark(self, anchors: Sequence[tuple[int, int, str]], *, at: int) -> None:
        """Events, by seq, are anchored at (index, leaf hash)."""
        async with self._database.write() as connection:
            for seq, index, leaf_hash in anchors:
                await connection.execute(
                    update(_E)
                    .where(_E.c.seq == seq, _E.c.anchored_at.is_(None))
                    .values(anchor_index=index, leaf_hash=leaf_hash, anchored_at=at)
                )

    async def of_case(self, case_id: str) -> tuple[WrittenEvent, ...]:
        """Every event of a case, in order."""
        return await self._read(select(_E).where(_E.c.case_id == case_id).order_by(_E.c.seq))

    async def of_session(self, session_id: str) -> tuple[WrittenEvent, ...]:
        """Every event of a session, in order."""
        return await self._read(select(_E).where(_E.c.session_id == session_id).order_by(_E.c.seq))

    async def anchored(self, session_id: str, *, after: int) -> tuple[WrittenEvent, ...]:
        """The events of a session anchored at indexes beyond `after`, in the ledger's order."""
        query = select(_E).where(
            _E.c.session_id == session_id,
            _E.c.anchored_at.is_not(None),
            _E.c.anchor_index > after,
        )
        return await self._read(query.order_by(_E.c.anchor_index))

    async def event(self, event_id: str) -> WrittenEvent | None:
        """One event by its id."""
        found = await self._read(select(_E).where(_E.c.id == event_id))
        return found[0] if found else None

    async def indexes(self, events: Sequence[str]) -> dict[str, int]:
        """The ledger index of each of these events that is anchored."""
        query = select(_E.c.id, _E.c.anchor_index).where(
            _E.c.id.in_(events), _E.c.anchored_at.is_not(None)
        )
        async with self._database.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def state(
        self, *, case_id: str | None = None, session_id: str | None = None
    ) -> AnchorState:
        """How far the ledger is with a case or a session."""
        async with self._database.read() as connection:
            return await anchor_state(connection, case_id=case_id, session_id=session_id)

    async def _read(self, query: object) -> tuple[WrittenEvent, ...]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()  # type: ignore[call-overload]
        return tuple(
            WrittenEvent(
                seq=row["seq"],
                id=row["id"],
                case_id=row["case_id"],
                session_id=row["session_id"],
                chain=row["chain"],
                kind=row["kind"],
                at=row["at"],
                body=row["body"],
                private=row["private"],
                index=row["anchor_index"],
                leaf_hash=row["leaf_hash"],
            )
            for row in rows
        )


async def events_of_session(connection: AsyncConnection, session_id: str) -> tuple[str, ...]:
    """The ids of every event of a session, within a transaction: what its seal has to cover."""
    query = select(_E.c.id).where(_E.c.session_id == session_id).order_by(_E.c.seq)
    return tuple((await connection.scalars(query)).all())


async def anchor_state(
    connection: AsyncConnection, *, case_id: str | None = None, session_id: str | None = None
) -> AnchorState:
    """As `Outbox.state`, within a transaction: what the guard of approval asks."""
    of = _E.c.session_id == session_id if session_id is not None else _E.c.case_id == case_id
    pending = await connection.scalar(
        select(func.count()).select_from(_E).where(of, _E.c.anchored_at.is_(None))
    )
    newest = (
        await connection.execute(
            select(_E.c.anchor_index, _E.c.leaf_hash)
            .where(of, _E.c.anchored_at.is_not(None))
            .order_by(_E.c.seq.desc())
            .limit(1)
        )
    ).first()
    return AnchorState(
        index=newest[0] if newest else None,
        leaf_hash=newest[1] if newest else None,
        pending=pending or 0,
    )
