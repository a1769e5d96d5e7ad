"""The session 会见: its value, what its current step needs, and what has been seen of it.

    OPEN <-> INTERRUPTED           within the rule pack's grace: the step again, identity too
    OPEN, INTERRUPTED -> ABORTED   broken off; a new session may be linked to it
    OPEN -> CLOSED -> SEALED

What happens to it stands in `course` (opening to seal) and `steps` (the nine steps).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from server.domain.errors import DomainError
from server.domain.events import Act, Event
from server.domain.evidence import Mark, Needed, needed
from server.domain.participant import Staff
from server.domain.record import Record
from server.domain.rules import RulePack


class SessionState(StrEnum):
    """Where a session stands."""

    OPEN = "OPEN"
    INTERRUPTED = "INTERRUPTED"
    ABORTED = "ABORTED"
    CLOSED = "CLOSED"
    SEALED = "SEALED"


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step: pending, running, done, or repeated (running again after an interruption)."""

    number: int
    key: str
    state: Literal["pending", "running", "repeated", "done"] = "pending"
    started_at: int | None = None
    completed_at: int | None = None


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """The document of the session: its object, digest, and the digest of each page's pixels."""

    object: str
    sha256: str
    page_sha256: tuple[str, ...]
    page_objects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageShown:
    """A page that was on somebody's screen."""

    number: int
    role: str
    at: int


@dataclass(frozen=True, slots=True)
class ApplicantKey:
    """The certificate of the key in the applicant's browser (DER in base64, then its chain)."""

    certificate: str
    chain: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Signing:
    """One signature by the applicant: prepared, then done. Objects are names in the store."""

    id: str
    act: Literal["document", "record", "manifest"]
    content_sha256: str
    content: str
    signed_attrs: str
    prepared_at: int
    strokes_sha256: str | None = None
    strokes: str | None = None
    result_sha256: str | None = None
    result: str | None = None
    done_at: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The notary's decision on identity."""

    accepted: bool
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The session manifest: canonical JSON in the store, by digest; the notary's authorisation."""

    sha256: str
    content: str
    at: int
    notary: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One call. `version` counts committed changes; times in ms UTC."""

    id: str
    case_id: str
    number: int
    linked_to: str | None
    language: str
    document_type: str
    notary: Staff
    applicant: str
    applicant_name: str
    state: SessionState
    step: int
    steps: tuple[StepRun, ...]
    opened_at: int
    version: int = 0
    marks: tuple[Mark, ...] = ()
    recheck: bool = False
    record: Record = ()
    opening_words: tuple[str, ...] = ()
    instruction: str | None = None
    document: SessionDocument | None = None
    page: int | None = None
    pages_shown: tuple[PageShown, ...] = ()
    decision: Decision | None = None
    registry: Mapping[str, object] | None = None
    key: ApplicantKey | None = None
    signings: tuple[Signing, ...] = ()
    flags: tuple[int, ...] = ()
    interrupted_at: int | None = None
    grace_ends_at: int | None = None
    reason: str = ""
    closed_at: int | None = None
    manifest: Manifest | None = None
    seal_event: str | None = None
    replaced_by: str | None = None

    def marked(self, key: str) -> Mark | None:
        """The newest mark of that key, if it has been seen."""
        return next((mark for mark in reversed(self.marks) if mark.key == key), None)

    def signing(self, act: str) -> Signing | None:
        """The newest signature of that act, prepared or done."""
        return next((each for each in reversed(self.signings) if each.act == act), None)


Change = tuple[Session, tuple[Event, ...]]
SIGNED_IN = {"document": 7, "record": 8, "manifest": 9}
"""The step in which each act is signed."""
LIVE = (SessionState.OPEN, SessionState.INTERRUPTED)


def happened(
    session: Session,
    act: Act,
    kind: str,
    *,
    facts: Mapping[str, object] | None = None,
    public: Mapping[str, object] | None = None,
    items: Mapping[str, str] | None = None,
) -> tuple[Event, ...]:
    """The one event of an act in this session; refuses `session-state` once its seal is written.

    Every entry names its session in clear, so that a verifier sees that the seal covers them all.
    """
    if session.seal_event is not None and kind != "session-sealed":
        raise DomainError("session-state", state=session.state.value)
    event = Event(
        id=act.event,
        case_id=session.case_id,
        kind=kind,
        at=act.at,
        actor=act.actor,
        facts=facts or {},
        public={"session": session.id, **(public or {})},
        items=items or {},
        session_id=session.id,
    )
    return (event,)


def flagged(session: Session) -> dict[str, object]:
    """The notary's silent flags (ms UTC), for the facts of an entry; there also when none is."""
    return {"flags": list(session.flags)}


def require_open(session: Session) -> None:
    """Refuse with `session-state` unless the session is open."""
    if session.state is not SessionState.OPEN:
        raise DomainError("session-state", state=session.state.value)


def needed_now(session: Session, pack: RulePack, number: int | None = None) -> tuple[Needed, ...]:
    """What a step (the current one by default) needs."""
    number = number or session.step
    return needed(
        pack.step(number),
        pack,
        document_type=session.document_type,
        pages=len(session.document.page_sha256) if session.document else 0,
        recheck=session.recheck and number == session.step,
    )


def missing(session: Session, pack: RulePack) -> tuple[Needed, ...]:
    """What the current step still lacks; the read step lacks its document until it is there."""
    lacking = tuple(each for each in needed_now(session, pack) if not session.marked(each.key))
    if pack.step(session.step).key == "read" and session.document is None:
        raise DomainError("document-missing")
    return lacking


def require_nothing_missing(session: Session, pack: RulePack) -> None:
    """Refuse with `step-incomplete`, naming what is missing in the session's language."""
    if lacking := missing(session, pack):
        raise DomainError(
            "step-incomplete",
            step=session.step,
            missing=[each.title[session.language] for each in lacking],
            keys=[each.key for each in lacking],
        )


def mark(
    session: Session,
    act: Act,
    *,
    pack: RulePack,
    key: str,
    unavailable: bool = False,
    words: str = "",
    facts: Mapping[str, object] | None = None,
    items: Mapping[str, str] | None = None,
    public: Mapping[str, object] | None = None,
) -> Change:
    """Evidence of the current step has been seen; a later mark of the same key replaces it."""
    require_open(session)
    if key not in {each.key for each in needed_now(session, pack)}:
        elsewhere = any(
            key == each.key for n in range(1, 10) for each in needed_now(session, pack, n)
        )
        raise DomainError("step-not-current" if elsewhere else "evidence-unknown", key=key)
    seen = Mark(key, act.at, act.actor, act.event, unavailable, words)
    kept = tuple(each for each in session.marks if each.key != key)
    told = {**(facts or {}), **({"words": words} if words else {})}
    events = happened(
        session,
        act,
        "evidence-seen",
        facts=told,
        public={
            "evidence": key,
            "step": session.step,
            "unavailable": unavailable,
            **(public or {}),
        },
        items=items,
    )
    return replace(session, marks=(*kept, seen)), events


def require_reason(words: str) -> str:
    """The words, trimmed; refuses `reason-required` when there are none."""
    kept = words.strip()[:2000]
    if not kept:
        raise DomainError("reason-required")
    return kept
