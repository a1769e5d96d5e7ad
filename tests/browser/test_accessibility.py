"""Every page, on a telephone in Chinese, on a desk in English: axe and the console stay silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import ViewportSize, expect

from server.rehearsal.office import FreshOffice
from server.rehearsal.visitor import Visitor

from . import doors
from .conftest import Launch
from .examination import violations
from .films import Films
from .people import DESK, PHONE, Person, window

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIZES = pytest.mark.parametrize(
    ("size", "locale"), [(PHONE, "zh-CN"), (DESK, "en")], ids=["phone", "desk"]
)


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases left at the places the pages are for, all of one applicant."""

    draft: str
    accepted: str
    informed: str
    waiting: str
    applicant: Visitor
    notary: Visitor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cases(office: FreshOffice, films: Films) -> AsyncIterator[Cases]:
    async with doors.applicant(office, "13800000200") as ana, doors.staff(office, "notary") as nora:
        draft = await doors.new_case(ana, {"document_number": "329900198808080021"})
        left: list[str] = []
        for progress in range(3):
            case = await doors.new_case(ana)
            await doors.hand_in(ana, case, films.card)
            await doors.accept(nora, case)
            if progress > 0:
                await doors.consent(ana, case)
            if progress > 1:
                await doors.book(ana, case)
                await doors.check_devices(ana, case)
            left.append(case)
        yield Cases(draft, left[0], left[1], left[2], ana, nora)


async def examine(person: Person, path: str, seen: str, name: str) -> list[str]:
    """What axe and the console find on one page, once it shows `seen`."""
    await person.visit(path)
    await person.see(seen)
    await person.until("!document.querySelector('.busy')")
    await person.picture(name)
    found = await violations(person.page) + person.complaints
    person.complaints.clear()
    return found


@SIZES
async def test_pages_for_anybody(
    office: FreshOffice, launch: Launch, album: Path | None, size: ViewportSize, locale: str
) -> None:
    person = Person(await window(await launch(devices=()), size, locale=locale), office)
    person.album = album
    found: list[str] = []
    for path, seen in (
        ("/", ".door"), ("/apply", ".choice"), ("/login", "input[type=tel]"),
        ("/verify", ".ask"), ("/ledger", "main h1"),
        ("/desk/login", "form"),
    ):  # fmt: skip
        found += await examine(person, path, seen, f"a11y-{locale}{path.replace('/', '-')}")
    await person.visit("/nowhere")
    await person.see("main h1")
    found += await violations(person.page)  # the console names the 404 that this page is about
    assert found == []


@SIZES
async def test_the_ledger_page(
    office: FreshOffice,
    launch: Launch,
    album: Path | None,
    cases: Cases,
    size: ViewportSize,
    locale: str,
) -> None:
    person = Person(await window(await launch(devices=()), size, locale=locale), office)
    person.album = album
    await person.visit("/ledger")
    # Both of the log's signatures, by this browser's own means; no witness, and it is said.
    await person.see("[data-signature=good]")
    await person.see("[data-witnesses=none]")
    for typed in ("-1", "999999999", "1.5", "abc", " "):
        await person.page.fill(".look input", typed)
        await person.page.press(".look input", "Enter")
        await person.see(".wrong:not(:empty)")
        assert await person.page.locator("[data-entry]").count() == 0
    await person.page.fill(".look input", "1")
    await person.page.press(".look input", "Enter")
    await person.see("[data-entry='1'] .said.good")
    for summary in await person.page.locator("summary").all():
        await summary.focus()
        await person.page.keyboard.press("Enter")
    await person.see(".climb li:nth-child(2)")
    await person.picture("ledger-entry")
    assert await violations(person.page) + person.complaints == []


@SIZES
async def test_pages_of_an_applicant(
    office: FreshOffice,
    launch: Launch,
    films: Films,
    cases: Cases,
    album: Path | None,
    size: ViewportSize,
    locale: str,
) -> None:
    browser = await launch(*films.applicant.flags)
    person = Person(await window(browser, size, locale=locale), office, album=album)
    await doors.hand_over(cases.applicant, person.page)
    found: list[str] = []
    for case, page, seen in (
        (cases.draft, "form", "[data-field]"),
        (cases.draft, "papers", "[data-paper]"),
        (cases.draft, "", "main h1"),
        (cases.accepted, "consents", ".two"),
        (cases.informed, "booking", ".now"),
        (cases.waiting, "device", ".checks"),
        (cases.waiting, "waiting", ".nine"),
    ):
        name = f"a11y-{locale}-{page or 'status'}"
        found += await examine(person, f"/cases/{case}/{page}".rstrip("/"), seen, name)
    await cases.notary.post(f"/api/desk/cases/{cases.waiting}/session")
    path = f"/cases/{cases.waiting}/session"
    found += await examine(person, path, ".session[data-step]", f"a11y-{locale}-session")
    assert found == []


@SIZES
async def test_pages_of_the_desk(
    office: FreshOffice,
    launch: Launch,
    cases: Cases,
    album: Path | None,
    size: ViewportSize,
    locale: str,
) -> None:
    browser = await launch()
    person = Person(await window(browser, size, locale=locale), office, album=album)
    await doors.hand_over(cases.notary, person.page)
    found: list[str] = []
    session = (await cases.notary.post(f"/api/desk/cases/{cases.waiting}/session"))["id"]
    for path, seen, name in (
        ("/desk", "td a", "queue"),
        (f"/desk/cases/{cases.accepted}", "dl.rows", "case"),
        (f"/desk/sessions/{session}", "[data-step]", "console"),
    ):
        found += await examine(person, path, seen, f"a11y-{locale}-{name}-{size['width']}")
    assert found == []


@SIZES
async def test_pages_of_the_approver(
    office: FreshOffice, launch: Launch, album: Path | None, size: ViewportSize, locale: str
) -> None:
    browser = await launch(devices=())
    person = Person(await window(browser, size, locale=locale), office, album=album)
    async with doors.staff(office, "approver") as visitor:
        await doors.hand_over(visitor, person.page)
        name = f"a11y-{locale}-approvals-{size['width']}"
        assert await examine(person, "/desk/approvals", "main h1", name) == []


async def test_a_dialog_gives_the_focus_back(
    office: FreshOffice, launch: Launch, cases: Cases
) -> None:
    person = Person(await window(await launch(devices=()), PHONE), office)
    await doors.hand_over(cases.applicant, person.page)
    await person.visit(f"/cases/{cases.accepted}")
    opener = person.page.locator(".ask")
    await opener.focus()
    await person.page.keyboard.press("Enter")
    await person.see("dialog[open]")
    await person.page.keyboard.press("Escape")
    await person.page.locator("dialog").wait_for(state="detached")
    await expect(opener).to_be_focused()
