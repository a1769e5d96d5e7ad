"""How every change of a session is made: load, command, emit; and how it is shown afterwards."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.handling import require_handler
from server.domain.participant import Applicant, SessionRole, Staff
from server.domain.rules import RulePack
from server.domain.session import Session
from server.services.session_view import Presence, Say, SessionFacts, session_view
from server.services.workplace import Person, Workplace
from server.storage.cases import Change

Json = dict[str, Any]
SpellWords = Callable[[bytes, str, str], tuple[str, ...]]
"""(seed, session id, language) -> four words."""
Fingerprint = Callable[[str, str], tuple[str, ...]]
"""(leaf hash, language) -> four words to compare by eye or ear."""


class Conduct:
    """Shared by ceremony, identity, recordings and signatures: one way to change and to show."""

    def __init__(
        self,
        workplace: Workplace,
        *,
        spell: SpellWords,
        presence: Presence,
        say: Say,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        self.workplace = workplace
        self.spell = spell
        self._presence = presence
        self._say = say
        self._fingerprint = fingerprint
        self.failures: dict[str, str] = {}

    async def role(self, person: Person, session_id: str) -> SessionRole:
        """As whom this person takes part; refuses `session-unknown`, `session-has-notary`."""
        _, session = await self.workplace.own_session(person, session_id)
        return role_of(session, person)

    @asynccontextmanager
    async def change(self, person: Person, session_id: str) -> AsyncIterator[Change]:
        """A change of a session by one of its two parties."""
        async with self.workplace.files.change(session_id=session_id) as change:
            role_of(change.held, person)
            yield change

    async def look_into(self, staff: Staff, session_id: str, *, what: str) -> Case:
        """The case whose recording or pictures this person may see; the access is logged.

        Its notary and the approvers may; refuses `role-not-allowed`, `not-handler`.
        """
        case = (await self.workplace.files.both(session_id))[0]
        if staff.role == "assistant":
            raise DomainError("role-not-allowed", role=staff.role)
        if staff.role == "notary":
            require_handler(case, staff)
        await self.workplace.log_access(staff, case.id, what=what)
        return case

    def pack(self, change: Change) -> RulePack:
        """The rule pack of the case in hand."""
        return self.workplace.pack(change.case.matter)

    async def view(self, person: Person, session_id: str, *, language: str) -> Json:
        """The session as this person sees it; an approver sees what the notary sees, and is logged.

        What its own notary is shown while conducting it is no look of its own.
        """
        case, session = await self.workplace.own_session(person, session_id)
        if isinstance(person, Staff) and person.id != session.notary.id:
            await self.workplace.log_access(person, case.id, what=f"session {session_id}")
        role: SessionRole = "applicant" if isinstance(person, Applicant) else "notary"
        workplace = self.workplace
        anchors = await workplace.outbox.state(session_id=session_id)
        facts = SessionFacts(
            session=session,
            pack=workplace.pack(case.matter),
            anchors=anchors,
            indexes=await workplace.outbox.indexes([mark.event for mark in session.marks]),
            segments=await workplace.recordings.count(session_id),
            gaps=await workplace.recordings.gaps(session_id),
            findings=await workplace.findings.of_session(session_id) if role == "notary" else (),
            presence=self._presence(session_id),
            failed=self.failures.get(session_id),
            fingerprint=self._words(anchors.leaf_hash, language),
            say=self._say,
            now=workplace.clock(),
        )
        return session_view(facts, role=role, language=language)

    def _words(self, leaf_hash: str | None, language: str) -> tuple[str, ...]:
        if leaf_hash is None or self._fingerprint is None:
            return ()
        return self._fingerprint(leaf_hash, language)


def role_of(session: Session, person: Person) -> SessionRole:
    """The person's role in the session; refuses strangers."""
    if isinstance(person, Staff):
        if person.id != session.notary.id:
            raise DomainError("session-has-notary", notary=session.notary.name_zh)
        return "notary"
    if person.id != session.applicant:
        raise DomainError("session-unknown")
    return "applicant"


def require_clock(now: int, *, begins: int) -> None:
    """Refuse `clock-behind` while this machine's clock stands before what it signs with began.

    Somebody set it back: what is signed now would look like a forgery later.
    """
    if now < begins:
        since = datetime.fromtimestamp(begins / 1000, UTC)
        raise DomainError("clock-behind", since=f"{since:%Y-%m-%d %H:%M} UTC")
