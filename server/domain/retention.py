"""Retention 保管: what keeps a case's evidence from being destroyed, and what is left of it then.

    live session, unsealed session, certificate being issued, case still open   -> not yet
    legal hold, term of the rule pack                                           -> not before

Destroying is of the evidence only. What the public register and its verifiers need (the certificate
and its number) is under a key of its own and stays as long as the register.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from server.domain.calendar import Calendar
from server.domain.case import OPEN, Case, CaseState, Change, Hold, happened
from server.domain.errors import DomainError
from server.domain.events import ERASED, Act, Event
from server.domain.rules import RulePack
from server.domain.session import LIVE, Session, SessionState


def hold(case: Case, act: Act, *, reason: str) -> Change:
    """A legal hold 保全: nothing of the case may be destroyed until it is lifted."""
    words = stated(reason)
    held = replace(case, hold=Hold(words, act.at))
    return held, happened(case, act, "legal-hold-set", facts={"reason": words})


def lift(case: Case, act: Act, *, reason: str) -> Change:
    """The legal hold ends; refuses `hold-unknown` when there is none."""
    if case.hold is None:
        raise DomainError("hold-unknown")
    facts = {"reason": stated(reason)}
    return replace(case, hold=None), happened(case, act, "legal-hold-lifted", facts=facts)


def term_ends(case: Case, *, pack: RulePack, calendar: Calendar) -> date | None:
    """The first day on which the evidence of an issued certificate may go; `None`: no term."""
    issued_at = case.certificate.issued_at if case.certificate else None
    if issued_at is None or pack.evidence_years is None:
        return None
    day = calendar.day(issued_at)
    try:
        return day.replace(year=day.year + pack.evidence_years)
    except ValueError:  # 29 February
        return date(day.year + pack.evidence_years, 3, 1)


def require_erasable(
    case: Case,
    sessions: Sequence[Session],
    *,
    pack: RulePack,
    calendar: Calendar,
    at: int,
    before_term: str | None,
) -> None:
    """Refuse unless the evidence may be destroyed now.

    `before_term`: why it must go although its term runs. Refuses `erase-session-live`,
    `erase-unsealed`, `erase-issuing`, `erase-open`, `erase-held`, `erase-before-term`.
    """
    if any(session.state in LIVE for session in sessions):
        raise DomainError("erase-session-live")
    if any(session.state is SessionState.CLOSED for session in sessions):
        raise DomainError("erase-unsealed")
    if case.state in (CaseState.APPROVED, CaseState.ISSUED):
        raise DomainError("erase-issuing")
    if case.state in OPEN and case.state is not CaseState.DRAFT:
        raise DomainError("erase-open", state=case.state.value)
    if case.hold is not None:
        raise DomainError("erase-held", since=calendar.day(case.hold.at).isoformat())
    ends = term_ends(case, pack=pack, calendar=calendar)
    if ends is not None and calendar.day(at) < ends and before_term is None:
        raise DomainError("erase-before-term", until=ends.isoformat())


def husk(case: Case, *, at: int) -> Case:
    """What stays of a case whose evidence is destroyed: where it stood, and its certificate."""
    return Case(
        id=case.id,
        matter=case.matter,
        language=case.language,
        applicant=case.applicant,
        phone="",
        state=case.state,
        created_at=case.created_at,
        version=case.version,
        handler=case.handler,
        submitted_at=case.submitted_at,
        certificate=case.certificate,
        erased_at=at,
    )


def erased(case_id: str, act: Act, *, reason: str, before_term: str | None) -> Event:
    """The entry that says the evidence key is gone; the register's key opens its facts."""
    facts = {"reason": reason} | ({"before_term": before_term} if before_term else {})
    return Event(
        id=act.event,
        case_id=case_id,
        kind=ERASED,
        at=act.at,
        actor=act.actor,
        public={"key": "evidence"},
        facts=facts,
    )


def stated(reason: str) -> str:
    """The reason somebody gave; refuses `reason-required`."""
    words = reason.strip()[:2000]
    if not words:
        raise DomainError("reason-required")
    return words
