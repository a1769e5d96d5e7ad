"""When evidence may go, and what stays of a case."""

from dataclasses import replace
from datetime import date

import pytest
from people import CALENDAR, MONDAY, PACK, Acts, filled

from server.domain import retention
from server.domain.case import OPEN, CaseState
from server.domain.certificate import CertificateRef
from server.domain.errors import DomainError

DAY = 86_400_000


def issued(*, at: int = MONDAY):
    """A case delivered on a day."""
    reference = CertificateRef("（2026）1", 0, "2026-11-23", "C", "u", "i", "e", "0" * 64, at)
    return replace(filled(Acts()), state=CaseState.DELIVERED, certificate=reference)


def refusal(case, *, at: int = MONDAY, before_term: str | None = None, pack=PACK) -> str | None:
    try:
        retention.require_erasable(
            case, (), pack=pack, calendar=CALENDAR, at=at, before_term=before_term
        )
    except DomainError as refused:
        return refused.code
    return None


def test_the_term_runs_from_the_day_of_issue_to_its_anniversary():
    assert PACK.evidence_years == 10
    ends = retention.term_ends(issued(), pack=PACK, calendar=CALENDAR)
    assert ends == date(2036, 11, 23)
    first = MONDAY + (ends - date(2026, 11, 23)).days * DAY
    assert refusal(issued(), at=first - DAY) == "erase-before-term"
    assert refusal(issued(), at=first) is None
    assert refusal(issued(), before_term="a court said so") is None


def test_a_leap_days_term_ends_on_the_first_of_march():
    leap = 1_835_402_400_000  # 2028-02-29 14:00 in the office's time zone
    assert CALENDAR.day(leap) == date(2028, 2, 29)
    ends = retention.term_ends(issued(at=leap), pack=PACK, calendar=CALENDAR)
    assert ends == date(2038, 3, 1)


def test_without_a_term_or_a_certificate_there_is_nothing_to_wait_for():
    assert refusal(issued(), pack=replace(PACK, evidence_years=None)) is None
    assert refusal(replace(issued(), certificate=None, state=CaseState.WITHDRAWN)) is None


@pytest.mark.parametrize("state", CaseState)
def test_only_what_is_over_or_was_never_handed_in_may_go(state):
    case = replace(filled(Acts()), state=state)
    if state in (CaseState.APPROVED, CaseState.ISSUED):
        assert refusal(case) == "erase-issuing"
    elif state in OPEN and state is not CaseState.DRAFT:
        assert refusal(case) == "erase-open"
    else:
        assert refusal(case) is None


def test_a_hold_stands_in_the_way_of_everything_until_it_is_lifted():
    acts = Acts()
    held, (event,) = retention.hold(issued(), acts("operator"), reason=" 法院调查 ")
    assert (event.kind, event.facts) == ("legal-hold-set", {"reason": "法院调查"})
    assert refusal(held, before_term="x") == "erase-held"
    lifted, (event,) = retention.lift(held, acts("operator"), reason="终结")
    assert event.kind == "legal-hold-lifted"
    assert refusal(lifted, before_term="x") is None
    for command in (retention.hold, retention.lift):
        with pytest.raises(DomainError, match="reason-required"):
            command(held, acts(), reason=" ")


def test_a_husk_holds_nothing_of_what_was_said():
    case = issued()
    husk = retention.husk(case, at=7)
    assert (husk.form, husk.papers, husk.phone, husk.sessions) == ({}, (), "", ())
    assert (husk.certificate, husk.state, husk.erased_at) == (case.certificate, case.state, 7)
