"""The whole case through the pages: four people, three Chromiums, one office."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio
from playwright.async_api import expect

from server.rehearsal.cast import PHONE as NUMBER
from server.rehearsal.cast import form
from server.rehearsal.office import FreshOffice

from .conftest import Launch
from .films import Films
from .people import DESK, PHONE, Applicant, Person, Staff, window

pytestmark = pytest.mark.asyncio(loop_scope="module")
REASON = "证件照片与本人画面脸型、眉眼一致，号码校验相符。"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What is left when everybody has done their part."""

    office: FreshOffice
    applicant: Applicant
    approver: Staff
    receipts: list[Json]
    review: Json
    certificate: Path
    bundle: Path
    trust: Path
    complaints: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def delivered(
    office: FreshOffice, launch: Launch, films: Films, album: Path | None, tmp_path_factory: Any
) -> Delivered:
    """The case, played from the first page to the certificate in the applicant's hand."""
    phone, desk = await asyncio.gather(launch(*films.applicant.flags), launch(*films.notary.flags))
    applicant = Applicant(await window(phone, PHONE), office, album=album, phone=NUMBER)
    notary = Staff(await window(desk, DESK), office, album=album)
    approver = Staff(await window(desk, DESK), office, album=album, login="approver")
    await asyncio.gather(apply(applicant, films), notary.log_in())
    await accept(notary, applicant.case)
    await asyncio.gather(applicant.prepare(), notary.meet())
    await hold(notary, applicant)
    await conclude(notary, approver, applicant.case)
    await applicant.see("#h-cert")
    await applicant.look("applicant-certificate")
    await approver.visit(f"/desk/approvals/{applicant.case}")
    await approver.see("video")
    folder = tmp_path_factory.mktemp("delivered")
    for name in ("certificate.pdf", "bundle.zip", "copy.zip", "receipt.json"):
        await fetch(applicant, f"/api/cases/{applicant.case}/{name}", folder / name)
    await fetch(applicant, "/trust.json", folder / "trust.json")
    await fetch(approver, f"/api/approvals/{applicant.case}", folder / "review.json")
    return Delivered(
        office=office,
        applicant=applicant,
        approver=approver,
        receipts=json.loads((folder / "receipt.json").read_text())["entries"],
        review=json.loads((folder / "review.json").read_text()),
        certificate=folder / "certificate.pdf",
        bundle=folder / "bundle.zip",
        trust=folder / "trust.json",
        complaints=applicant.complaints + notary.complaints + approver.complaints,
    )


async def apply(applicant: Applicant, films: Films) -> None:
    await applicant.begin()
    await applicant.fill(form(datetime.now(UTC).date()))
    await applicant.hand_in(films.card)


async def accept(notary: Staff, case: str) -> None:
    await notary.see(f"td a[href$='{case}']")
    await notary.picture("desk-queue")
    await notary.open_case(case)
    await notary.accept()
    await notary.picture("desk-case", whole=True)


async def hold(notary: Staff, applicant: Applicant) -> None:
    """The nine steps, each side on its own page."""
    await applicant.enter()
    # Frames of both sides, decoded by the other's page.
    await asyncio.gather(applicant.sees_the_other(), notary.sees_the_other())
    await notary.picture("session-1-open")
    await applicant.look("phone-1-open")
    await notary.confirm("opening_words_heard", "recording_consent")
    await notary.finish("open")

    await applicant.reach("identity")
    await notary.identify(REASON)
    await notary.picture("session-2-identity")
    await applicant.look("phone-2-identity")
    await notary.finish("identity")

    await notary.confirm("room_shown", "location_stated", "alone_stated")
    await notary.finish("environment")

    await applicant.reach("explain")
    await applicant.look("phone-4-explain")
    await applicant.press("[data-step=explain] .btn--primary")
    await notary.done("understood")
    await notary.picture("session-4-explain")
    await notary.finish("explain")

    await notary.interview()
    await notary.picture("session-5-record")
    await notary.finish("question")

    await notary.read_pages()
    await notary.picture("session-6-document")
    await applicant.look("phone-6-read")
    await notary.finish("read")

    await applicant.reach("sign")
    await applicant.see("canvas")
    await applicant.look("phone-7-sign")
    await applicant.sign_document()
    await notary.picture("session-7-sign")
    await notary.finish("sign")

    await applicant.reach("confirm")
    await applicant.look("phone-8-confirm")
    await applicant.sign_once_more()
    await notary.finish("confirm")

    await applicant.reach("close")
    await applicant.look("phone-9-close")
    await applicant.sign_once_more()
    await notary.picture("session-9-close")
    await notary.press("[data-close]")
    await notary.picture("session-9-code")
    await notary.answer_with_code()
    await applicant.page.wait_for_url("**/done")
    await applicant.see(".line.ok")  # the equal copy was saved and agrees with the receipts
    # Each page finds every place it was shown in the signed tree, by itself.
    await asyncio.gather(*(each.see("[data-places=held]") for each in (applicant, notary)))
    await applicant.look("phone-done")
    await applicant.press(".next a")


