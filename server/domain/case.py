"""The case 案件: its value, its states, which state may follow which, and its clock.

    DRAFT -> SUBMITTED -> PRECHECK -> ACCEPTED -> INFORMED -> SCHEDULED -> WAITING -> IN_SESSION
          -> CLOSED -> SEALED -> REVIEW -> DRAFTED -> PENDING_APPROVAL -> APPROVED -> ISSUED
          -> DELIVERED -> ARCHIVED
    PRECHECK <-> SUPPLEMENT <-> REVIEW      PENDING_APPROVAL -> RETURNED -> DRAFTED
    ends: NOT_ACCEPTED, REFUSED, TERMINATED, WITHDRAWN; after issue: REVOKED

The commands stand in application, handling, approval (the case) and session (the call).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from server.domain.calendar import Calendar
from server.domain.certificate import Authorisation, CertificateRef, Draft
from server.domain.errors import DomainError
from server.domain.events import Act, Event
from server.domain.fields import FormValue
from server.domain.participant import Staff
from server.domain.rules import RulePack


class CaseState(StrEnum):
    """Where a case stands (DOMAIN.md, "The case: states")."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    PRECHECK = "PRECHECK"
    SUPPLEMENT = "SUPPLEMENT"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    ACCEPTED = "ACCEPTED"
    INFORMED = "INFORMED"
    SCHEDULED = "SCHEDULED"
    WAITING = "WAITING"
    IN_SESSION = "IN_SESSION"
    CLOSED = "CLOSED"
    SEALED = "SEALED"
    REVIEW = "REVIEW"
    DRAFTED = "DRAFTED"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    RETURNED = "RETURNED"
    APPROVED = "APPROVED"
    ISSUED = "ISSUED"
    DELIVERED = "DELIVERED"
    ARCHIVED = "ARCHIVED"
    REFUSED = "REFUSED"
    TERMINATED = "TERMINATED"
    WITHDRAWN = "WITHDRAWN"
    REVOKED = "REVOKED"


S = CaseState
_BEFORE_SESSION = (S.ACCEPTED, S.INFORMED, S.SCHEDULED, S.WAITING)
_AFTER_SESSION = (S.CLOSED, S.SEALED, S.REVIEW, S.DRAFTED, S.PENDING_APPROVAL, S.RETURNED)
OPEN = (
    *(S.DRAFT, S.SUBMITTED, S.PRECHECK, S.SUPPLEMENT),
    *_BEFORE_SESSION,
    S.IN_SESSION,
    *_AFTER_SESSION,
)
"""States in which nothing has been decided for good."""
EDITABLE = (S.DRAFT, S.SUPPLEMENT)
_ENDS = {S.REFUSED, S.TERMINATED, S.WITHDRAWN}

FOLLOWS: Mapping[CaseState, frozenset[CaseState]] = {
    S.DRAFT: frozenset({S.SUBMITTED, S.WITHDRAWN}),
    S.SUBMITTED: frozenset({S.PRECHECK, S.WITHDRAWN}),
    S.PRECHECK: frozenset({S.SUPPLEMENT, S.ACCEPTED, S.NOT_ACCEPTED, S.WITHDRAWN}),
    S.SUPPLEMENT: frozenset({S.PRECHECK, S.REVIEW, *_ENDS}),
    S.ACCEPTED: frozenset({S.INFORMED, *_ENDS}),
    S.INFORMED: frozenset({S.SCHEDULED, S.ACCEPTED, *_ENDS}),  # back: a consent taken back
    S.SCHEDULED: frozenset({S.SCHEDULED, S.WAITING, *_ENDS}),
    S.WAITING: frozenset({S.SCHEDULED, S.WAITING, S.IN_SESSION, *_ENDS}),
    S.IN_SESSION: frozenset({S.WAITING, S.CLOSED}),
    S.CLOSED: frozenset({S.SEALED, *_ENDS}),
    S.SEALED: frozenset({S.REVIEW, *_ENDS}),
    S.REVIEW: frozenset({S.SUPPLEMENT, S.DRAFTED, *_ENDS}),
    S.DRAFTED: frozenset({S.DRAFTED, S.PENDING_APPROVAL, *_ENDS}),
    S.PENDING_APPROVAL: frozenset({S.RETURNED, S.APPROVED, *_ENDS}),
    S.RETURNED: frozenset({S.DRAFTED, *_ENDS}),
    S.APPROVED: frozenset({S.ISSUED}),
    S.ISSUED: frozenset({S.DELIVERED, S.REVOKED}),
    S.DELIVERED: frozenset({S.ARCHIVED, S.REVOKED}),
    S.ARCHIVED: frozenset({S.REVOKED}),
}


