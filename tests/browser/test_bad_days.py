"""What goes wrong at the pages: each time a clear word, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, expect

from server.rehearsal.cast import ANSWERS, APPLICANT
from server.rehearsal.office import FreshOffice
from server.rehearsal.visitor import Visitor

from . import doors
from .conftest import Launch
from .films import Films
from .people import DESK, PATIENCE_MS, PHONE, Applicant, Staff, window

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEEPS_PEERS = """{
  const Peer = RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) { super(...given); window.peers.push(this); }
  };
}"""
COVERS_CAMERA = """window.peers.at(-1).getSenders()
  .find((sender) => sender.track?.kind === "video").replaceTrack(null)"""
ODD = "<img src=x onerror=document.title='taken'>' OR 1=1; DROP TABLE cases;--"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notary(office: FreshOffice) -> AsyncIterator[Visitor]:
    async with doors.staff(office, "notary") as visitor:
        yield visitor


class Callers:
    """Applicants, each with a telephone number of their own."""

    def __init__(self, office: FreshOffice, open_until: AsyncExitStack) -> None:
        self._office = office
        self._open = open_until
        self._number = 13800000100

    async def call(self) -> tuple[Visitor, str]:
        self._number += 1
        phone = str(self._number)
        return await self._open.enter_async_context(doors.applicant(self._office, phone)), phone


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers(office: FreshOffice) -> AsyncIterator[Callers]:
    async with AsyncExitStack() as stack:
        yield Callers(office, stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def booked(callers: Callers, notary: Visitor, films: Films) -> tuple[Visitor, str, str]:
    """An applicant, the telephone number, and a case that only the device check is missing of."""
    visitor, phone = await callers.call()
    case = await doors.new_case(visitor)
    await doors.hand_in(visitor, case, films.card)
    await doors.accept(notary, case)
    await doors.consent(visitor, case)
    await doors.book(visitor, case, slot=1)
    return visitor, phone, case


@pytest.mark.parametrize(
    ("devices", "trouble"),
    [
        (("--use-fake-device-for-media-stream", "--deny-permission-prompts"), "refused"),
        (("--use-fake-ui-for-media-stream",), "no-devices"),
        (
            # Chromium's pretended microphone alone: the count is of its cameras.
            (
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream=device-count=0",
            ),
            "no-camera",
        ),
    ],
)
async def test_a_camera_that_cannot_be_had(
    devices: tuple[str, ...],
    trouble: str,
    office: FreshOffice,
    launch: Launch,
    booked: tuple[Visitor, str, str],
    album: Path | None,
) -> None:
    visitor, _, case = booked
    applicant = Applicant(await window(await launch(devices=devices), PHONE), office, album=album)
    await doors.hand_over(visitor, applicant.page)
    await applicant.visit(f"/cases/{case}/device")
    await applicant.see(f"[data-trouble={trouble}]")
    await applicant.see("[data-trouble] button")  # once more, when it is put right
    await applicant.picture(f"bad-{trouble}")
    assert (await visitor.get(f"/api/cases/{case}"))["state"] == "SCHEDULED"
    assert applicant.complaints == []


async def test_invitations_that_lead_nowhere(
    office: FreshOffice,
    launch: Launch,
    booked: tuple[Visitor, str, str],
    callers: Callers,
    album: Path | None,
) -> None:
    visitor, _, case = booked
    first = (await visitor.get(f"/api/cases/{case}"))["booking"]["invitation_url"]
    await doors.book(visitor, case, slot=2)
    second = (await visitor.get(f"/api/cases/{case}"))["booking"]["invitation_url"]
    browser = await launch(devices=())
    applicant = Applicant(await window(browser, PHONE), office, album=album)
    await doors.hand_over(visitor, applicant.page)
    for path, code in (("/join/" + "0" * 32, "invitation-unknown"), (first, "invitation-expired")):
        await applicant.visit(path.removeprefix(office.url))
        await applicant.see(f"[data-code={code}]")
        await applicant.picture(f"bad-{code}")
    await applicant.visit(second.removeprefix(office.url))
    await applicant.page.wait_for_url(f"**/cases/{case}/**")

    somebody, _ = await callers.call()
    stranger = Applicant(await window(browser, PHONE), office)
    await doors.hand_over(somebody, stranger.page)
    await stranger.visit(second.removeprefix(office.url))
    await stranger.see("[data-code=invitation-other-person]")


async def test_a_name_with_a_character_the_typeface_lacks(
    office: FreshOffice, launch: Launch, callers: Callers, album: Path | None
) -> None:
    visitor, _ = await callers.call()
    case = await doors.new_case(visitor)
    applicant = Applicant(await window(await launch(devices=()), PHONE), office, album=album)
    await doors.hand_over(visitor, applicant.page)
    await applicant.visit(f"/cases/{case}/form")
    await applicant.fill({"applicant_name": "周\U00030000"})
    told = applicant.page.locator("[data-field=applicant_name] .problem")
    await expect(told).to_contain_text("\U00030000")
    await applicant.picture("bad-glyph")
    await applicant.page.reload()
    name = applicant.page.locator("[data-field=applicant_name] input")
    await expect(name).to_have_value("周\U00030000")
    await applicant.fill({"applicant_name": "申请人甲"})
    await expect(told).to_have_count(0)
    assert (await visitor.get(f"/api/cases/{case}"))["form"]["applicant_name"] == "申请人甲"


async def test_html_and_sql_are_text(
    office: FreshOffice,
    launch: Launch,
    callers: Callers,
    notary: Visitor,
    films: Films,
    album: Path | None,
) -> None:
    visitor, _ = await callers.call()
    case = await doors.new_case(visitor, {"attorney_name": "受托人丙"})
    browser = await launch(devices=())
    applicant = Applicant(await window(browser, PHONE), office)
    await doors.hand_over(visitor, applicant.page)
    await applicant.visit(f"/cases/{case}/form")
    await applicant.fill({"subject": ODD, "applicant_address": ODD, "recipient": ODD})
    await applicant.hand_in(films.card)
    desk = Staff(await window(browser, DESK), office, album=album)
    await doors.hand_over(notary, desk.page)
    await desk.visit(f"/desk/cases/{case}")
    await expect(desk.page.locator("[data-field=subject]")).to_have_text(ODD)
    await expect(desk.page.locator("[data-field=applicant_address]")).to_have_text(ODD)
    assert await desk.page.title() != "taken"
    assert await desk.page.locator("main img").count() == 0
    assert applicant.complaints + desk.complaints == []


async def test_a_passport_a_second_notary_and_a_tab_closed_while_signing(
    office: FreshOffice,
    launch: Launch,
    callers: Callers,
    notary: Visitor,
    films: Films,
    album: Path | None,
) -> None:
    visitor, phone = await callers.call()
    passport = {"document_type": "passport", "document_number": APPLICANT.passport}
    case = await doors.new_case(visitor, passport)
    await doors.hand_in(visitor, case, films.passport)
    await doors.accept(notary, case)
    await doors.consent(visitor, case)
    await doors.book(visitor, case)
    await doors.check_devices(visitor, case)
    pocket, bureau = await asyncio.gather(
        launch(*films.applicant.flags), launch(*films.notary.flags)
    )
    desk = Staff(await window(bureau, DESK), office, album=album)
    applicant = Applicant(await window(pocket, PHONE), office, album=album, phone=phone, case=case)
    await doors.hand_over(notary, desk.page)
    await doors.hand_over(visitor, applicant.page)
    await desk.visit(f"/desk/cases/{case}")
    session = await desk.meet()
    await applicant.visit(f"/cases/{case}/session")
    await applicant.see(".session[data-step]")
    await asyncio.gather(applicant.sees_the_other(), desk.sees_the_other())
    await to_signing(desk, applicant, notary, visitor, session, films.passport)

    await a_second_notary_is_refused(office, bureau, session, case, album)

    await applicant.reach("sign")
    await applicant.write_name()
    await applicant.page.close()
    await desk.see("[data-resume]")
    await desk.picture("bad-interrupted")

    back = Applicant(await pocket.contexts[0].new_page(), office, album=album, case=case)
    await back.visit(f"/cases/{case}/session")
    await back.see(".session[data-step]")
    await back.sees_the_other()
    await desk.press("[data-resume]")
    await back.reach("sign")
    await desk.see("[data-step=sign][data-state=repeated]")
    await desk.picture("bad-repeated")
    await desk.confirm("identity_recheck")
    await back.sign_document()
    await back.picture("bad-signed-again")
    await desk.finish("sign")
    await back.reach("confirm")
    assert desk.complaints + applicant.complaints + back.complaints == []


async def to_signing(
    desk: Staff,
    applicant: Applicant,
    notary: Visitor,
    visitor: Visitor,
    session: str,
    passport: bytes,
) -> None:
    """Plays the first six steps; both pages are there and show what is asked of them."""

    async def act(path: str, **body: object) -> None:
        await notary.post(f"/api/sessions/{session}/{path}", body)

    async def confirm(*evidence: str) -> None:
        for one in evidence:
            await act(f"evidence/{one}", words="看到了")

    await confirm("opening_words_heard", "recording_consent")
    await desk.finish("open")
    await show_passport(applicant, desk, passport)
    await act("captures", what="face")
    await act("registry")
    await act("identity-decision", accepted=True, reason="目视比对，是同一个人。")
    await desk.finish("identity")
    await confirm("room_shown", "location_stated", "alone_stated")
    await desk.finish("environment")
    await visitor.post(f"/api/sessions/{session}/understood")
    await desk.finish("explain")
    for question, answer in ANSWERS.items():
        await act("record", key=question, who="applicant", text=answer)
    await desk.finish("question")
    await desk.read_pages()
    await desk.finish("read")


async def show_passport(applicant: Applicant, desk: Staff, passport: bytes) -> None:
    """A sharper picture of the data page, sent from the telephone; the desk reads its zone."""
    await applicant.reach("identity")
    assert await applicant.page.locator("[data-side]").count() == 1
    picture = FilePayload(name="passport.jpg", mimeType="image/jpeg", buffer=passport)
    await applicant.page.set_input_files("[data-side=main] input", files=[picture])
    await desk.done("document_main")
    number = desk.page.locator("tr[data-field=number].ok")
    await expect(number).to_contain_text(APPLICANT.passport)
    await desk.picture("bad-passport")


async def a_second_notary_is_refused(
    office: FreshOffice, bureau: object, session: str, case: str, album: Path | None
) -> None:
    second = Staff(await window(bureau, DESK), office, album=album, login="notary2")  # type: ignore[arg-type]
    await second.log_in()
    await second.visit(f"/desk/sessions/{session}")
    await second.see("[data-code=session-has-notary]")
    await second.picture("bad-second-notary")
    await second.page.close()


async def test_a_session_the_notary_breaks_off(
    callers: Callers, notary: Visitor, films: Films, office: FreshOffice, launch: Launch
) -> None:
    """Both are told, nothing at the console acts any more, and the applicant can come again."""
    visitor, _ = await callers.call()
    case = await doors.new_case(visitor)
    await doors.hand_in(visitor, case, films.card)
    await doors.accept(notary, case)
    await doors.consent(visitor, case)
    await doors.book(visitor, case)
    await doors.check_devices(visitor, case)
    phone, desk = await launch(*films.applicant.flags), await launch(*films.notary.flags)
    ana, nora = (
        Applicant(await window(phone, PHONE), office),
        Staff(await window(desk, DESK), office),
    )
    await doors.hand_over(visitor, ana.page)
    await doors.hand_over(notary, nora.page)
    await nora.visit(f"/desk/cases/{case}")
    await nora.meet()
    await ana.visit(f"/cases/{case}/session")
    await ana.reach("open")
    await nora.press(".reach .btn--danger")
    await nora.page.fill("dialog textarea", "<b>停</b>")
    await nora.press("dialog [data-go]")
    await asyncio.gather(nora.see("[data-over] [data-places]"), ana.see("[data-broken-off]"))
    assert (
        await nora.page.locator(".reach, [data-capture], [data-confirm], [data-say]").count() == 0
    )
    await ana.press(".go .btn")
    await ana.see(".nine")
    await nora.look("broken-off")
    await ana.look("broken-off-phone")
    assert nora.complaints + ana.complaints == []


async def test_a_camera_that_fails_while_the_microphone_goes_on(
    callers: Callers,
    notary: Visitor,
    films: Films,
    office: FreshOffice,
    launch: Launch,
    album: Path | None,
) -> None:
    """Sound alone is no session: it stands still, and both are told whose picture is missing."""
    visitor, _ = await callers.call()
    case = await doors.new_case(visitor)
    await doors.hand_in(visitor, case, films.card)
    await doors.accept(notary, case)
    await doors.consent(visitor, case)
    await doors.book(visitor, case)
    await doors.check_devices(visitor, case)
    phone, desk = await launch(*films.applicant.flags), await launch(*films.notary.flags)
    ana = Applicant(await window(phone, PHONE, locale="en"), office, album=album)
    nora = Staff(await window(desk, DESK), office, album=album)
    await ana.page.add_init_script(KEEPS_PEERS)
    await doors.hand_over(visitor, ana.page)
    await doors.hand_over(notary, nora.page)
    await nora.visit(f"/desk/cases/{case}")
    await nora.meet()
    await ana.visit(f"/cases/{case}/session")
    await asyncio.gather(ana.sees_the_other(), nora.sees_the_other())
    await ana.page.evaluate(COVERS_CAMERA)
    told = ana.page.locator(".strip")
    await expect(told).to_contain_text("you are heard, but not seen", timeout=PATIENCE_MS)
    await expect(nora.page.locator(".strip").first).to_contain_text("没有对方的画面")
    await nora.see("[data-resume]")
    await ana.look("bad-unseen-phone")
    await nora.look("bad-unseen-desk")
    assert nora.complaints + ana.complaints == []
