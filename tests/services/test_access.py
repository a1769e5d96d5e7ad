"""Who of the office may look at what a person handed in or showed, and that each look is logged."""

from dataclasses import replace

import pytest
from script import CHEN, LIN, WANG, ZHAO, Play
from sqlalchemy import select
from stage import Stage, open_stage

from server.domain.errors import DomainError
from server.domain.participant import Applicant, Staff
from server.storage import models

OTHER = replace(LIN, id="other", name_zh="另一位")
STRANGER = Applicant("b" * 32, "13900000002")


async def refused(awaitable, code: str) -> None:
    with pytest.raises(DomainError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value


async def looks(stage: Stage) -> list[tuple[str, str]]:
    async with stage.database.read() as connection:
        rows = await connection.execute(select(models.access.c.who, models.access.c.what))
        return [(who, what) for who, what in rows]


async def the_paper(play: Play, person: Staff | Applicant) -> bytes:
    case = await play.stage.services.workplace.files.case(play.case)
    intake = play.stage.services.intake
    return (await intake.paper(person, play.case, case.papers[0].id)).content


async def test_a_paper_is_shown_to_who_has_the_case_and_each_look_is_logged(tmp_path):
    async with open_stage(tmp_path) as stage:
        play = Play(stage)
        await play.apply()
        for reader in (ZHAO, LIN, OTHER, WANG):  # handed in: the desk's, and the applicant's own
            assert await the_paper(play, reader) == b"x"
        await refused(the_paper(play, CHEN), "role-not-allowed")
        await refused(the_paper(play, STRANGER), "case-unknown")
        await play.accept()
        assert await the_paper(play, LIN) == b"x"
        await refused(the_paper(play, ZHAO), "role-not-allowed")
        await refused(the_paper(play, OTHER), "not-handler")
        await refused(the_paper(play, CHEN), "role-not-allowed")  # there is nothing to approve yet
        (paper,) = (await stage.services.workplace.files.case(play.case)).papers
        read = f"paper {paper.id}"
        assert await looks(stage) == [(who, read) for who in (ZHAO.id, LIN.id, OTHER.id, LIN.id)]


async def test_what_is_still_being_written_is_the_applicants_alone(tmp_path):
    async with open_stage(tmp_path) as stage:
        intake = stage.services.intake
        view = await intake.create(WANG, matter="poa-remote", language="zh-CN")
        card = {"kind": "identity", "name": "card.jpg", "media_type": "image/jpeg"}
        paper = await intake.add_paper(WANG, view["id"], content=b"x", **card)
        await refused(intake.paper(ZHAO, view["id"], paper["id"]), "role-not-allowed")
        await refused(intake.paper(LIN, view["id"], paper["id"]), "not-handler")
        assert (await intake.paper(WANG, view["id"], paper["id"])).content == b"x"


async def test_the_approver_of_a_draft_may_read_its_papers(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        assert await the_paper(Play(stage, case=case.id), CHEN) == b"x"
        assert await looks(stage) == [(CHEN.id, f"paper {case.papers[0].id}")]


async def test_a_document_is_shown_to_who_has_the_case_and_each_look_is_logged(office):
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        pdf, page = stage.services.documents.pdf, stage.services.documents.page
        for reader, code in ((ZHAO, "role-not-allowed"), (OTHER, "not-handler"),
                             (CHEN, "role-not-allowed"), (STRANGER, "case-unknown")):  # fmt: skip
            await refused(pdf(reader, case.id), code)
            await refused(page(reader, case.id, 1), code)
        for reader in (WANG, LIN):
            assert (await pdf(reader, case.id)).content.startswith(b"%PDF")
        play = Play(stage, case=case.id)
        await play.open()
        await pdf(LIN, case.id)  # while it is conducted: what the session itself records
        assert await looks(stage) == [(LIN.id, "document")]
        await stage.services.ceremony.abort(LIN, play.sid, reason="x", language="en")
        await page(LIN, case.id, 1)
        assert (await looks(stage))[1:] == [(LIN.id, "document page 1")]


async def test_certificate_and_bundle_are_the_handlers_and_the_approvers(office):
    async with open_stage(office("judged")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.approve()
        await stage.work()
        delivery = stage.services.delivery
        for give, what in ((delivery.certificate, "certificate"), (delivery.bundle, "bundle")):
            await refused(give(ZHAO, case.id), "role-not-allowed")
            await refused(give(OTHER, case.id), "not-handler")
            for reader in (WANG, LIN, CHEN):
                assert (await give(reader, case.id)).content
            assert (await looks(stage))[-2:] == [(LIN.id, what), (CHEN.id, what)]


async def test_the_case_file_says_who_may_open_what_it_lists(tmp_path):
    async with open_stage(tmp_path) as stage:
        play = Play(stage)
        await play.apply()

        async def readers() -> list[str]:
            files = stage.services.reception.case_file
            return [
                each.id
                for each in (ZHAO, LIN, OTHER, CHEN)
                if (await files(each, play.case, language="en"))["may_read"]
            ]

        assert await readers() == [ZHAO.id, LIN.id, OTHER.id]
        await play.accept()
        assert await readers() == [LIN.id]


async def test_a_session_is_shown_to_its_two_parties_and_an_approver_only(office):
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        view = stage.services.ceremony.view
        for reader in (LIN, WANG):
            assert (await view(reader, play.sid, language="en"))["id"] == play.sid
        assert await looks(stage) == []
        await refused(view(OTHER, play.sid, language="en"), "session-has-notary")
        await refused(view(ZHAO, play.sid, language="en"), "role-not-allowed")
        assert (await view(CHEN, play.sid, language="en"))["id"] == play.sid
        assert await looks(stage) == [(CHEN.id, f"session {play.sid}")]
        await stage.services.ceremony.abort(LIN, play.sid, reason="x", language="en")
        await refused(view(OTHER, play.sid, language="en"), "not-handler")
        assert (await view(LIN, play.sid, language="en"))["state"] == "ABORTED"
