"""What becomes of a case when the ledger that recorded it ends."""

from dataclasses import replace

import pytest
from people import Acts, filled
from test_session import opened

from server.domain.case import CaseState, Pause
from server.domain.session import SessionState
from server.domain.succession import GOES_ON, ON_THE_WAY, hold_again

S = CaseState


def case_in(state: CaseState, acts: Acts):
    return replace(filled(acts), state=state, sessions=("5" * 32,), returned="no")


def test_a_live_session_is_broken_off_and_its_case_waits():
    acts = Acts()
    case, session, events = hold_again(
        case_in(S.IN_SESSION, acts), opened(acts), acts("operator"), reason="leak"
    )
    assert (case.state, session.state) == (S.WAITING, SessionState.ABORTED)
    assert [each.kind for each in events] == ["session-aborted"]


@pytest.mark.parametrize(
    "state", [S.SEALED, S.REVIEW, S.DRAFTED, S.PENDING_APPROVAL, S.RETURNED, S.SUPPLEMENT]
)
def test_a_session_without_a_certificate_is_void(state):
    acts = Acts()
    held = replace(opened(acts), state=SessionState.SEALED)
    before = replace(case_in(state, acts), pauses=(Pause(1, None, "asked"),))
    act = acts("operator")
    case, session, events = hold_again(before, held, act, reason="leak")
    assert (case.state, session.state) == (S.WAITING, SessionState.ABORTED)
    assert (case.draft, case.returned, case.supplement) == (None, None, None)
    assert case.pauses == (Pause(1, act.at, "asked"),)
    assert [(each.kind, each.public) for each in events] == [
        ("session-void", {"session": session.id})
    ]
    # Once more changes nothing.
    assert hold_again(case, session, acts("operator"), reason="leak") == (case, session, ())


@pytest.mark.parametrize("state", [S.SUBMITTED, S.SUPPLEMENT, S.WAITING])
def test_what_came_before_a_session_stands(state):
    acts = Acts()
    case = case_in(state, acts)
    assert hold_again(case, None, acts("operator"), reason="leak") == (case, None, ())
    broken_off = replace(opened(acts), state=SessionState.ABORTED)
    assert hold_again(case, broken_off, acts("operator"), reason="leak") == (case, broken_off, ())


def test_every_state_is_open_on_the_way_or_over():
    over = {S.NOT_ACCEPTED, S.REFUSED, S.TERMINATED, S.WITHDRAWN}
    over |= {S.DELIVERED, S.ARCHIVED, S.REVOKED}
    assert {*GOES_ON, *ON_THE_WAY} | over == set(CaseState)
    assert not {*GOES_ON, *ON_THE_WAY} & over
