"""The case: what its states allow, its clock, its guards."""

from dataclasses import replace

import pytest
from people import (
    CALENDAR,
    CHEN,
    DAY,
    FORM,
    LIN,
    PACK,
    WANG,
    ZHAO,
    Acts,
    accepted,
    consenting,
    filled,
    no_glyphs,
    submitted,
    waiting,
)

from server.domain import application, approval, handling
from server.domain.case import FOLLOWS, Case, CaseState, clock, move
from server.domain.certificate import Authorisation, CertificateNumber, Draft, authorised_digest
from server.domain.errors import DomainError
from server.domain.resident_id import check_character


def refusal(call, *args, **kwargs) -> DomainError:
    with pytest.raises(DomainError) as caught:
        call(*args, **kwargs)
    return caught.value


def fill(case: Case, key: str, value: object) -> Case:
    return application.fill(case, Acts()(WANG.id), pack=PACK, key=key, value=value)[0]


def hand_in(case: Case, *, glyphs=no_glyphs):
    return application.submit(
        case, Acts()(WANG.id), pack=PACK, calendar=CALENDAR, missing_glyphs=glyphs
    )


def test_a_wrong_check_digit_is_kept_and_told_at_submit():
    wrong = FORM["document_number"][:17] + ("1" if FORM["document_number"][17] != "1" else "2")
    case = fill(filled(Acts()), "document_number", wrong)
    assert case.form["document_number"] == wrong
    error = refusal(hand_in, case)
    assert (error.code, error.field) == ("id-number-check-digit", "document_number")


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("document_number", "123", "id-number-shape"),
        ("document_number", "11010120990231123", "id-number-shape"),
        ("attorney_phone", "12", "field-phone-invalid"),
        ("term_until", "2020-01-01", "field-date-past"),
        ("term_until", "soon", "field-date-invalid"),
        ("purpose", "fly", "field-choice-unknown"),
        ("powers", ["sign", "fly"], "field-choice-unknown"),
    ],
)
def test_a_field_that_cannot_stand_is_named(key, value, code):
    error = refusal(hand_in, fill(filled(Acts()), key, value))
    assert (error.code, error.field) == (code, key)


def test_somebody_under_age_is_sent_to_the_office():
    digits = "11010120150307123"
    case = fill(filled(Acts()), "document_number", digits + check_character(digits))
    assert refusal(hand_in, case).code == "applicant-under-age"


def test_a_birth_date_that_is_none_is_told():
    digits = "11010119900231123"
    case = fill(filled(Acts()), "document_number", digits + check_character(digits))
    assert refusal(hand_in, case).code == "id-number-birth-date"


def test_a_missing_glyph_names_the_character_and_the_field():
    case = fill(filled(Acts()), "applicant_name", "王𠮷")
    error = refusal(hand_in, case, glyphs=lambda text: ("𠮷",) if "𠮷" in text else ())
    assert (error.code, error.field) == ("glyph-missing", "applicant_name")
    assert error.params == {"glyphs": "𠮷", "named": ["𠮷 (U+20BB7)"]}
    assert case.form["applicant_name"] == "王𠮷"


def test_text_is_data_whatever_it_says():
    for hostile in (
        "'; DROP TABLE case_file;--",
        "<script>alert(1)</script>",
        "#panic(1)",
        "\ud800",
    ):
        case = fill(filled(Acts()), "subject", hostile)
        kept = case.form["subject"]
        assert isinstance(kept, str)
        kept.encode("utf-8")
        hand_in(case)


def test_an_empty_form_says_what_is_missing():
    case = fill(filled(Acts()), "attorney_name", "  ")
    error = refusal(hand_in, case)
    assert error.code == "form-incomplete"
    assert error.params["fields"] == ["attorney_name"]


def test_a_paper_must_be_there():
    assert refusal(hand_in, replace(filled(Acts()), papers=())).code == "paper-missing"


def test_every_required_consent_informs_and_an_optional_refusal_does_not_stop():
    acts = Acts()
    case = accepted(acts)
    for rule in PACK.consents:
        case, _ = application.consent(
            case,
            acts(WANG.id),
            pack=PACK,
            consent_id=rule.id,
            given=rule.required,
            text_sha256=rule.text_sha256("en"),
        )
    assert case.state is CaseState.INFORMED
    assert not application.consented(case, "biometrics")