@dataclass(frozen=True, slots=True)
class Paper:
    """An uploaded paper; `object` names its ciphertext, `sha256` is over the content."""

    id: str
    kind: str
    name: str
    size: int
    media_type: str
    at: int
    sha256: str
    object: str


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent given or refused, over a text of known digest."""

    id: str
    given: bool
    at: int
    text_sha256: str


@dataclass(frozen=True, slots=True)
class Booking:
    """When the call is, with whom, and the token of the invitation."""

    at: int
    notary: str
    token: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stood still from one moment to another (or still does)."""

    since: int
    until: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Supplement:
    """What the office asked the applicant to add, and where the case goes on afterwards."""

    text: str
    at: int
    back_to: CaseState


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a case ended without a certificate."""

    reason: str
    at: int
    by: str


@dataclass(frozen=True, slots=True)
class Claim:
    """What the approver found of one claim. Verdict: accepted or returned."""

    number: int
    key: str
    verdict: str | None
    reason: str
    at: int | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Rating:
    """One rating per matter, 1..5 stars."""

    stars: int
    words: str
    at: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: nothing of the case may be destroyed until it is lifted."""

    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """One application for one certificate. `version` counts committed changes.

    With `erased_at` it is the husk that is left once the evidence was destroyed
    (`retention.husk`).
    """

    id: str
    matter: str
    language: str
    applicant: str
    phone: str
    state: CaseState
    created_at: int
    version: int = 0
    form: Mapping[str, FormValue] = field(default_factory=dict)
    papers: tuple[Paper, ...] = ()
    consents: tuple[Consent, ...] = ()
    handler: Staff | None = None
    conflict_checked_at: int | None = None
    submitted_at: int | None = None
    accepted_at: int | None = None
    pauses: tuple[Pause, ...] = ()
    supplement: Supplement | None = None
    booking: Booking | None = None
    device: Mapping[str, object] | None = None
    sessions: tuple[str, ...] = ()
    ending: Ending | None = None
    draft: Draft | None = None
    claims: tuple[Claim, ...] = ()
    authorisations: tuple[Authorisation, ...] = ()
    returned: str | None = None
    certificate: CertificateRef | None = None
    rating: Rating | None = None
    hold: Hold | None = None
    erased_at: int | None = None


Change = tuple[Case, tuple[Event, ...]]


def require_state(case: Case, *allowed: CaseState) -> None:
    """Refuse with `case-state` unless the case stands in one of the states."""
    if case.state not in allowed:
        raise DomainError("case-state", state=case.state.value)


def move(case: Case, to: CaseState, **changes: object) -> Case:
    """The case in its next state; refuses `case-state` when it may not follow."""
    if to not in FOLLOWS.get(case.state, frozenset()):
        raise DomainError("case-state", state=case.state.value, wanted=to.value)
    return replace(case, state=to, **changes)  # type: ignore[arg-type]


def happened(
    case: Case,
    act: Act,
    kind: str,
    *,
    facts: Mapping[str, object] | None = None,
    public: Mapping[str, object] | None = None,
    items: Mapping[str, str] | None = None,
) -> tuple[Event, ...]:
    """The one event of an act on this case."""
    event = Event(
        id=act.event,
        case_id=case.id,
        kind=kind,
        at=act.at,
        actor=act.actor,
        facts=facts or {},
        public=public or {},
        items=items or {},
    )
    return (event,)


@dataclass(frozen=True, slots=True)
class Clock:
    """Working days left of those the statute allows, and whether it stands still."""

    days_left: int
    paused: bool
    reason: str


def clock(case: Case, *, pack: RulePack, calendar: Calendar, at: int) -> Clock | None:
    """The clock of a case at a moment; `None` before acceptance and once it has ended."""
    if case.state not in (*OPEN, S.APPROVED):
        return None
    return _reading(case, pack=pack, calendar=calendar, at=at)


def stopped_clock(case: Case, *, pack: RulePack, calendar: Calendar) -> Clock | None:
    """How the clock stood when the certificate was issued, or the case ended without one."""
    issued_at = case.certificate.issued_at if case.certificate else None
    at = issued_at or (case.ending.at if case.ending else None)
    return _reading(case, pack=pack, calendar=calendar, at=at) if at is not None else None


def _reading(case: Case, *, pack: RulePack, calendar: Calendar, at: int) -> Clock | None:
    if case.accepted_at is None:
        return None

    def passed(since: int, until: int) -> int:
        return calendar.working_days_after(calendar.day(since), calendar.day(until))

    used = passed(case.accepted_at, at)
    used -= sum(passed(pause.since, pause.until or at) for pause in case.pauses)
    running = next((pause for pause in case.pauses if pause.until is None), None)
    return Clock(
        days_left=pack.working_days - used,
        paused=running is not None,
        reason=running.reason if running else "",
    )


def require_time_left(case: Case, *, pack: RulePack, calendar: Calendar, at: int) -> None:
    """Refuse with `clock-expired` once the working days are used up."""
    now = clock(case, pack=pack, calendar=calendar, at=at)
    if now is not None and now.days_left < 0:
        raise DomainError("clock-expired", days=pack.working_days)


def today(calendar: Calendar, act: Act) -> date:
    """The office's day of an act."""
    return calendar.day(act.at)
