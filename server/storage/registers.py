"""Certificate numbers (gapless), the one signed file of an intent, its bundle, and codes.

A number is allocated in the transaction that approves, so a failed approval leaves no hole; the
serial is the count of its office, year and class, and the writer is alone. Numbers are never given
back: one that cannot be used is recorded as void.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import models
from server.storage.database import Database

_N = models.number


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A number of the register. State: allocated, issued, void, revoked."""

    office: str
    year: int
    number_class: str
    serial: int
    text: str
    status_index: int
    case_id: str
    intent: str
    state: str
    allocated_at: int
    facts: bytes


@dataclass(frozen=True, slots=True)
class FileRow:
    """A stored file of an intent."""

    intent: str
    object: str
    sha256: str
    at: int


class Registers:
    """Reads the register."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_number(self, text: str) -> NumberRow | None:
        """The row of a printed number."""
        return await self._one(_N.c.text == text)

    async def by_code(self, code_sha256: str) -> NumberRow | None:
        """The row of a code's digest."""
        return await self._one(_N.c.code_sha256 == code_sha256)

    async def by_intent(self, intent: str) -> NumberRow | None:
        """The row of an intent."""
        return await self._one(_N.c.intent == intent)

    async def by_pdf(self, sha256: str) -> NumberRow | None:
        """The row whose signed PDF has this digest."""
        async with self._database.read() as connection:
            table = models.certificate_file
            intent = await connection.scalar(select(table.c.intent).where(table.c.sha256 == sha256))
        return await self.by_intent(intent) if intent else None

    async def by_share(self, code_sha256: str) -> NumberRow | None:
        """The row of the certificate a share code opens, unless the share was taken back."""
        table = models.share
        query = select(table.c.case_id).where(
            table.c.code_sha256 == code_sha256, table.c.revoked_at.is_(None)
        )
        async with self._database.read() as connection:
            case_id = await connection.scalar(query)
        return await self._one(_N.c.case_id == case_id) if case_id else None

    async def all(self) -> tuple[NumberRow, ...]:
        """Every number, in the order of its status index."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(_N).order_by(_N.c.status_index))).mappings()
            return tuple(_row(row) for row in rows)

    async def certificate(self, intent: str) -> FileRow | None:
        """The signed PDF of an intent, if it is stored."""
        return await self._file(models.certificate_file, intent)

    async def bundle(self, intent: str) -> FileRow | None:
        """The bundle of an intent, if it is stored."""
        return await self._file(models.bundle_file, intent)

    async def keep_certificate(self, row: FileRow) -> FileRow:
        """Store the signed PDF of an intent; if there is one already, that one stands."""
        return await self._keep(models.certificate_file, row)

    async def keep_bundle(self, row: FileRow) -> FileRow:
        """Store the bundle of an intent; if there is one already, that one stands."""
        return await self._keep(models.bundle_file, row)

    async def share(self, case_id: str, *, code_sha256: str, at: int) -> None:
        """A code the applicant gave to somebody."""
        async with self._database.write() as connection:
            await connection.execute(
                insert(models.share).values(case_id=case_id, code_sha256=code_sha256, at=at)
            )

    async def _one(self, where: Any) -> NumberRow | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(_N).where(where))).mappings().first()
        return _row(row) if row else None

    async def _file(self, table: Table, intent: str) -> FileRow | None:
        async with self._database.read() as connection:
            query = select(table).where(table.c.intent == intent)
            row = (await connection.execute(query)).mappings().first()
        return FileRow(row["intent"], row["object"], row["sha256"], row["at"]) if row else None

    async def _keep(self, table: Table, row: FileRow) -> FileRow:
        async with self._database.write() as connection:
            query = select(table).where(table.c.intent == row.intent)
            found = (await connection.execute(query)).mappings().first()
            if found is not None:
                return FileRow(found["intent"], found["object"], found["sha256"], found["at"])
            await connection.execute(
                insert(table).values(
                    intent=row.intent, object=row.object, sha256=row.sha256, at=row.at
                )
            )
        return row


async def next_serial(
    connection: AsyncConnection, *, office: str, year: int, number_class: str
) -> int:
    """The serial that follows the highest of an office, year and class, within a transaction."""
    highest = await connection.scalar(
        select(func.max(_N.c.serial)).where(
            _N.c.office == office, _N.c.year == year, _N.c.number_class == number_class
        )
    )
    return (highest or 0) + 1


async def next_status_index(connection: AsyncConnection) -> int:
    """The status index that follows the highest, within a transaction."""
    highest = await connection.scalar(select(func.max(_N.c.status_index)))
    return 0 if highest is None else highest + 1


async def allocate(connection: AsyncConnection, row: NumberRow, *, code_sha256: str) -> None:
    """Write a number within the transaction that approves."""
    await connection.execute(
        insert(_N).values(
            office=row.office,
            year=row.year,
            number_class=row.number_class,
            serial=row.serial,
            text=row.text,
            status_index=row.status_index,
            case_id=row.case_id,
            intent=row.intent,
            code_sha256=code_sha256,
            state=row.state,
            allocated_at=row.allocated_at,
            facts=row.facts,
        )
    )


async def set_state(connection: AsyncConnection, intent: str, state: str) -> None:
    """The number of an intent is issued, void or revoked now."""
    await connection.execute(update(_N).where(_N.c.intent == intent).values(state=state))


def _row(row: Mapping[Any, Any]) -> NumberRow:
    return NumberRow(
        office=row["office"],
        year=row["year"],
        number_class=row["number_class"],
        serial=row["serial"],
        text=row["text"],
        status_index=row["status_index"],
        case_id=row["case_id"],
        intent=row["intent"],
        state=row["state"],
        allocated_at=row["allocated_at"],
        facts=row["facts"],
    )