def test_a_consent_to_another_text_is_refused():
    acts = Acts()
    error = refusal(
        application.consent,
        accepted(acts),
        acts(WANG.id),
        pack=PACK,
        consent_id="recording",
        given=True,
        text_sha256="0" * 64,
    )
    assert error.code == "consent-text-changed"


def test_taking_a_required_consent_back_before_booking_undoes_informed():
    acts = Acts()
    case = consenting(accepted(acts), acts)
    rule = PACK.consent("recording")
    assert rule is not None
    case, _ = application.consent(
        case,
        acts(WANG.id),
        pack=PACK,
        consent_id="recording",
        given=False,
        text_sha256=rule.text_sha256("zh-CN"),
    )
    assert case.state is CaseState.ACCEPTED
    assert application.missing_consents(case, PACK) == ("recording",)


def accept(case: Case, acts: Acts, staff=LIN, *, conflict_checked: bool = True):
    return handling.accept(
        case,
        acts(staff.id),
        staff=staff,
        pack=PACK,
        calendar=CALENDAR,
        conflict_checked=conflict_checked,
    )


def test_only_a_licensed_notary_without_conflict_accepts():
    acts = Acts()
    case, _ = handling.precheck(submitted(acts), acts(ZHAO.id), staff=ZHAO)
    assert refusal(accept, case, acts, ZHAO).code == "role-not-allowed"
    lapsed = replace(LIN, licensed_until="2026-11-22")
    assert refusal(accept, case, acts, lapsed).code == "licence-invalid"
    assert refusal(accept, case, acts, conflict_checked=False).code == "conflict-unchecked"
    assert accept(case, acts)[0].state is CaseState.ACCEPTED


def test_the_clock_counts_working_days_and_stands_still_in_a_supplement():
    acts = Acts()
    case = accepted(acts)

    def left(at: int):
        return clock(case, pack=PACK, calendar=CALENDAR, at=at)

    assert left(acts.at).days_left == 15
    assert left(acts.at + 4 * DAY).days_left == 11  # Friday
    assert left(acts.at + 7 * DAY).days_left == 10  # the weekend does not count
    case = replace(case, state=CaseState.REVIEW)
    case, _ = handling.supplement(case, acts(LIN.id), staff=LIN, text="请补充")
    assert left(acts.at + 7 * DAY).days_left == 15
    assert left(acts.at + 7 * DAY).paused
    acts.at += 7 * DAY
    case, _ = application.submit(
        case, acts(WANG.id), pack=PACK, calendar=CALENDAR, missing_glyphs=no_glyphs
    )
    assert case.state is CaseState.REVIEW
    assert left(acts.at + DAY).days_left == 14


def drafted(acts: Acts) -> Case:
    facts = {"what": "this"}
    case = replace(accepted(acts), state=CaseState.REVIEW)
    draft = Draft(facts, "f" * 64, "d" * 64, acts.at)
    return approval.draft(case, acts(LIN.id), staff=LIN, draft=draft)[0]


def certify(case: Case, acts: Acts, **changes):
    arguments = {"staff": LIN, "pack": PACK, "calendar": CALENDAR, "facts_sha256": "f" * 64}
    return approval.certify(case, acts(LIN.id), **(arguments | changes))


def pending(acts: Acts) -> Case:
    return certify(drafted(acts), acts)[0]


def judged(case: Case, acts: Acts) -> Case:
    for claim in case.claims:
        case, _ = approval.judge(
            case, acts(CHEN.id), staff=CHEN, number=claim.number, verdict="accepted", reason=""
        )
    return case


def approve(case: Case, acts: Acts, **changes):
    arguments = {
        "staff": CHEN,
        "pack": PACK,
        "calendar": CALENDAR,
        "facts_sha256": "f" * 64,
        "number": CertificateNumber("o", 2026, "示远山证字", 1, "（2026）示远山证字第1号"),
        "status_index": 0,
        "code": "CODE",
        "verify_url": "http://localhost/v/CODE",
    }
    return approval.approve(case, acts(CHEN.id), **(arguments | changes))


def test_nobody_approves_their_own_case():
    acts = Acts()
    case = judged(pending(acts), acts)
    both = replace(LIN, role="approver")
    assert refusal(approve, case, acts, staff=both).code == "approver-is-handler"
    assert refusal(approve, case, acts, staff=LIN).code == "approver-is-handler"
    assert refusal(approve, case, acts, staff=ZHAO).code == "role-not-allowed"


