"""The end of a session: the notary signs the manifest, the call is over, sealing begins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from server.domain import course, handling
from server.domain.certificate import Authorisation
from server.domain.errors import DomainError
from server.domain.participant import Staff
from server.domain.session import Session
from server.services.conduct import Conduct, require_clock
from signing import cades
from signing.ca import Office

ConfirmTotp = Callable[[str, str], Awaitable[None]]
"""(staff id, code): uses the code up, or raises."""
StartJob = Callable[[str, str], Awaitable[None]]
"""(job, id): starts a durable job; starting it twice is starting it once."""


class Closing:
    """Owns nothing; `start("seal", session id)` begins the sealing."""

    def __init__(
        self, conduct: Conduct, *, office: Office, confirm_totp: ConfirmTotp, start: StartJob
    ) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._office = office
        self._confirm_totp = confirm_totp
        self._start = start

    async def close(self, staff: Staff, sid: str, *, totp: str) -> None:
        """Sign and close; refuses `step-incomplete` before the code is used up."""
        self.require_clock()
        case, session = await self._workplace.own_session(staff, sid)
        pack = self._workplace.pack(case.matter)
        if session.manifest is None:
            raise DomainError("step-not-current", step=session.step, asked=9)
        course.close(session, self._workplace.act(staff.id), pack=pack, authorisation={})
        await self._confirm_totp(staff.id, totp)
        act = self._workplace.act(staff.id)
        authorisation = await self._sign(session, staff, at=act.at)
        async with self._conduct.change(staff, sid) as change:
            if change.held.manifest is None or change.held.manifest.sha256 != (
                session.manifest.sha256
            ):
                raise DomainError("case-changed")
            change.session, events = course.close(
                change.held, act, pack=pack, authorisation=authorisation
            )
            change.case = handling.end_session(change.case, closed=True)
            change.emit(events)
        await self._start("seal", sid)

    def require_clock(self) -> None:
        """Refuse `clock-behind`: nothing signed now could be verified, so no session may begin."""
        require_clock(self._workplace.clock(), begins=self._office.begins)

    async def _sign(self, session: Session, staff: Staff, *, at: int) -> dict[str, Any]:
        assert session.manifest is not None
        notary = self._office.notary(staff.id)
        cms = await asyncio.to_thread(
            cades.sign,
            session.manifest.sha256,
            key=notary.key,
            certificate=notary.certificate,
            chain=notary.chain,
            at=at,
            timestamp=self._office.timestamp,
        )
        label = f"manifest/{session.id}/notary"
        stored = await self._workplace.put(session.case_id, cms, label=label)
        authorisation = Authorisation(
            v=1, kind="totp", role="notary", staff=staff.id, at=at, over=session.manifest.sha256
        )
        return {
            **authorisation.record(),
            "signature_sha256": stored.sha256,
            "signature": stored.name,
        }