async def conclude(notary: Staff, approver: Staff, case: str) -> None:
    """Draft and certificate by the notary, each claim and the approval by somebody else."""
    await notary.press("[data-over] a")
    await notary.press("[data-act=draft]")
    await notary.press("[data-act=certify]")
    await notary.see("dialog dl")
    await notary.picture("desk-certify")
    await notary.answer_with_code()
    await notary.picture("desk-pending", whole=True)
    await approver.log_in()
    await approver.picture("desk-approvals")
    await approver.press(f"a[href$='{case}']")
    await approver.see("[data-claim]")
    await approver.until(
        "[...document.querySelectorAll('video')].every((video) => video.readyState > 1)"
    )
    await approver.picture("desk-approval")
    claims = await approver.page.locator("[data-claim]").count()
    for number in range(claims):
        await approver.page.locator("[data-claim] .row").nth(number).click()
        await approver.press("[data-accept]")
        await expect(approver.page.locator("[data-verdict=accepted]")).to_have_count(number + 1)
    await approver.picture("desk-approved", whole=True)
    await approver.press("[data-approve]")
    await approver.answer_with_code()


async def fetch(person: Person, path: str, to: Path) -> None:
    """Downloads what a link of the page leads to, with the page's own cookies."""
    answer = await person.page.context.request.get(person.office.url + path)
    assert answer.ok, f"{path}: {answer.status}"
    to.write_bytes(await answer.body())


async def test_recordings_play_from_a_key_frame_on(delivered: Delivered, tmp_path: Path) -> None:
    recordings = delivered.review["recordings"]
    assert {each["role"] for each in recordings} == {"notary", "applicant"}
    for each in recordings:
        file = tmp_path / "take.webm"
        await fetch(delivered.approver, each["url"], file)
        with av.open(io.BytesIO(file.read_bytes()), "r") as container:
            video = container.streams.video[0]
            first = next(packet for packet in container.demux(video) if packet.size)
            assert first.is_keyframe
            container.seek(0)
            frames = list(itertools.islice(container.decode(video), 30))
        assert len(frames) == 30
        assert len({bytes(frame.to_ndarray().tobytes()) for frame in frames}) > 5


async def test_the_recordings_are_shown_to_the_approver(delivered: Delivered) -> None:
    await delivered.approver.press("[data-play]")
    await delivered.approver.until(
        "[...document.querySelectorAll('video')].every((video) => video.currentTime > 0.5)"
    )


async def test_entries_were_anchored_while_the_call_ran(delivered: Delivered) -> None:
    session = delivered.review["session"]
    closed_at = session["started_at"] + session["duration_ms"]
    during = [each for each in delivered.receipts if each["at"] < closed_at]
    assert len(during) > session["segments"] // 2
    assert all(isinstance(each["index"], int) for each in during)


async def test_the_bundle_is_valid_to_the_verifier(delivered: Delivered) -> None:
    command = (sys.executable, "-m", "server.cli", "verify", str(delivered.bundle))
    verifying = await asyncio.create_subprocess_exec(
        *(*command, "--trust", str(delivered.trust)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await verifying.communicate()
    assert verifying.returncode == 0, said.decode()


async def test_the_verify_page_says_valid(
    delivered: Delivered, launch: Launch, album: Path | None
) -> None:
    facts = await delivered.applicant.page.context.request.get(
        f"{delivered.office.url}/api/cases/{delivered.applicant.case}"
    )
    certificate = (await facts.json())["certificate"]
    browser = await launch(devices=())
    anybody = Person(await window(browser, PHONE), delivered.office, album=album)
    await anybody.visit(f"/v/{certificate['code']}")
    await anybody.see("[data-verdict=valid]")
    await anybody.look("verify-code")
    await anybody.visit("/verify")
    await anybody.page.fill(".typed input", certificate["number"])
    await anybody.press(".typed button")
    await anybody.see("[data-verdict=valid]")
    await anybody.look("verify-number")
    await anybody.visit("/verify")
    await anybody.page.set_input_files(".drop input", delivered.bundle)
    await anybody.see("[data-verdict=valid]")
    await anybody.look("verify-bundle")
    assert anybody.complaints == []


async def test_no_page_complained(delivered: Delivered) -> None:
    assert delivered.complaints == []
