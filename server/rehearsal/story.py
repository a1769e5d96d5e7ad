"""The case, act by act: what each person does, in the order of docs/ceremony.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from server.rehearsal.cast import PHONE, STROKES, form
from server.rehearsal.footage import Footage
from server.rehearsal.logins import StaffLogin
from server.rehearsal.office import FreshOffice
from server.rehearsal.session import Now, hold_session
from server.rehearsal.stage import Stage, meet
from server.rehearsal.visitor import Json, Visitor

__all__ = [
    "ACTS",
    "STROKES",
    "Played",
    "Stage",
    "apply",
    "approve",
    "hold_session",
    "log_in",
    "meet",
    "play",
    "prepare",
    "receive",
    "until_state",
]

ACTS = {
    "apply": "The applicant applies by phone",
    "accept": "The notary accepts the case",
    "prepare": "Consents, booking, device check",
    "open": "1/9 Opening: both are recorded",
    "identity": "2/9 Identity: card and face on camera",
    "environment": "3/9 Place and free will",
    "explain": "4/9 Explanation",
    "question": "5/9 Interview record",
    "read": "6/9 Reading page by page",
    "sign": "7/9 Signing with the applicant's own key",
    "confirm": "8/9 Confirming the record",
    "close": "9/9 Closing: manifest signed by both",
    "approve": "Somebody else approves",
    "deliver": "Issued, sealed, delivered",
}


@dataclass(frozen=True, slots=True)
class Played:
    """The delivered case, and the people who may still fetch what belongs to it."""

    case: Json
    applicant: Visitor
    approver: Visitor


@asynccontextmanager
async def play(
    office: FreshOffice, footage: Footage, now: Now, *, today: date
) -> AsyncIterator[Played]:
    """Plays the whole case against `office`; its people stay logged in while the block runs."""
    async with (
        Visitor(office.url) as applicant,
        Visitor(office.url) as notary,
        Visitor(office.url) as approver,
    ):
        case = await receive(office, applicant, notary, footage, now, today=today)
        async with meet(notary, applicant, case, footage) as stage:
            await hold_session(stage, office.staff("notary"), now)
        now("approve")
        await approve(office, notary, approver, case)
        now("deliver")
        delivered = await until_state(applicant, f"/api/cases/{case}", "DELIVERED")
        yield Played(delivered, applicant, approver)


async def receive(
    office: FreshOffice,
    applicant: Visitor,
    notary: Visitor,
    footage: Footage,
    now: Now,
    *,
    today: date,
) -> str:
    """From the first click to the waiting room; returns the case's id."""
    now("apply")
    case = await apply(office, applicant, footage, today)
    now("accept")
    await log_in(notary, office.staff("notary"))
    await notary.post(f"/api/desk/cases/{case}/precheck")
    await notary.post(f"/api/desk/cases/{case}/accept", {"conflict_checked": True})
    now("prepare")
    await prepare(applicant, case)
    return case


async def apply(office: FreshOffice, applicant: Visitor, footage: Footage, today: date) -> str:
    """Step 1 of the case: log in by phone, fill the form, upload the card, submit."""
    await applicant.post("/api/applicant/codes", {"phone": PHONE})
    code = office.messages(PHONE)[-1]["code"]
    await applicant.post("/api/applicant/sessions", {"phone": PHONE, "code": code})
    case: str = (await applicant.post("/api/cases", {"matter": "poa-remote", "language": "zh-CN"}))[
        "id"
    ]
    for field, value in form(today).items():
        await applicant.put(f"/api/cases/{case}/form/{field}", {"value": value})
    await applicant.upload(
        f"/api/cases/{case}/papers?kind=identity",
        footage.card_front,
        name="identity.jpg",
        media_type="image/jpeg",
    )
    await applicant.post(f"/api/cases/{case}/submit")
    return case


async def log_in(staff: Visitor, login: StaffLogin) -> None:
    await staff.post(
        "/api/staff/sessions",
        {"login": login.login, "password": login.password, "totp": login.code()},
    )


async def prepare(applicant: Visitor, case: str) -> None:
    """Consents one by one, booking, device check: the case waits."""
    matter = await applicant.get("/api/matters/poa-remote")
    for consent in matter["consents"]:
        text = consent["text"]["zh-CN"]
        await applicant.post(
            f"/api/cases/{case}/consents/{consent['id']}",
            {"given": True, "text_sha256": sha256(text.encode()).hexdigest()},
        )
    slots = await applicant.get(f"/api/cases/{case}/slots")
    await applicant.post(f"/api/cases/{case}/booking", {"at": slots["slots"][0]["at"]})
    await applicant.post(
        f"/api/cases/{case}/device-check",
        {
            "camera": True,
            "microphone": True,
            "speaker": True,
            "network": {"rtt_ms": 2},
            "browser": "farseal rehearse",
        },
    )


async def approve(office: FreshOffice, notary: Visitor, approver: Visitor, case: str) -> None:
    """The notary certifies the draft; somebody else looks at each claim and approves."""
    await until_state(notary, f"/api/desk/cases/{case}", "SEALED")
    await notary.post(f"/api/desk/cases/{case}/draft")
    draft = await notary.get(f"/api/desk/cases/{case}/draft")
    await notary.post(
        f"/api/desk/cases/{case}/certify",
        {"totp": office.staff("notary").code(), "facts_sha256": draft["facts_sha256"]},
    )
    await log_in(approver, office.staff("approver"))
    review = await approver.get(f"/api/approvals/{case}")
    for claim in review["claims"]:
        await approver.post(
            f"/api/approvals/{case}/claims/{claim['number']}", {"verdict": "accepted", "reason": ""}
        )
    await approver.post(
        f"/api/approvals/{case}/approve",
        {
            "totp": office.staff("approver").code(),
            "facts_sha256": review["draft"]["facts_sha256"],
        },
    )


async def until_state(visitor: Visitor, path: str, state: str, *, deadline_s: float = 120) -> Json:
    """Waits until the case is in `state`. TimeoutError says where it stands instead."""
    view: Json = {}
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                view = await visitor.get(path)
                if view["state"] == state:
                    return view
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise TimeoutError(f"the case is {view.get('state')}, not {state}") from None
