"""The session: nine steps in order, evidence, interruption and grace, record, close."""

from dataclasses import replace

import pytest
from people import LIN, PACK, WANG, Acts

from server.domain import course, steps
from server.domain.errors import DomainError
from server.domain.evidence import needed
from server.domain.session import (
    ApplicantKey,
    Manifest,
    Session,
    SessionDocument,
    SessionState,
    Signing,
    happened,
    mark,
    missing,
    needed_now,
)

MANIFEST = Manifest("d" * 64, "e" * 64, 1)


def refusal(call, *args, **kwargs) -> DomainError:
    with pytest.raises(DomainError) as caught:
        call(*args, **kwargs)
    return caught.value


def opened(acts: Acts, document_type: str = "resident_id") -> Session:
    return course.open_session(
        "5" * 32,
        acts(LIN.id),
        case_id="c" * 32,
        number=1,
        linked_to=None,
        language="zh-CN",
        document_type=document_type,
        notary=LIN,
        applicant=WANG.id,
        applicant_name="王小明",
        pack=PACK,
    )[0]


def satisfied(session: Session, acts: Acts) -> Session:
    """Everything the current step needs, seen."""
    if PACK.step(session.step).key == "read":
        session = replace(session, document=SessionDocument("o", "a" * 64, ("b" * 64,), ("c",)))
    if session.step == 9:
        session = replace(session, manifest=MANIFEST)
    for each in needed_now(session, PACK):
        if each.key != "manifest_signed_notary":
            session, _ = mark(session, acts(), pack=PACK, key=each.key)
    return session


def at_step(number: int, acts: Acts) -> Session:
    session = opened(acts)
    while session.step < number:
        session = satisfied(session, acts)
        session, _ = steps.complete_step(session, acts(), pack=PACK, number=session.step)
    return session


def test_a_step_is_done_only_when_nothing_is_missing():
    acts = Acts()
    session = opened(acts)
    error = refusal(steps.complete_step, session, acts(), pack=PACK, number=1)
    assert error.code == "step-incomplete"
    assert "公证员画面已录制" in error.params["missing"]
    session = satisfied(session, acts)
    assert missing(session, PACK) == ()
    session, (event,) = steps.complete_step(session, acts(), pack=PACK, number=1)
    assert session.step == 2
    assert event.public["step"] == 1


@pytest.mark.parametrize("number", [0, 2, 3, 9])
def test_no_step_is_skipped(number):
    acts = Acts()
    session = satisfied(opened(acts), acts)
    error = refusal(steps.complete_step, session, acts(), pack=PACK, number=number)
    assert error.code == "step-not-current"


def test_evidence_of_a_later_step_is_not_taken_now():
    acts = Acts()
    error = refusal(mark, opened(acts), acts(), pack=PACK, key="room_shown")
    assert error.code == "step-not-current"
    assert refusal(mark, opened(acts), acts(), pack=PACK, key="nothing").code == "evidence-unknown"


def test_a_notary_confirms_only_what_a_person_can_tell_and_in_words():
    acts = Acts()
    session = opened(acts)
    error = refusal(steps.confirm, session, acts(), pack=PACK, key="recording_notary", words="看到")
    assert error.code == "evidence-not-confirmable"
    error = refusal(steps.confirm, session, acts(), pack=PACK, key="recording_consent", words=" ")
    assert error.code == "reason-required"


def test_a_passport_needs_its_own_page_only():
    rule = PACK.step(2)
    arguments = {"pages": 0, "recheck": False}
    keys = {e.key for e in needed(rule, PACK, document_type="passport", **arguments)}
    assert "document_main" in keys
    assert not keys & {"document_front", "document_back"}


def test_an_identity_not_accepted_leaves_the_step_open():
    acts = Acts()
    session = satisfied(at_step(2, acts), acts)
    session, _ = steps.decide_identity(
        session, acts(), pack=PACK, accepted=False, reason="照片不符"
    )
    error = refusal(steps.complete_step, session, acts(), pack=PACK, number=2)
    assert error.params["keys"] == ["identity_decision"]


def interrupted(session: Session, acts: Acts) -> Session:
    act = acts()
    return course.interrupt(session, act, pack=PACK, reason="断线", since=act.at)[0]


@pytest.mark.parametrize("number", range(1, 10))
def test_within_grace_the_step_is_repeated_and_identity_checked_again(number):
    acts = Acts()
    session = satisfied(at_step(number, acts), acts)
    session = interrupted(session, acts)
    assert refusal(mark, session, acts(), pack=PACK, key="x").code == "session-state"
    acts.at += PACK.grace_ms - 100
    session, _ = course.resume(session, acts(), pack=PACK)
    assert session.state is SessionState.OPEN
    assert session.steps[number - 1].state == "repeated"
    lacking = {each.key for each in missing(session, PACK)}
    assert lacking == {each.key for each in needed_now(session, PACK)}
    assert ("identity_recheck" in lacking) == (number > 2)
    done = [run.state for run in session.steps[: number - 1]]
    assert done == ["done"] * (number - 1)


def test_beyond_the_grace_it_is_over():
    acts = Acts()
    session = interrupted(at_step(3, acts), acts)
    acts.at += PACK.grace_ms
    assert refusal(course.resume, session, acts(), pack=PACK).code == "grace-over"
    session, _ = course.abort(session, acts(), reason="断线", replaced_by="6" * 32)
    assert session.state is SessionState.ABORTED
    assert session.replaced_by == "6" * 32


