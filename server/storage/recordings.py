"""Takes, segments and gaps of a session: what the recorder has told."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.evidence import Gap, Segment
from server.storage import models
from server.storage.database import Database


@dataclass(frozen=True, slots=True)
class TakeRow:
    """One take of one participant."""

    participant: str
    take: int
    started_at: int
    ended_at: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment with the event that anchors it, and its object once it was moved there."""

    segment: Segment
    event: str
    object: str | None


class Recordings:
    """Reads what was recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def takes(self, session_id: str) -> tuple[TakeRow, ...]:
        """Takes in the order they began."""
        table = models.take
        query = select(table).where(table.c.session_id == session_id).order_by(table.c.started_at)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(
            TakeRow(r["participant"], r["take"], r["started_at"], r["ended_at"], r["reason"])
            for r in rows
        )

    async def segments(self, session_id: str) -> tuple[SegmentRow, ...]:
        """Segments by participant, take and number."""
        table = models.segment
        order = (table.c.participant, table.c.take, table.c.number)
        query = select(table).where(table.c.session_id == session_id).order_by(*order)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(
            SegmentRow(
                Segment(**{key: row[key] for key in Segment.__dataclass_fields__}),
                row["event"],
                row["object"],
            )
            for row in rows
        )

    async def count(self, session_id: str) -> int:
        """How many segments a session has."""
        table = models.segment
        query = select(func.count()).select_from(table).where(table.c.session_id == session_id)
        async with self._database.read() as connection:
            return await connection.scalar(query) or 0

    async def last_heard(self, session_id: str) -> int | None:
        """When the newest segment ended (ms UTC)."""
        table = models.segment
        query = select(func.max(table.c.end_at)).where(table.c.session_id == session_id)
        async with self._database.read() as connection:
            last: int | None = await connection.scalar(query)
        return last

    async def gaps(self, session_id: str) -> tuple[Gap, ...]:
        """Gaps in the order they began."""
        table = models.gap
        query = select(table).where(table.c.session_id == session_id).order_by(table.c.start_at)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(
            Gap(
                session_id=row["session_id"],
                participant=row["participant"],
                take=row["take"],
                kind=row["kind"],
                start_at=row["start_at"],
                end_at=row["end_at"],
                detail=json.loads(row["detail"]),
            )
            for row in rows
        )

    async def kept(
        self, session_id: str, participant: str, take: int, moved: dict[int, str]
    ) -> None:
        """Segments, by number, now lie in the object store under these names."""
        table = models.segment
        async with self._database.write() as connection:
            for number, name in moved.items():
                await connection.execute(
                    update(table)
                    .where(
                        table.c.session_id == session_id,
                        table.c.participant == participant,
                        table.c.take == take,
                        table.c.number == number,
                    )
                    .values(object=name)
                )


async def knows_segment(connection: AsyncConnection, segment: Segment) -> bool:
    """Whether this segment was told before (a recorder may tell one again after a crash)."""
    table = models.segment
    row = await connection.execute(
        select(table.c.number).where(
            table.c.session_id == segment.session_id,
            table.c.participant == segment.participant,
            table.c.take == segment.take,
            table.c.number == segment.number,
        )
    )
    return row.first() is not None


async def add_segment(connection: AsyncConnection, segment: Segment, *, event: str) -> None:
    """Write a segment within a transaction."""
    await connection.execute(insert(models.segment).values(**asdict(segment), event=event))


async def add_gap(connection: AsyncConnection, gap: Gap, *, event: str) -> None:
    """Write a gap within a transaction."""
    row = asdict(gap) | {"detail": json.dumps(dict(gap.detail)), "event": event}
    await connection.execute(insert(models.gap).values(**row))


async def begin_take(
    connection: AsyncConnection, session_id: str, *, participant: str, take: int, at: int
) -> bool:
    """Write a take; `False` if it is known."""
    table = models.take
    known = await connection.execute(
        select(table.c.take).where(
            table.c.session_id == session_id,
            table.c.participant == participant,
            table.c.take == take,
        )
    )
    if known.first() is not None:
        return False
    await connection.execute(
        insert(table).values(
            session_id=session_id, participant=participant, take=take, started_at=at
        )
    )
    return True


async def end_take(
    connection: AsyncConnection,
    session_id: str,
    *,
    participant: str,
    take: int,
    at: int,
    reason: str,
) -> None:
    """Write the end of a take, once."""
    table = models.take
    await connection.execute(
        update(table)
        .where(
            table.c.session_id == session_id,
            table.c.participant == participant,
            table.c.take == take,
            table.c.ended_at.is_(None),
        )
        .values(ended_at=at, reason=reason)
    )
