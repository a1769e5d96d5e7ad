"""A short way to the page under test: the rehearsal's people play what comes before it.

They call the office as the pages would; then a browser takes over with their cookies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256

from playwright.async_api import Page

from server.rehearsal.cast import form
from server.rehearsal.office import FreshOffice
from server.rehearsal.visitor import Json, Visitor

MATTER = "poa-remote"


@asynccontextmanager
async def applicant(office: FreshOffice, phone: str) -> AsyncIterator[Visitor]:
    """Somebody who has logged in by telephone."""
    async with Visitor(office.url) as visitor:
        await visitor.post("/api/applicant/codes", {"phone": phone})
        code = office.messages(phone)[-1]["code"]
        await visitor.post("/api/applicant/sessions", {"phone": phone, "code": code})
        yield visitor


@asynccontextmanager
async def staff(office: FreshOffice, login: str) -> AsyncIterator[Visitor]:
    async with Visitor(office.url) as visitor:
        held = office.staff(login)
        body = {"login": held.login, "password": held.password, "totp": held.code()}
        await visitor.post("/api/staff/sessions", body)
        yield visitor


async def new_case(visitor: Visitor, values: Mapping[str, object] | None = None) -> str:
    """A case with a filled form; `values` stand in place of the usual ones."""
    case: str = (await visitor.post("/api/cases", {"matter": MATTER, "language": "zh-CN"}))["id"]
    for field, value in {**form(datetime.now(UTC).date()), **(values or {})}.items():
        await visitor.put(f"/api/cases/{case}/form/{field}", {"value": value})
    return case


async def hand_in(visitor: Visitor, case: str, card: bytes) -> None:
    papers = f"/api/cases/{case}/papers?kind=identity"
    await visitor.upload(papers, card, name="identity.jpg", media_type="image/jpeg")
    await visitor.post(f"/api/cases/{case}/submit")


async def accept(notary: Visitor, case: str) -> None:
    await notary.post(f"/api/desk/cases/{case}/precheck")
    await notary.post(f"/api/desk/cases/{case}/accept", {"conflict_checked": True})


async def consent(visitor: Visitor, case: str) -> None:
    for each in (await visitor.get(f"/api/matters/{MATTER}"))["consents"]:
        digest = sha256(each["text"]["zh-CN"].encode()).hexdigest()
        answer = {"given": True, "text_sha256": digest}
        await visitor.post(f"/api/cases/{case}/consents/{each['id']}", answer)


async def book(visitor: Visitor, case: str, slot: int = 0) -> Json:
    """Chooses a time; the first one is now."""
    slots = (await visitor.get(f"/api/cases/{case}/slots"))["slots"]
    return await visitor.post(f"/api/cases/{case}/booking", {"at": slots[slot]["at"]})


async def check_devices(visitor: Visitor, case: str) -> None:
    seen = {"camera": True, "microphone": True, "speaker": True, "network": {"rtt_ms": 2}}
    await visitor.post(f"/api/cases/{case}/device-check", {**seen, "browser": "test"})


async def hand_over(visitor: Visitor, page: Page) -> None:
    """The browser window goes on where the visitor is logged in."""
    await page.context.add_cookies(
        [{"name": name, "value": value, "url": visitor.url} for name, value in visitor.cookies]
    )
