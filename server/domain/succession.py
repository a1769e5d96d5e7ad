"""What becomes of a case when the ledger it was recorded in ends: it goes on in the next one.

A session that has no certificate yet is held again: its entries lie in a tree that somebody else
could have signed beside. Everything before the session stands.
"""

from dataclasses import replace

from server.domain import course
from server.domain.case import Case, CaseState, happened
from server.domain.events import Act, Event
from server.domain.handling import end_session
from server.domain.session import LIVE, Session, SessionState

_S = CaseState
ON_THE_WAY = (_S.CLOSED, _S.APPROVED, _S.ISSUED)
"""States a running server leaves by itself within minutes."""
GOES_ON = (
    *(_S.DRAFT, _S.SUBMITTED, _S.PRECHECK, _S.SUPPLEMENT),
    *(_S.ACCEPTED, _S.INFORMED, _S.SCHEDULED, _S.WAITING, _S.IN_SESSION),
    *(_S.SEALED, _S.REVIEW, _S.DRAFTED, _S.PENDING_APPROVAL, _S.RETURNED),
)
"""States of a case that goes on in the ledger after."""
_HELD = (_S.SEALED, _S.REVIEW, _S.DRAFTED, _S.PENDING_APPROVAL, _S.RETURNED)


def hold_again(
    case: Case, session: Session | None, act: Act, *, reason: str
) -> tuple[Case, Session | None, tuple[Event, ...]]:
    """The case as it goes on; a session that was begun or held without a certificate is void."""
    if session is None:
        return case, session, ()
    if session.state in LIVE:
        session, events = course.abort(session, act, reason=reason)
        return end_session(case, closed=False), session, events
    supplementing = case.state is _S.SUPPLEMENT and session.state is SessionState.SEALED
    if case.state not in _HELD and not supplementing:
        return case, session, ()
    pauses = tuple(replace(each, until=each.until or act.at) for each in case.pauses)
    waiting = replace(
        case,
        state=_S.WAITING,
        supplement=None,
        pauses=pauses,
        draft=None,
        claims=(),
        authorisations=(),
        returned=None,
    )
    told = happened(
        case, act, "session-void", facts={"reason": reason}, public={"session": session.id}
    )
    return waiting, replace(session, state=SessionState.ABORTED, reason=reason), told
