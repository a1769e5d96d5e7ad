"""Erasures: decided, then done step by step, and never half done for good.

A row is the decision. It is committed before the key is destroyed, holds all that must still be
known afterwards (encrypted under the case's register key), and is finished when nothing is left to
do. So a process that dies anywhere between finds the row and goes on.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.case import Case
from server.domain.events import ERASED
from server.storage import models
from server.storage.cipher import Cipher
from server.storage.codec import decode, encode
from server.storage.database import Database
from server.storage.vault import Vault

_T = models.erasure


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure is about: why, and the sessions that go with it."""

    case_id: str
    event: str
    at: int
    reason: str
    before_term: str | None
    sessions: tuple[str, ...]


def husk_label(case_id: str) -> str:
    """What a husk's ciphertext is bound to."""
    return f"husk/{case_id}"


def read_husk(case_id: str, blob: bytes, *, cipher: Cipher) -> Case:
    """The husk of an erased case; `cipher` is of its register key."""
    return decode(Case, cipher.decrypt(blob, husk_label(case_id)))


class Erasures:
    """The rows, and what is swept when one is finished."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def decide(self, connection: AsyncConnection, plan: Plan, *, husk: Case) -> None:
        """Write the decision within the transaction that checked its guards."""
        cipher = self._vault.cipher(plan.case_id, "register")
        told = {
            "reason": plan.reason,
            "before_term": plan.before_term,
            "sessions": plan.sessions,
        }
        await connection.execute(
            insert(_T).values(
                case_id=plan.case_id,
                event=plan.event,
                at=plan.at,
                husk=cipher.encrypt(encode(husk), husk_label(plan.case_id)),
                plan=cipher.encrypt(json.dumps(told).encode(), f"erasure/{plan.case_id}"),
            )
        )

    async def unfinished(self) -> tuple[Plan, ...]:
        """What was decided and is not done, oldest first.

        Also what was done while a restored backup of the vault has the key again.
        """
        async with self._database.read() as connection:
            rows = (await connection.execute(select(_T).order_by(_T.c.at))).mappings().all()
        return tuple(
            self._plan(row)
            for row in rows
            if row["finished_at"] is None or self._vault.destroyed_at(row["case_id"]) is None
        )

    async def of(self, case_id: str) -> Plan | None:
        """The erasure of a case, decided or done."""
        async with self._database.read() as connection:
            query = select(_T).where(_T.c.case_id == case_id)
            row = (await connection.execute(query)).mappings().first()
        return self._plan(row) if row is not None else None

    async def told(self, plan: Plan) -> bool:
        """Whether the `erased` event is written."""
        query = select(models.event.c.id).where(models.event.c.id == plan.event)
        async with self._database.read() as connection:
            return await connection.scalar(query) is not None

    async def sweep(self, connection: AsyncConnection, plan: Plan) -> None:
        """Drop what the destroyed key can no longer open, and every digest of the plaintext.

        What happened stays, as the ledger shows it: events, states, times.
        """
        of_case = models.event.c.case_id == plan.case_id
        own_chain = models.event.c.chain == plan.case_id
        emptied = update(models.event).where(of_case, own_chain, models.event.c.kind != ERASED)
        await connection.execute(emptied.values(private=b""))
        table = models.session
        mine = update(table).where(table.c.case_id == plan.case_id)
        await connection.execute(mine.values(body=b""))
        for each in (models.finding, models.digest):
            await connection.execute(delete(each).where(each.c.case_id == plan.case_id))
        recorded = (models.segment, models.gap, models.take, models.participant, models.placement)
        for each in recorded:
            await connection.execute(delete(each).where(each.c.session_id.in_(plan.sessions)))
        invited = models.invitation.c.case_id == plan.case_id
        await connection.execute(delete(models.invitation).where(invited))
        table = models.case
        gone = update(table).where(table.c.id == plan.case_id)
        await connection.execute(gone.values(body=b""))

    async def finish(self, plan: Plan, *, at: int) -> None:
        """Nothing is left to do."""
        done = update(_T).where(_T.c.case_id == plan.case_id, _T.c.finished_at.is_(None))
        async with self._database.write() as connection:
            await connection.execute(done.values(finished_at=at))

    def _plan(self, row: Any) -> Plan:
        cipher = self._vault.cipher(row["case_id"], "register")
        told = json.loads(cipher.decrypt(row["plan"], f"erasure/{row['case_id']}"))
        return Plan(
            case_id=row["case_id"],
            event=row["event"],
            at=row["at"],
            reason=told["reason"],
            before_term=told["before_term"],
            sessions=tuple(told["sessions"]),
        )