def test_open_or_returned_claims_stop_approval():
    acts = Acts()
    case = pending(acts)
    assert refusal(approve, case, acts).code == "claims-open"
    case = judged(case, acts)
    returned, _ = approval.judge(
        case, acts(CHEN.id), staff=CHEN, number=1, verdict="returned", reason="缺口未说明"
    )
    assert refusal(approve, returned, acts).code == "claim-returned"
    error = refusal(
        approval.judge, case, acts(), staff=CHEN, number=1, verdict="returned", reason=" "
    )
    assert error.code == "reason-required"


def test_an_authorisation_is_over_exactly_what_was_shown():
    acts = Acts()
    assert refusal(certify, drafted(acts), acts, facts_sha256="0" * 64).code == "draft-changed"
    case, events, facts = approve(judged(pending(acts), acts), acts)
    over = authorised_digest({"what": "this"}, "d" * 64)
    assert [each.over for each in case.authorisations] == [over, over]
    assert [each.role for each in case.authorisations] == ["notary", "approver"]
    assert facts["authorisations"] == [each.record() for each in case.authorisations]
    assert events[-1].chain == "register"
    assert events[-1].items["intent"] == case.certificate.intent


def test_nothing_is_signed_for_one_person_in_two_roles():
    by = {"v": 1, "kind": "totp", "at": 1, "over": "a" * 64}
    notary = Authorisation(role="notary", staff=LIN.id, **by)
    approver = Authorisation(role="approver", staff=CHEN.id, **by)
    case = filled(Acts())
    approval.require_two_people(replace(case, authorisations=(notary, approver)))
    for given, code in (
        ((notary, replace(approver, staff=LIN.id)), "approver-is-handler"),
        ((notary, replace(approver, over="b" * 64)), "draft-changed"),
        ((approver,), "draft-changed"),
        ((), "draft-changed"),
    ):
        error = refusal(approval.require_two_people, replace(case, authorisations=given))
        assert error.code == code


def test_drafting_again_takes_the_authorisations_back():
    acts = Acts()
    case, _ = approval.return_with_reasons(
        pending(acts), acts(CHEN.id), staff=CHEN, reasons="请改正"
    )
    again = Draft({"what": "that"}, "e" * 64, "d" * 64, acts.at)
    case, _ = approval.draft(case, acts(LIN.id), staff=LIN, draft=again)
    assert case.authorisations == ()
    assert case.claims == ()


def test_an_expired_clock_stops_certifying_and_approving():
    acts = Acts()
    case, waiting_case = drafted(acts), judged(pending(acts), acts)
    acts.at += 40 * DAY
    assert refusal(certify, case, acts).code == "clock-expired"
    assert refusal(approve, waiting_case, acts).code == "clock-expired"


def test_a_lapsed_licence_stops_approval():
    acts = Acts()
    case = judged(pending(acts), acts)
    lapsed = replace(case, handler=replace(LIN, licensed_until="2026-11-22"))
    assert refusal(approve, lapsed, acts).code == "licence-invalid"


def test_only_the_handler_refuses_and_says_why():
    acts = Acts()
    case = waiting(acts)
    other = replace(LIN, id="other")
    error = refusal(handling.refuse, case, acts(), staff=other, reason="否")
    assert error.code == "not-handler"
    assert refusal(handling.refuse, case, acts(), staff=LIN, reason=" ").code == "reason-required"
    ended, _ = handling.refuse(case, acts(), staff=LIN, reason="材料不实")
    assert ended.state is CaseState.REFUSED
    assert ended.ending.reason == "材料不实"


@pytest.mark.parametrize("state", list(CaseState))
def test_no_state_is_left_but_by_the_table(state):
    case = replace(waiting(Acts()), state=state)
    for to in CaseState:
        if to in FOLLOWS.get(state, frozenset()):
            assert move(case, to).state is to
        else:
            assert refusal(move, case, to).code == "case-state"


@pytest.mark.parametrize("state", [CaseState.APPROVED, CaseState.ISSUED, CaseState.DELIVERED])
def test_what_is_approved_cannot_be_withdrawn(state):
    case = replace(waiting(Acts()), state=state)
    assert refusal(application.withdraw, case, Acts()(), reason="x").code == "case-state"
