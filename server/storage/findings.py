"""What the identity room found in a session: readings, comparisons, hints, registry, pictures."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.errors import DomainError
from server.storage import models
from server.storage.database import Database
from server.storage.vault import Vault

_F = models.finding


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding. Sort: reading, comparison, hint, registry, picture. `body` is plain values."""

    id: str
    session_id: str
    case_id: str
    sort: str
    at: int
    body: dict[str, Any]


class Findings:
    """Bodies are ciphertext under the case's evidence key."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def add(self, connection: AsyncConnection, row: FindingRow) -> None:
        """Write a finding within a transaction."""
        plain = json.dumps(row.body, ensure_ascii=False).encode()
        await connection.execute(
            insert(_F).values(
                id=row.id,
                session_id=row.session_id,
                case_id=row.case_id,
                sort=row.sort,
                at=row.at,
                body=self._vault.cipher(row.case_id).encrypt(plain, f"finding/{row.id}"),
            )
        )

    async def of_session(self, session_id: str) -> tuple[FindingRow, ...]:
        """Everything found in a session, in time."""
        return await self._read(select(_F).where(_F.c.session_id == session_id).order_by(_F.c.at))

    async def picture(self, session_id: str, picture_id: str) -> FindingRow:
        """One picture; refuses `picture-unknown`."""
        query = select(_F).where(
            _F.c.id == picture_id, _F.c.session_id == session_id, _F.c.sort == "picture"
        )
        found = await self._read(query)
        if not found:
            raise DomainError("picture-unknown")
        return found[0]

    async def _read(self, query: Any) -> tuple[FindingRow, ...]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(
            FindingRow(
                id=row["id"],
                session_id=row["session_id"],
                case_id=row["case_id"],
                sort=row["sort"],
                at=row["at"],
                body=json.loads(
                    self._vault.cipher(row["case_id"]).decrypt(row["body"], f"finding/{row['id']}")
                ),
            )
            for row in rows
        )
