"""The signed status list: made anew when a certificate is issued, and when it grows old."""

import asyncio
import hashlib
import json
from typing import Any

from sqlalchemy import insert, select

from ledger.entry import canonical_json
from server.domain.case import Case
from server.domain.events import Event
from server.services.workplace import Workplace
from server.storage import models
from signing import status
from signing.ca import Office

Json = dict[str, Any]
_OLD = 12 * 3_600_000
_T = models.status_list


class StatusLists:
    """Each list's digest stands in the register: nobody is shown a list the mirror has not got."""

    def __init__(self, workplace: Workplace, *, office: Office) -> None:
        self._workplace = workplace
        self._office = office

    async def current(self) -> Json:
        """The newest list; a new one when there is none or it is older than twelve hours."""
        async with self._workplace.files.database.read() as connection:
            query = select(_T).order_by(_T.c.version.desc()).limit(1)
            row = (await connection.execute(query)).mappings().first()
        if row is not None and row["at"] > self._workplace.clock() - _OLD:
            found: Json = json.loads(row["document"])
            return found
        rows = await self._workplace.registers.all()
        issued = [row for row in rows if row.state != "allocated"]
        if not issued:
            return await self._make()
        return await self._log(issued[-1].case_id, issued[-1].intent)

    async def log(self, case: Case) -> Json:
        """Make a list now and write its digest into the register, once per certificate and day."""
        assert case.certificate is not None  # only issued cases come here
        return await self._log(case.id, case.certificate.intent)

    async def _log(self, case_id: str, intent: str) -> Json:
        """The case may have been erased since: its certificate stands in the register."""
        day = self._workplace.calendar.day(self._workplace.clock()).isoformat()
        name = f"farseal/event/status/{intent}/{day}"
        event = hashlib.sha256(name.encode()).hexdigest()[:32]
        async with self._workplace.files.database.read() as connection:
            known = await connection.scalar(select(_T.c.document).where(_T.c.event == event))
        if known is not None:
            found: Json = json.loads(known)
            return found
        document = await self._make()
        at = self._workplace.clock()
        told = Event(
            id=event,
            case_id=case_id,
            kind="status-list",
            at=at,
            actor="system",
            public={"sha256": hashlib.sha256(canonical_json(document)).hexdigest()},
            chain="register",
        )
        async with self._workplace.files.telling(told) as connection:
            await connection.execute(
                insert(_T).values(at=at, event=event, document=canonical_json(document).decode())
            )
        return document

    async def _make(self) -> Json:
        rows = await self._workplace.registers.all()
        revoked = [row.status_index for row in rows if row.state in ("revoked", "void")]
        at = self._workplace.clock()
        return await asyncio.to_thread(status.build, revoked, office=self._office, at=at)
