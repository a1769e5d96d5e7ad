"""The people at the pages: what each of them presses, types and waits for.

Every wait is for something the person would see. Nobody here calls the server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FilePayload,
    Page,
    ViewportSize,
    expect,
)

from server.rehearsal.cast import ANSWERS
from server.rehearsal.office import FreshOffice

from .examination import violations

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1440, height=900)
PATIENCE_MS = 60_000  # two browsers and an office on two cores
# Decoded frames of the other party; one's own picture is muted.
DECODED = """Math.max(0, ...[...document.querySelectorAll("video")].filter((video) => !video.muted)
  .map((video) => video.getVideoPlaybackQuality().totalVideoFrames))"""

# What the applicant holds up, told by how light the picture is where a card's text and portrait
# would be; said once it has stood still for the second that a key frame may be old.
SHOWS = """(() => {
  const video = document.querySelector(".big video"), small = document.createElement("canvas");
  [small.width, small.height] = [64, 36];
  const paint = small.getContext("2d");
  paint.drawImage(video, 0, 0, 64, 36);
  const light = (x, y) => {
    const pixels = paint.getImageData(x, y, 6, 6).data;
    return pixels.reduce((sum, value, i) => sum + (i %% 4 < 3 ? value : 0), 0) / 108;
  };
  const card = light(26, 20) > 200;
  const now = !card ? "face" : light(45, 12) > 200 ? "document-back" : "document-front";
  if (window.held?.now !== now) window.held = { now, since: performance.now() };
  return now === "%s" && performance.now() - window.held.since > 1200;
})()"""


@dataclass
class Person:
    """Somebody with a browser window, and what its console complained about."""

    page: Page
    office: FreshOffice
    complaints: list[str] = field(default_factory=list)
    album: Path | None = None

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, line: ConsoleMessage) -> None:
        # A 401 is how a page learns that nobody is logged in; Chromium writes it down all the same.
        if line.type == "error" and "status of 401" not in line.text:
            self.complaints.append(f"{line.text} {line.location.get('url', '')}")

    async def visit(self, path: str) -> None:
        await self.page.goto(self.office.url + path)

    async def press(self, selector: str) -> None:
        """Presses a button once it may be pressed."""
        await self.page.locator(f"{selector}:not([aria-disabled])").first.click()

    async def see(self, selector: str) -> None:
        await self.page.locator(selector).first.wait_for()

    async def picture(self, name: str, *, whole: bool = False) -> None:
        """Keeps a picture of the page, when somebody wants to look (FARSEAL_PICTURES)."""
        if self.album:
            await self.page.screenshot(path=self.album / f"{name}.png", full_page=whole)

    async def look(self, name: str) -> None:
        """Keeps a picture, and has the page examined where it is now."""
        await self.picture(name)
        self.complaints += await violations(self.page)

    async def sees_the_other(self, frames: int = 10) -> None:
        """Waits until so many more frames of the other party were decoded."""
        before = await self.page.evaluate(DECODED)
        await self.until(f"{DECODED} >= {before + frames}")

    async def until(self, condition: str) -> None:
        """Waits in the page, whose own policy forbids the usual way (it evaluates strings)."""
        script = """new Promise((done) => {
          const look = () => (%s) ? done() : setTimeout(look, 100);
          look();
        })"""
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await self.page.evaluate(script % condition)


async def window(browser: Browser, size: ViewportSize, **options: Any) -> Page:
    """A window in a profile of its own, in Chinese unless told."""
    options = {"locale": "zh-CN", "accept_downloads": True, **options}
    context: BrowserContext = await browser.new_context(viewport=size, **options)
    return await context.new_page()


@dataclass
class Applicant(Person):
    """Somebody with a telephone in their hand; `case` is known once the form is open."""

    phone: str = "13800000001"
    case: str = ""

    async def begin(self) -> None:
        """Finds the matter, logs in by the code in the outbox, and opens the form."""
        await self.visit("/apply")
        for _ in range(3):
            await self.page.locator(".choice").first.click()
            await self.press(".next button")
        await self.see("dl.sum")
        await self.press(".next button")
        await self.log_in()
        await self.page.wait_for_url("**/apply*")
        await self.see("dl.sum")
        await self.press(".next button")
        await self.page.wait_for_url("**/form")
        found = re.search(r"/cases/(\w+)/", self.page.url)
        assert found
        self.case = found[1]

    async def log_in(self) -> None:
        await self.page.fill("input[type=tel]", self.phone)
        before = len(self.office.messages(self.phone))
        await self.press(".next button")
        await self.see("input[autocomplete=one-time-code]")
        sent = self.office.messages(self.phone)
        assert len(sent) > before
        await self.page.fill("input[autocomplete=one-time-code]", sent[-1]["code"])
        await self.press(".next button")

    async def fill(self, values: Mapping[str, object]) -> None:
        """Fills fields as the form shows them: text, choices, several choices."""
        for key, value in values.items():
            row = self.page.locator(f"[data-field={key}]")
            await row.wait_for()
            if isinstance(value, bool):
                await row.locator("input").nth(0 if value else 1).check()
            elif isinstance(value, list):
                for one in value:
                    await row.locator(f"input[value='{one}']").check()
            elif await row.locator("input[type=radio]").count():
                await row.locator(f"input[value='{value}']").check()
            else:
                box = row.locator("input, textarea").first
                await box.fill(str(value))
                await box.blur()

    async def hand_in(self, card: bytes) -> None:
        """Uploads the identity document and submits."""
        await self.press(".next button")
        await self.page.wait_for_url("**/papers")
        paper = FilePayload(name="identity.jpg", mimeType="image/jpeg", buffer=card)
        await self.page.set_input_files("[data-paper=identity] input", files=[paper])
        await self.see("[data-paper=identity] .sent li")
        await self.press(".next button")
        await self.page.wait_for_url(re.compile(r"/cases/\w+$"))

    async def prepare(self) -> None:
        """After acceptance: consents one by one, a time, the device check; then waits."""
        await self.press(".go .btn")
        await self.page.wait_for_url("**/consents")
        await self.see(".two, .list")
        while not await self.page.locator(".list").count():
            title = await self.page.locator("h1").inner_text()
            await self.page.locator(".two button").nth(1).click()
            await expect(self.page.locator("h1")).not_to_have_text(title)
        await self.press(".next .btn")
        await self.page.wait_for_url("**/booking")
        await self.press(".now")
        await self.press(".next button")
        await self.check_devices()

    async def check_devices(self) -> None:
        await self.page.wait_for_url("**/device")
        await self.press(".play")
        await self.page.locator(".ask").wait_for()
        await self.page.locator(".two button").first.click()
        await self.press(".next .btn--primary")
        await self.page.wait_for_url("**/waiting")

    async def enter(self) -> None:
        """Goes in once the notary is there."""
        await self.press(".next a")
        await self.see(".session[data-step]")

    async def reach(self, step: str) -> None:
        await self.see(f"[data-step={step}]")

    async def write_name(self) -> None:
        """Writes four strokes on the pad."""
        pad = self.page.locator("canvas")
        await pad.wait_for()
        box = await pad.bounding_box()
        assert box
        for stroke in range(4):
            x = box["x"] + box["width"] * (0.15 + 0.2 * stroke)
            y = box["y"] + box["height"] * 0.25
            await self.page.mouse.move(x, y)
            await self.page.mouse.down()
            for point in range(10):
                drift = 6 * (point % 4) - 9 + 2 * point
                await self.page.mouse.move(x + drift, y + box["height"] * 0.05 * point)
            await self.page.mouse.up()

    async def sign_document(self) -> None:
        await self.write_name()
        await self.press("[data-sign]")
        await self.see(".signed")

    async def sign_once_more(self) -> None:
        """Signs the record or the manifest: one press."""
        await self.press(".sign .btn--primary")
        await self.see(".sign .done")


@dataclass
class Staff(Person):
    """Somebody of the office, at the desk."""

    login: str = "notary"

    async def log_in(self) -> None:
        login = self.office.staff(self.login)
        await self.visit("/desk/login")
        await self.page.fill("input[autocomplete=username]", login.login)
        await self.page.fill("input[autocomplete=current-password]", login.password)
        await self.page.fill("input[autocomplete=one-time-code]", login.code())
        await self.press("button[type=submit]")
        await self.see("nav a[aria-current=page]")

    async def answer_with_code(self) -> None:
        """Types a fresh one-time code into the box that asks for it."""
        box = self.page.locator("dialog input[autocomplete=one-time-code]")
        await box.fill(self.office.staff(self.login).code())
        await self.press("dialog [data-go]")
        await box.wait_for(state="detached")

    async def open_case(self, case: str) -> None:
        await self.page.locator(f"td a[href$='{case}']").click()
        await self.see("dl.rows")

    async def accept(self) -> None:
        await self.press("[data-act=precheck]")
        await self.page.locator("[data-conflict]").check()
        await self.press("[data-act=accept]")
        await self.page.locator("[data-act=accept]").wait_for(state="detached")

    async def meet(self) -> str:
        """Starts the session; returns its id."""
        await self.press("[data-act=session]")
        await self.page.wait_for_url("**/desk/sessions/*")
        await self.see("[data-step=open][data-state=running]")
        return self.page.url.rsplit("/", 1)[1]

    async def done(self, evidence: str) -> None:
        await self.see(f"[data-evidence={evidence}]:not(.todo)")

    async def confirm(self, *evidence: str) -> None:
        for one in evidence:
            await self.press(f"[data-confirm={one}]")
            await self.page.locator(f"[data-confirm={one}]").wait_for(state="detached")

    async def finish(self, step: str) -> None:
        """Completes a step as soon as nothing of it is missing."""
        await self.press("[data-finish]")
        await self.see(f"[data-step={step}][data-state=done]")

    async def identify(self, reason: str) -> None:
        """Takes pictures of what is held up until they can be read, then decides."""
        await self.capture_until("document-front", ".id:has(tr[data-field=number].ok) .crops img")
        await self.capture_until("document-back", "tr[data-field=valid_to].ok")
        await self.capture_until("face", ".sim strong")
        await self.press("[data-registry]")
        await self.done("registry_answer")
        await self.page.fill(".own textarea", reason)
        await self.press(".own [data-accept]")
        await self.done("identity_decision")

    async def capture_until(self, what: str, seen: str) -> None:
        """Waits until the film shows what is wanted, takes a picture, looks what was read."""
        for _ in range(10):
            await self.until(SHOWS % what)
            await self.press(f"[data-capture={what}]")
            await self.see(f"[data-capture={what}]:not([aria-busy])")
            if await self.page.locator(seen).count():
                return
        raise AssertionError(f"{what}: never showed {seen}")

    async def interview(self) -> None:
        for question, answer in ANSWERS.items():
            asked = self.page.locator(f"[data-question={question}]")
            await asked.wait_for()
            if await asked.get_attribute("aria-pressed") != "true":  # the next one is chosen
                await asked.click()
            await self.page.fill(".record form textarea", answer)
            await self.press("[data-say]")
            await asked.wait_for(state="detached")

    async def read_pages(self) -> None:
        await self.press("[data-page='1']")
        while await self.page.locator("[data-next]").count():
            shown = await self.page.locator(".doc .turning b").inner_text()
            await self.press("[data-next]")
            await expect(self.page.locator(".doc .turning b")).not_to_have_text(shown)
