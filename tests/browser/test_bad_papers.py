"""Papers that are not what they should be, at the page that takes them; and a late invitation."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from PIL import Image
from playwright.async_api import expect

from server.rehearsal.logins import staff_logins
from server.rehearsal.office import FreshOffice
from tests.fakes.office import running_office

from . import doors
from .conftest import Launch
from .films import Films
from .people import PHONE, Applicant, window

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY_MS = 24 * 3_600_000


def bad_papers(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each kind of refusal, with a file that meets it."""

    def file(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    yield "upload-empty", file("empty.jpg", b"")
    huge = folder / "huge.jpg"
    with huge.open("wb") as sparse:
        sparse.truncate(200_000_000)
    yield "upload-too-large", huge
    packed, script, picture = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(250_000_000))
    yield "upload-bomb", file("bomb.pdf", packed.getvalue())
    with pikepdf.new() as document:
        document.add_blank_page()
        action = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
        document.Root.OpenAction = action
        document.save(script)
    yield "upload-script", file("script.pdf", script.getvalue())
    yield "upload-heic", file("photo.heic", b"\0\0\0\x18ftypheic" + bytes(100))
    Image.new("RGB", (64, 48)).save(picture, "JPEG")
    yield "upload-type-lies", file("drawing.png", picture.getvalue())


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
async def test_papers_that_are_refused(
    office: FreshOffice,
    launch: Launch,
    films: Films,
    album: Path | None,
    tmp_path: Path,
    locale: str,
) -> None:
    phone = {"zh-CN": "13800000401", "en": "13800000402"}[locale]
    async with doors.applicant(office, phone) as visitor:
        case = await doors.new_case(visitor)
        browser = await launch(devices=())
        applicant = Applicant(await window(browser, PHONE, locale=locale), office, album=album)
        await doors.hand_over(visitor, applicant.page)
        await applicant.visit(f"/cases/{case}/papers")
        chosen = applicant.page.locator("[data-paper=identity] input")
        for code, file in bad_papers(tmp_path):
            await chosen.set_input_files(file)
            refusal = applicant.page.locator(f"[data-paper=identity] [data-code={code}]")
            await refusal.wait_for()
            told = await refusal.inner_text()
            assert any("一" <= letter <= "鿿" for letter in told) == (locale == "zh-CN")
            await applicant.picture(f"bad-{code}-{locale}")
        await chosen.set_input_files(
            {"name": "card.jpg", "mimeType": "image/jpeg", "buffer": films.card}
        )
        await applicant.see("[data-paper=identity] .sent li")
        await expect(applicant.page.locator("[data-paper=identity] .problem")).to_have_count(0)
        held = await visitor.get(f"/api/cases/{case}")
        assert [each["name"] for each in held["papers"]] == ["card.jpg"]
        assert held["form"]["applicant_name"] == "申请人甲"


async def test_an_invitation_whose_time_is_over(
    tmp_path: Path, launch: Launch, films: Films, album: Path | None
) -> None:
    """The clock goes on by nine days; the applicant logs in anew and opens the old link."""
    later = [0]

    def clock() -> int:
        return time.time_ns() // 1_000_000 + later[0]

    async with running_office(tmp_path / "data", clock=clock) as running:
        logins = staff_logins(running.data, clock=lambda: clock() / 1000)
        office = FreshOffice(running.url, running.data, logins)
        async with (
            doors.applicant(office, "13800000403") as visitor,
            doors.staff(office, "notary") as notary,
        ):
            case = await doors.new_case(visitor)
            await doors.hand_in(visitor, case, films.card)
            await doors.accept(notary, case)
            await doors.consent(visitor, case)
            await doors.book(visitor, case)
            link = (await visitor.get(f"/api/cases/{case}"))["booking"]["invitation_url"]
        later[0] = 9 * DAY_MS
        browser = await launch(devices=())
        applicant = Applicant(await window(browser, PHONE), office, album=album)
        applicant.phone = "13800000403"
        await applicant.visit(link.removeprefix(office.url))
        await applicant.log_in()
        await applicant.see("[data-code=invitation-expired]")
        await applicant.picture("bad-invitation-late")
        await applicant.press("a[href='/']")
        await applicant.see(".resume")
