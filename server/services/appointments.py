"""Times, invitations, and the device check before the call."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from server.domain import application
from server.domain.case import Booking
from server.domain.errors import DomainError
from server.domain.participant import Applicant
from server.services.intake import Intake
from server.services.workplace import Workplace, require_own
from server.storage import models

Json = dict[str, Any]
_HALF_HOUR = 30 * 60_000
_DAY = 86_400_000
_VALID = 7 * _DAY
_OFFERED = 16


class Appointments:
    """Slots are the half hours of working days, 9 to 17; in this office the first is now."""

    def __init__(self, workplace: Workplace, intake: Intake) -> None:
        self._workplace = workplace
        self._intake = intake

    async def slots(self, applicant: Applicant, case_id: str) -> Json:
        """Times the applicant may choose from."""
        case = await self._workplace.own_case(applicant, case_id)
        notary = case.handler.name(case.language) if case.handler else ""
        return {"slots": [{"at": at, "notary": notary} for at in self._free()]}

    async def book(self, applicant: Applicant, case_id: str, *, at: int, language: str) -> Json:
        """Choose a time; refuses `slot-unknown`. The invitation's token is 128 random bits."""
        workplace = self._workplace
        now = workplace.clock()
        if at not in self._free() and not now - _HALF_HOUR <= at <= now + _HALF_HOUR:
            raise DomainError("slot-unknown", at=at)
        token = base64.b32encode(workplace.random(16)).decode().rstrip("=").lower()
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            notary = change.case.handler.id if change.case.handler else ""
            booking = Booking(at, notary, token, expires_at=at + _VALID)
            act = workplace.act(applicant.id)
            change.case, events = application.book(change.case, act, booking=booking)
            change.emit(events)
            await change.connection.execute(
                insert(models.invitation).values(
                    token_sha256=_digest(token), case_id=case_id, expires_at=booking.expires_at
                )
            )
        return await self._intake.case(applicant, case_id, language=language)

    async def check_device(
        self, applicant: Applicant, case_id: str, *, report: Mapping[str, object], language: str
    ) -> Json:
        """Keep what the device check found; a fit device waits for the notary."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            act = workplace.act(applicant.id)
            change.case, events = application.check_device(change.case, act, report=_plain(report))
            change.emit(events)
        return await self._intake.case(applicant, case_id, language=language)

    async def invitation(self, token: str, applicant: Applicant) -> Json:
        """Where an invitation leads; refuses `invitation-unknown`, `-expired`, `-other-person`."""
        table = models.invitation
        query = select(table).where(table.c.token_sha256 == _digest(token.strip().lower()))
        async with self._workplace.files.database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise DomainError("invitation-unknown")
        case = await self._workplace.files.case(row["case_id"])
        if case.booking is None or row["expires_at"] < self._workplace.clock():
            raise DomainError("invitation-expired")
        if _digest(case.booking.token) != row["token_sha256"]:
            raise DomainError("invitation-expired")  # a later booking took its place
        if case.applicant != applicant.id:
            raise DomainError("invitation-other-person")
        return {"case_id": case.id, "session_at": case.booking.at}

    def _free(self) -> list[int]:
        now = self._workplace.clock()
        calendar = self._workplace.calendar
        found = [now - now % 60_000]
        at = now - now % _HALF_HOUR + _HALF_HOUR
        while len(found) < _OFFERED and at < now + 21 * _DAY:
            minutes = (at // 60_000 + calendar.utc_offset_minutes) % (24 * 60)
            if calendar.is_working(calendar.day(at)) and 9 * 60 <= minutes < 17 * 60:
                found.append(at)
            at += _HALF_HOUR
        return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _plain(value: Any) -> Any:
    """The report without floats, which have no canonical form: rounded to integers."""
    if isinstance(value, Mapping):
        return {str(key)[:60]: _plain(inner) for key, inner in list(value.items())[:40]}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value[:40]]
    if isinstance(value, float):
        return round(value) if value == value and abs(value) < 2**53 else 0
    return value[:400] if isinstance(value, str) else value
