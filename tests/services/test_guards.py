"""What the services refuse, and that a refusal leaves nothing behind."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from script import CHEN, FORM, LIN, TOTP, WANG, ZHAO, Play
from sqlalchemy import func, select
from stage import open_stage

from ledger.errors import StoreError
from server.domain import application
from server.domain.errors import DomainError
from server.domain.participant import Applicant
from server.domain.session import SessionState
from server.journal import Journal, submission
from server.storage import models
from server.storage.outbox import Outbox

OTHER = Applicant("b" * 32, "13900000002")


@pytest.fixture
async def waiting(office):
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        yield Play(stage, case=case.id)


@pytest.fixture
async def judged(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        yield Play(stage, case=case.id, sid=case.sessions[-1])


async def refused(awaitable, code: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value
    return caught.value


class Refusing:
    """A ledger that takes nothing."""

    async def append(self, submission):
        raise StoreError("the disk is full")


class Deaf(Journal):
    """A journal that thinks all is well while nothing is anchored."""

    async def drain(self) -> int:
        return 0


async def test_nothing_is_issued_while_an_event_is_not_anchored(judged):
    stage = judged.stage
    stage.services.approval._journal = Deaf(Outbox(stage.database), Refusing(), clock=stage.clock)
    error = await refused(judged.approve(), "events-unanchored")
    assert error.params["pending"] > 0
    assert await stage.services.workplace.registers.all() == ()


async def test_nothing_is_issued_from_an_unsealed_session(judged):
    async with judged.stage.services.workplace.files.change(judged.case) as change:
        change.session = replace(change.held, state=SessionState.CLOSED)
    await refused(judged.approve(), "session-unsealed")
    assert await judged.stage.services.workplace.registers.all() == ()


async def test_the_code_must_be_right_and_the_draft_the_one_shown(judged):
    approval = judged.stage.services.approval
    draft = await approval.draft_facts(CHEN, judged.case)
    good = {"facts_sha256": draft["facts_sha256"], "language": "en"}
    await refused(approval.approve(CHEN, judged.case, totp="111111", **good), "totp-wrong")
    wrong = good | {"facts_sha256": "0" * 64}
    await refused(approval.approve(CHEN, judged.case, totp=TOTP, **wrong), "draft-changed")
    handler = replace(LIN, role="approver")
    await refused(approval.approve(handler, judged.case, totp=TOTP, **good), "approver-is-handler")


async def test_a_refused_change_leaves_no_event_and_no_state(waiting):
    files = waiting.stage.services.workplace.files
    before = await files.case(waiting.case)
    count = len(await waiting.stage.services.workplace.outbox.of_case(waiting.case))

    async def half() -> None:
        async with files.change(waiting.case) as change:
            act = waiting.stage.services.workplace.act(WANG.id)
            change.case, events = application.withdraw(change.case, act, reason="x")
            change.emit(events)
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        await half()
    assert await files.case(waiting.case) == before
    assert len(await waiting.stage.services.workplace.outbox.of_case(waiting.case)) == count


async def test_a_case_of_somebody_else_does_not_exist(waiting):
    services = waiting.stage.services
    await refused(services.intake.case(OTHER, waiting.case, language="en"), "case-unknown")
    await refused(
        services.intake.fill(OTHER, waiting.case, field="subject", value="x"), "case-unknown"
    )
    await refused(services.delivery.receipt(OTHER, waiting.case), "case-unknown")
    await refused(services.documents.pdf(OTHER, waiting.case), "case-unknown")
    await waiting.open()
    await refused(services.ceremony.view(OTHER, waiting.sid, language="en"), "session-unknown")
    await refused(
        services.ceremony.understood(OTHER, waiting.sid, language="en"), "session-unknown"
    )


async def test_no_clock_a_browser_names_can_stop_the_ledger(waiting):
    """An event the ledger refuses would stand before every later one of the whole office."""
    await waiting.open()
    recordings = waiting.stage.services.recordings
    with pytest.raises(ValueError, match="integers"):
        await recordings.clock_offset(waiting.sid, offset_ms=10**30, rtt_ms=1)
    await recordings.clock_offset(waiting.sid, offset_ms=12, rtt_ms=1)
    await waiting.stage.journal.drain()
    assert (
        await waiting.stage.services.workplace.outbox.state(session_id=waiting.sid)
    ).pending == 0


async def test_a_second_notary_is_told_who_is_there(waiting):
    await waiting.open()
    other = replace(LIN, id="other", name_zh="另一位")
    ceremony = waiting.stage.services.ceremony
    error = await refused(ceremony.open(other, waiting.case, language="en"), "session-has-notary")
    assert error.params["notary"] == LIN.name_zh
    await refused(ceremony.role(other, waiting.sid), "session-has-notary")
    again = await ceremony.open(LIN, waiting.case, language="en")
    assert again["id"] == waiting.sid


async def test_an_invitation_is_for_the_person_it_was_made_for(waiting):
    stage = waiting.stage
    appointments = stage.services.appointments
    case = await stage.services.workplace.files.case(waiting.case)
    token = case.booking.token
    assert (await appointments.invitation(token, WANG))["case_id"] == waiting.case
    await refused(appointments.invitation("nonsense", WANG), "invitation-unknown")
    await refused(appointments.invitation(token, OTHER), "invitation-other-person")
    await appointments.book(WANG, waiting.case, at=stage.clock(), language="en")
    await refused(appointments.invitation(token, WANG), "invitation-expired")
    fresh = (await stage.services.workplace.files.case(waiting.case)).booking.token
    stage.clock.ahead_ms = 30 * 86_400_000
    await refused(appointments.invitation(fresh, WANG), "invitation-expired")


async def test_a_wrong_check_digit_is_kept_and_told_by_its_field(tmp_path):
    async with open_stage(tmp_path) as stage:
        intake = stage.services.intake
        case = (await intake.create(WANG, matter="poa-remote", language="zh-CN"))["id"]
        wrong = FORM["document_number"][:17] + "0"
        told = await intake.fill(WANG, case, field="document_number", value=wrong)
        assert told["form"]["document_number"] == wrong
        assert told["problems"]["document_number"]["code"] == "id-number-check-digit"
        told = await intake.fill(WANG, case, field="applicant_name", value="王𠮷")
        assert told["problems"]["applicant_name"]["params"] == {
            "glyphs": "𠮷",
            "named": ["𠮷 (U+20BB7)"],
        }
        await refused(intake.create(WANG, matter="nothing", language="en"), "matter-unknown")


async def test_everything_typed_is_only_text(tmp_path):
    hostile = '\'); DROP TABLE case_file; -- <img src=x onerror=alert(1)> #panic("x") \x00\ud800'
    async with open_stage(tmp_path) as stage:
        play = Play(stage)
        await play.apply()
        queue = await stage.services.reception.queue(ZHAO, filter="all", language="en")
        assert [line["id"] for line in queue["cases"]] == [play.case]
        await stage.services.reception.precheck(ZHAO, play.case, language="en")
        view = await stage.services.reception.supplement(
            ZHAO, play.case, text=hostile.replace("\ud800", ""), language="en"
        )
        assert "DROP TABLE" in view["asked"]["text"]
        for field in ("subject", "applicant_address", "recipient", "attorney_name"):
            await stage.services.intake.fill(WANG, play.case, field=field, value=hostile[:60])
        pdf = await stage.services.documents.pdf(WANG, play.case)
        assert pdf.content.startswith(b"%PDF")
        async with stage.database.read() as connection:
            assert await connection.scalar(select(func.count()).select_from(models.case)) == 1


async def test_what_a_machine_cannot_tell_is_unavailable_and_the_notary_decides(waiting):
    stage = waiting.stage
    stage.eyes.fields, stage.eyes.score, stage.eyes.answer = {}, None, None
    await waiting.open()
    await waiting.step(1)
    await waiting.step_2()
    view = await waiting.view()
    evidence = {each["key"]: each for each in view["steps"][1]["evidence"]}
    assert all(each["done"] for each in evidence.values())
    unavailable = {key for key, each in evidence.items() if each["unavailable"]}
    assert unavailable == {"document_front", "document_back", "face_comparison", "registry_answer"}
    assert view["identity"]["comparison"]["unavailable"] is True
    applicant = await stage.services.ceremony.view(WANG, waiting.sid, language="zh-CN")
    assert applicant["identity"] is None
    assert applicant["flagged"] is None


async def test_who_refuses_biometrics_is_compared_by_eye_and_their_face_goes_nowhere(waiting):
    stage, identity = waiting.stage, waiting.stage.services.identity
    compared, sent = [], []

    async def compare(portrait, frames, at):
        compared.append(portrait)
        return await stage.eyes.compare(portrait, frames, at)

    async def ask(query, name, number, portrait):
        sent.append(portrait)
        return await stage.eyes.ask(query, name, number, portrait)

    identity._analysis = replace(identity._analysis, compare=compare, ask_registry=ask)
    (consent,) = [
        each
        for each in stage.services.intake.matter("poa-remote")["consents"]
        if each["id"] == "biometrics"
    ]
    await stage.services.intake.consent(
        WANG,
        waiting.case,
        "biometrics",
        given=False,
        text_sha256=consent["text_sha256"]["zh-CN"],
        language="zh-CN",
    )
    await waiting.open()
    await waiting.step(1)
    await waiting.step_2()
    assert compared == []
    assert sent == [b""]
    view = await waiting.view()
    assert view["identity"]["comparison"]["unavailable"] is True
    assert view["identity"]["decision"]["accepted"] is True


async def test_a_hint_after_the_end_is_refused(waiting):
    await waiting.open()
    await waiting.stage.services.ceremony.abort(LIN, waiting.sid, reason="x", language="en")
    late = await waiting.stage.eyes.compare(b"", [], 1)
    await refused(waiting.stage.services.identity.finding(waiting.sid, late), "session-state")


async def test_no_picture_is_said_plainly(waiting):
    waiting.stage.eyes.snapshot = None
    await waiting.open()
    await waiting.step(1)
    identity = waiting.stage.services.identity
    await refused(
        identity.capture(LIN, waiting.sid, what="face", language="en"), "picture-unavailable"
    )


async def test_beyond_the_grace_a_new_session_is_linked_from_step_1(waiting):
    ceremony, stage = waiting.stage.services.ceremony, waiting.stage
    await waiting.open()
    await waiting.step(1)
    await waiting.step(2)
    await ceremony.lost(waiting.sid, role="applicant", reason="断线", since=stage.clock())
    stage.clock.ahead_ms = 11 * 60_000
    new = await ceremony.resume(LIN, waiting.sid, language="zh-CN")
    assert new["id"] != waiting.sid
    assert (new["number"], new["linked_to"], new["step"]) == (2, waiting.sid, 1)
    old = await ceremony.view(LIN, waiting.sid, language="zh-CN")
    assert (old["state"], old["replaced_by"]) == ("ABORTED", new["id"])
    assert [mark["done"] for mark in old["steps"][0]["evidence"]].count(True) == 6
    waiting.sid = new["id"]
    await waiting.step(1)
    assert (await waiting.view())["step"] == 2


async def test_the_applicant_leaving_starts_the_grace(waiting):
    ceremony = waiting.stage.services.ceremony
    await waiting.open()
    view = await ceremony.leave(WANG, waiting.sid, language="zh-CN")
    assert view["state"] == "INTERRUPTED"
    assert view["grace_ends_at"] > waiting.stage.clock()
    view = await ceremony.resume(LIN, waiting.sid, language="zh-CN")
    assert (view["state"], view["steps"][0]["state"]) == ("OPEN", "repeated")


async def test_an_abort_goes_back_to_waiting_and_keeps_everything(waiting):
    ceremony = waiting.stage.services.ceremony
    await waiting.open()
    await waiting.step(1)
    before = len(await waiting.stage.services.workplace.outbox.of_session(waiting.sid))
    await ceremony.abort(LIN, waiting.sid, reason="有第三人在场", language="zh-CN")
    events = await waiting.stage.services.workplace.outbox.of_session(waiting.sid)
    assert len(events) == before + 1
    case = await waiting.stage.services.workplace.files.case(waiting.case)
    assert case.state == "WAITING"
    await ceremony.open(LIN, waiting.case, language="zh-CN")
    sessions = await waiting.stage.services.workplace.files.sessions_of(waiting.case)
    assert [each.number for each in sessions] == [1, 2]


async def test_a_signature_by_another_key_is_refused_and_can_be_done_again(waiting):
    await waiting.open()
    for number in range(1, 7):
        await waiting.step(number)
    await waiting.make_key()
    right, waiting.key = waiting.key, ec.generate_private_key(ec.SECP256R1())
    await refused(waiting.sign("document"), "signature-invalid")
    waiting.key = right
    await waiting.sign("document")
    assert (await waiting.view())["steps"][6]["missing"] == []
    await refused(waiting.sign("document"), "signing-done")
    await refused(waiting.sign("record"), "signing-too-early")


async def test_closing_needs_the_code_and_everything_done(waiting):
    ceremony = waiting.stage.services.ceremony
    await waiting.open()
    for number in range(1, 9):
        await waiting.step(number)
    await refused(ceremony.close(LIN, waiting.sid, totp=TOTP, language="en"), "step-incomplete")
    await waiting.step_9()
    await refused(ceremony.close(LIN, waiting.sid, totp="1", language="en"), "totp-wrong")
    view = await ceremony.close(LIN, waiting.sid, totp=TOTP, language="en")
    assert view["state"] == "CLOSED"
    copy = await waiting.stage.services.delivery.receipt(WANG, waiting.case)
    assert copy["proofs"] == "pending"


async def test_events_wait_while_the_ledger_refuses_and_go_in_order_later(waiting):
    stage = waiting.stage
    outbox = Outbox(stage.database)
    stopped = Journal(outbox, Refusing(), clock=stage.clock)
    await waiting.open()
    await waiting.step(1)
    with pytest.raises(StoreError):
        await stopped.drain()
    view = await waiting.view()
    assert view["anchored"]["pending"] > 0
    told = []
    stop = stage.journal.subscribe(told.append)
    await stage.journal.drain()
    stop()
    assert [each.index for each in told] == sorted(each.index for each in told)
    events = await outbox.of_session(waiting.sid)
    assert [event.id for event in events if event.index is not None] == [
        each.event for each in told if each.session_id == waiting.sid
    ]
    assert (await waiting.view())["anchored"]["pending"] == 0


async def test_an_event_submitted_twice_is_one_entry(waiting):
    stage = waiting.stage

    await stage.journal.drain()
    await waiting.open()
    size = stage.log.size
    outbox = Outbox(stage.database)
    for event in await outbox.waiting(limit=10):
        await stage.log.append(submission(event))
    appended = stage.log.size - size
    assert appended > 0
    await stage.journal.drain()
    assert stage.log.size == size + appended


async def test_a_recording_is_shown_to_handler_and_approver_only_and_logged(judged):
    recordings = judged.stage.services.recordings
    assert await recordings.allowed(LIN, judged.sid) == judged.case
    assert await recordings.allowed(CHEN, judged.sid) == judged.case
    await refused(recordings.allowed(ZHAO, judged.sid), "role-not-allowed")
    await refused(recordings.allowed(replace(LIN, id="x"), judged.sid), "not-handler")


async def test_pictures_are_for_those_who_may_see_the_recording_and_every_look_is_logged(judged):
    services = judged.stage.services
    (shown, *_) = [
        row
        for row in await services.workplace.findings.of_session(judged.sid)
        if row.sort == "picture"
    ]
    look = services.identity.picture
    assert (await look(LIN, judged.sid, shown.id)).content
    assert (await look(CHEN, judged.sid, shown.id)).content
    await refused(look(ZHAO, judged.sid, shown.id), "role-not-allowed")
    await refused(look(replace(LIN, id="x"), judged.sid, shown.id), "not-handler")
    async with judged.stage.database.read() as connection:
        who = list(await connection.scalars(select(models.access.c.who)))
    assert who == [LIN.id, CHEN.id]
    async with judged.stage.database.read() as connection:
        rows = (await connection.execute(select(models.access.c.who))).scalars().all()
    assert rows == [LIN.id, CHEN.id]
