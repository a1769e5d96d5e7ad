"""What the desk does with a case: precheck, supplement, accept, decline, refuse, terminate."""

from dataclasses import replace

from server.domain.application import informed_if_consenting
from server.domain.calendar import Calendar
from server.domain.case import (
    Case,
    CaseState,
    Change,
    Ending,
    Pause,
    Supplement,
    happened,
    move,
    require_state,
    today,
)
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.participant import Staff, require_licence, require_role
from server.domain.rules import RulePack

_S = CaseState


def precheck(case: Case, act: Act, *, staff: Staff) -> Change:
    """The desk takes a submitted case up."""
    require_role(staff, "assistant", "notary")
    return move(case, _S.PRECHECK), happened(case, act, "precheck-begun")


def supplement(case: Case, act: Act, *, staff: Staff, text: str) -> Change:
    """More is asked of the applicant; after acceptance the clock stands still meanwhile."""
    require_role(staff, "assistant", "notary")
    require_state(case, _S.PRECHECK, _S.REVIEW)
    words = _reason(text)
    pauses = case.pauses
    if case.accepted_at is not None:
        pauses += (Pause(act.at, None, words),)
    asked = Supplement(words, act.at, back_to=case.state)
    moved = move(case, _S.SUPPLEMENT, supplement=asked, pauses=pauses)
    return moved, happened(case, act, "supplement-asked", facts={"text": words})


def accept(
    case: Case,
    act: Act,
    *,
    staff: Staff,
    pack: RulePack,
    calendar: Calendar,
    conflict_checked: bool,
) -> Change:
    """A notary takes the case: the clock starts (公证法 30) and the notary is its handler."""
    require_role(staff, "notary")
    require_licence(staff, day=today(calendar, act).isoformat())
    if not conflict_checked:
        raise DomainError("conflict-unchecked")
    if not pack.remote_allowed:
        raise DomainError("matter-not-remote", matter=pack.id)
    moved = move(case, _S.ACCEPTED, handler=staff, conflict_checked_at=act.at, accepted_at=act.at)
    facts = {"notary": staff.id, "licence": staff.licence, "conflict_checked": True}
    events = happened(case, act, "case-accepted", facts=facts)
    moved, informed = informed_if_consenting(moved, act.then(), pack=pack)
    return moved, events + informed


def decline(case: Case, act: Act, *, staff: Staff, reason: str) -> Change:
    """Not accepted, with reasons; the end."""
    require_role(staff, "notary")
    words = _reason(reason)
    moved = move(case, _S.NOT_ACCEPTED, ending=Ending(words, act.at, act.actor))
    return moved, happened(case, act, "case-declined", facts={"reason": words})


def refuse(case: Case, act: Act, *, staff: Staff, reason: str) -> Change:
    """不予办理: the handler refuses to certify, with reasons; the end."""
    require_handler(case, staff)
    words = _reason(reason)
    moved = move(case, _S.REFUSED, ending=Ending(words, act.at, act.actor))
    return moved, happened(case, act, "case-refused", facts={"reason": words})


def terminate(case: Case, act: Act, *, staff: Staff, reason: str) -> Change:
    """终止: the procedure ends because it cannot go on, with reasons."""
    require_handler(case, staff)
    words = _reason(reason)
    moved = move(case, _S.TERMINATED, ending=Ending(words, act.at, act.actor))
    return moved, happened(case, act, "case-terminated", facts={"reason": words})


def require_handler(case: Case, staff: Staff) -> None:
    """Refuse with `not-handler` unless this person handles the case."""
    if case.handler is None or case.handler.id != staff.id:
        raise DomainError("not-handler")


def require_reader(case: Case, staff: Staff) -> None:
    """Refuse unless this person has the case, and so may read its papers, document, certificate
    and bundle: `not-handler`, or `role-not-allowed`.

    Before acceptance the desk reads what was handed in; then its notary does, and, once there is a
    draft to decide on, whoever may approve it. An erased case keeps its certificate's readers.
    """
    if case.handler is not None and case.handler.id == staff.id:
        return
    if staff.role == "approver" and (case.draft or case.certificate) is not None:
        return
    at_intake = case.handler is None and case.state in (_S.SUBMITTED, _S.PRECHECK, _S.SUPPLEMENT)
    if staff.role in ("assistant", "notary") and at_intake:
        return
    if staff.role == "notary":
        raise DomainError("not-handler")
    raise DomainError("role-not-allowed", role=staff.role)


def may_read(case: Case, staff: Staff) -> bool:
    """Whether `require_reader` lets this person in."""
    try:
        require_reader(case, staff)
    except DomainError:
        return False
    return True


def begin_session(
    case: Case, act: Act, *, staff: Staff, session_id: str, calendar: Calendar
) -> Case:
    """The call begins: WAITING to IN_SESSION; the session's own event tells it."""
    require_handler(case, staff)
    require_licence(staff, day=today(calendar, act).isoformat())
    return move(case, _S.IN_SESSION, sessions=(*case.sessions, session_id))


def link_session(case: Case, *, session_id: str) -> Case:
    """A new session takes the place of an interrupted one; the case stays IN_SESSION."""
    require_state(case, _S.IN_SESSION)
    return replace(case, sessions=(*case.sessions, session_id))


def end_session(case: Case, *, closed: bool) -> Case:
    """The call is over: CLOSED, or back to WAITING when it was broken off."""
    return move(case, _S.CLOSED if closed else _S.WAITING)


def seal_session(case: Case) -> Case:
    """The closed session's seal rests in a signed, timestamped tree: SEALED."""
    return move(case, _S.SEALED)


def _reason(text: str) -> str:
    words = text.strip()[:2000]
    if not words:
        raise DomainError("reason-required")
    return words
