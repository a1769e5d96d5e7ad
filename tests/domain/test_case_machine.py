"""Any order of commands at all: the case never stands where the rules do not let it stand."""

import json
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from people import CALENDAR, CHEN, LIN, PACK, WANG, ZHAO, Acts, filled, no_glyphs

from server.domain import application, approval, handling
from server.domain.case import FOLLOWS, OPEN, Booking, CaseState
from server.domain.certificate import CertificateNumber, Draft
from server.domain.errors import DomainError
from server.storage.codec import decode, encode

S = CaseState
NUMBER = CertificateNumber("o", 2026, "示远山证字", 1, "（2026）示远山证字第1号")
STAFF = st.sampled_from([LIN, CHEN, ZHAO, replace(LIN, id="other"), replace(LIN, role="approver")])
_BEFORE_APPROVAL = (*OPEN, S.NOT_ACCEPTED, S.REFUSED, S.TERMINATED, S.WITHDRAWN)


class CaseMachine(RuleBasedStateMachine):
    """Commands in any order by anybody; refusals change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.acts = Acts()
        self.case = filled(self.acts)
        self.path = [self.case.state]
        self.events = []

    def attempt(self, command, *args, **kwargs) -> None:
        before = self.case
        try:
            case, events, *_ = command(before, self.acts(), *args, **kwargs)
        except DomainError:
            return
        self.case = case
        self.events += events
        if case.state is not before.state:
            self.path.append(case.state)

    @rule()
    def submit(self):
        self.attempt(application.submit, pack=PACK, calendar=CALENDAR, missing_glyphs=no_glyphs)

    @rule(staff=STAFF)
    def precheck(self, staff):
        self.attempt(handling.precheck, staff=staff)

    @rule(staff=STAFF, checked=st.booleans())
    def accept(self, staff, checked):
        self.attempt(
            handling.accept, staff=staff, pack=PACK, calendar=CALENDAR, conflict_checked=checked
        )

    @rule(staff=STAFF)
    def supplement(self, staff):
        self.attempt(handling.supplement, staff=staff, text="请补充")

    @rule(consent=st.sampled_from(PACK.consents), given=st.booleans())
    def consent(self, consent, given):
        self.attempt(
            application.consent,
            pack=PACK,
            consent_id=consent.id,
            given=given,
            text_sha256=consent.text_sha256("zh-CN"),
        )

    @rule()
    def consent_to_everything(self):
        for consent in PACK.consents:
            self.consent(consent, True)

    @rule()
    def book(self):
        self.attempt(application.book, booking=Booking(1, "lin", "t", 2))

    @rule(camera=st.booleans())
    def check_device(self, camera):
        self.attempt(application.check_device, report={"camera": camera, "microphone": True})

    @rule(staff=STAFF)
    def open_session(self, staff):
        def begin(case, act):
            return handling.begin_session(
                case, act, staff=staff, session_id="5" * 32, calendar=CALENDAR
            ), ()

        self.attempt(begin)

    @rule(closed=st.booleans())
    def end_session(self, closed):
        self.attempt(lambda case, _act: (handling.end_session(case, closed=closed), ()))

    @rule()
    def seal(self):
        self.attempt(lambda case, _act: (handling.seal_session(case), ()))

    @rule(staff=STAFF)
    def review(self, staff):
        self.attempt(approval.review, staff=staff)

    @rule(staff=STAFF)
    def draft(self, staff):
        self.attempt(approval.draft, staff=staff, draft=Draft({"a": 1}, "f" * 64, "d" * 64, 1))

    @rule(staff=STAFF, digest=st.sampled_from(["f" * 64, "0" * 64]))
    def certify(self, staff, digest):
        self.attempt(
            approval.certify, staff=staff, pack=PACK, calendar=CALENDAR, facts_sha256=digest
        )

    @rule(staff=STAFF, verdict=st.sampled_from(["accepted", "returned", "maybe"]))
    def judge(self, staff, verdict):
        for number in range(len(PACK.claims) + 2):
            self.attempt(approval.judge, staff=staff, number=number, verdict=verdict, reason="因为")

    @rule(staff=STAFF)
    def send_back(self, staff):
        self.attempt(approval.return_with_reasons, staff=staff, reasons="请改")

    @rule(staff=STAFF)
    def approve(self, staff):
        self.attempt(
            approval.approve,
            staff=staff,
            pack=PACK,
            calendar=CALENDAR,
            facts_sha256="f" * 64,
            number=NUMBER,
            status_index=0,
            code="C",
            verify_url="u",
        )

    @rule()
    def complete(self):
        self.attempt(approval.complete, pdf_sha256="a" * 64)

    @rule()
    def deliver(self):
        self.attempt(approval.deliver, bundle_sha256="b" * 64)

    @rule(staff=STAFF)
    def refuse(self, staff):
        if len(self.path) > 12:  # let most plays get far before they may end
            self.attempt(handling.refuse, staff=staff, reason="否")

    @rule()
    def withdraw(self):
        if len(self.path) > 10:
            self.attempt(application.withdraw, reason="不办了")

    @rule()
    def go_on(self):
        """What would rightly come next, so that plays get far enough to go wrong late."""
        forward = {
            S.DRAFT: self.submit,
            S.SUBMITTED: lambda: self.precheck(ZHAO),
            S.PRECHECK: lambda: self.accept(LIN, True),
            S.SUPPLEMENT: self.submit,
            S.ACCEPTED: self.consent_to_everything,
            S.INFORMED: self.book,
            S.SCHEDULED: lambda: self.check_device(True),
            S.WAITING: lambda: self.open_session(LIN),
            S.IN_SESSION: lambda: self.end_session(True),
            S.CLOSED: self.seal,
            S.SEALED: lambda: self.review(LIN),
            S.REVIEW: lambda: self.draft(LIN),
            S.DRAFTED: lambda: self.certify(LIN, "f" * 64),
            S.RETURNED: lambda: self.draft(LIN),
            S.APPROVED: self.complete,
            S.ISSUED: self.deliver,
        }
        if self.case.state is S.PENDING_APPROVAL:
            self.judge(CHEN, "accepted")
            self.approve(CHEN)
        elif self.case.state in forward:
            forward[self.case.state]()

    @rule()
    def go_on_and_on(self):
        for _ in range(4):
            self.go_on()

    @invariant()
    def every_step_is_in_the_table(self):
        for before, after in zip(self.path, self.path[1:], strict=False):
            # accepting a case whose consents are all there informs it in the same act
            direct = after in FOLLOWS.get(before, frozenset())
            through = any(after in FOLLOWS.get(m, frozenset()) for m in FOLLOWS.get(before, ()))
            assert direct or through, (before, after)

    @invariant()
    def nothing_is_approved_by_its_handler_or_without_a_session(self):
        case = self.case
        if case.state in _BEFORE_APPROVAL:
            return
        assert S.SEALED in self.path
        assert not application.missing_consents(case, PACK)
        assert case.conflict_checked_at is not None
        roles = {each.role: each.staff for each in case.authorisations}
        assert roles["notary"] == case.handler.id != roles["approver"]
        assert all(claim.verdict == "accepted" for claim in case.claims)
        assert case.certificate is not None

    @invariant()
    def every_change_of_state_has_an_event_of_its_own(self):
        ids = [event.id for event in self.events]
        assert len(ids) == len(set(ids))

    @invariant()
    def nothing_personal_stands_in_clear(self):
        told = json.dumps([dict(event.public) for event in self.events], ensure_ascii=False)
        for private in ("王小明", "王大海", WANG.phone, self.case.form["document_number"]):
            assert private not in told

    @invariant()
    def a_case_survives_being_written_down(self):
        assert decode(type(self.case), encode(self.case)) == self.case


CaseMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=60, deadline=None)
TestCaseMachine = CaseMachine.TestCase