def test_a_grace_of_zero_never_resumes():
    acts = Acts()
    strict = replace(PACK, grace_ms=0)
    act = acts()
    session, _ = course.interrupt(at_step(2, acts), act, pack=strict, reason="断线", since=act.at)
    assert refusal(course.resume, session, acts(), pack=strict).code == "grace-over"


def test_an_interruption_takes_the_key_and_unfinished_signatures():
    acts = Acts()
    done = Signing("1", "document", "a" * 64, "o", "x", 1, done_at=2)
    begun = Signing("2", "record", "a" * 64, "o", "x", 3)
    session = replace(at_step(8, acts), key=ApplicantKey("c", (), 1), signings=(done, begun))
    session, _ = course.resume(interrupted(session, acts), acts(), pack=PACK)
    assert session.key is None
    assert session.signings == (done,)


def test_a_page_counts_once_both_have_seen_it():
    acts = Acts()
    session = at_step(6, acts)
    document = SessionDocument("o", "a" * 64, ("b" * 64, "d" * 64), ("c", "e"))
    session = replace(session, document=document, page=1)
    session, _ = steps.see_page(session, acts(), pack=PACK, role="notary", number=1)
    assert session.marked("page_1") is None
    session, _ = steps.see_page(session, acts(), pack=PACK, role="applicant", number=1)
    assert session.marked("page_1") is not None
    assert [each.key for each in missing(session, PACK)] == ["page_2"]
    unlocked = steps.see_page(session, acts(), pack=PACK, role="applicant", number=2)
    assert unlocked == (session, ())  # both screens are at page 1
    error = refusal(steps.see_page, session, acts(), pack=PACK, role="notary", number=3)
    assert error.code == "page-unknown"


def test_the_read_step_waits_for_its_document():
    acts = Acts()
    error = refusal(steps.complete_step, at_step(6, acts), acts(), pack=PACK, number=6)
    assert error.code == "document-missing"


def test_the_record_keeps_what_was_said_beside_its_correction():
    acts = Acts()
    session, _ = steps.speak(
        at_step(5, acts), acts(), pack=PACK, who="applicant", key="who", text="王小名"
    )
    assert session.marked("question_who") is not None
    session, _ = steps.correct(session, acts(), number=1, text="王小明")
    (line,) = session.record
    assert line.text == "王小名"
    assert [each.text for each in line.corrections] == ["王小明"]


def test_a_disputed_line_stops_the_final_record_until_it_is_corrected():
    acts = Acts()
    session = at_step(5, acts)
    session, _ = steps.speak(session, acts(), pack=PACK, who="applicant", key="who", text="甲")
    while session.step < 8:
        session = satisfied(session, acts)
        session, _ = steps.complete_step(session, acts(), pack=PACK, number=session.step)
    session, _ = steps.finalise_record(session, acts(), pack=PACK)
    session, _ = steps.dispute(session, acts(), number=1, text="不是甲")
    assert session.marked("record_final") is None
    assert refusal(steps.finalise_record, session, acts(), pack=PACK).code == "record-disputed"
    before = steps.record_digest(session)
    session, _ = steps.correct(session, acts(), number=1, text="乙")
    session, _ = steps.finalise_record(session, acts(), pack=PACK)
    assert steps.record_digest(session) != before


def test_a_signed_record_is_closed():
    acts = Acts()
    done = Signing("1", "record", "a" * 64, "o", "x", 1, done_at=2)
    session = replace(at_step(8, acts), signings=(done,))
    error = refusal(steps.speak, session, acts(), pack=PACK, who="notary", key=None, text="补一句")
    assert error.code == "record-final"


def test_closing_needs_the_applicants_signature_on_the_manifest():
    acts = Acts()
    session = replace(at_step(9, acts), manifest=MANIFEST)
    error = refusal(course.close, session, acts(), pack=PACK, authorisation={})
    assert error.code == "step-incomplete"
    session = satisfied(session, acts)
    closed, events = course.close(session, acts(), pack=PACK, authorisation={"kind": "totp"})
    assert closed.state is SessionState.CLOSED
    assert [event.kind for event in events] == ["evidence-seen", "session-closed"]
    assert refusal(mark, closed, acts(), pack=PACK, key="x").code == "session-state"


def test_a_seal_states_how_many_entries_there_are():
    acts = Acts()
    session = satisfied(at_step(9, acts), acts)
    session, _ = course.close(session, acts(), pack=PACK, authorisation={})
    session, (event,) = course.seal(session, acts(), first=7, last=40)
    assert event.public["count"] == 34
    assert event.items["manifest"] == MANIFEST.sha256
    for kind in ("segment", "gap", "finding", "take-ended"):
        assert refusal(happened, session, acts(), kind).code == "session-state"
    session, _ = course.sealed(session, acts(), index=9, tree_size=12)
    assert session.state is SessionState.SEALED


def test_the_flag_has_no_entry_of_its_own_and_is_told_when_the_step_ends():
    acts = Acts()
    session = satisfied(at_step(3, acts), acts)
    act = acts(LIN.id)
    flagged, events = course.flag(session, act)
    assert replace(flagged, flags=()) == session
    assert events == ()
    _, (loud,) = steps.complete_step(flagged, acts(), pack=PACK, number=3)
    _, (quiet,) = steps.complete_step(session, acts(), pack=PACK, number=3)
    assert loud.facts == {"flags": [act.at]}
    assert quiet.facts == {"flags": []}  # both are one commitment in the ledger
    assert set(loud.public) == set(quiet.public)
    _, (broken,) = course.abort(flagged, acts(), reason="胁迫")
    assert broken.facts["flags"] == [act.at]
