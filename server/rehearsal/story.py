"""The case, act by act: what each person does, in the order of docs/ceremony.md."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from server.rehearsal.cast import ANSWERS, APPLICANT, PHONE, STROKES, form
from server.rehearsal.footage import Footage
from server.rehearsal.logins import StaffLogin
from server.rehearsal.office import FreshOffice
from server.rehearsal.peer import Peer
from server.rehearsal.signer import ApplicantKey
from server.rehearsal.visitor import Json, SessionSocket, Visitor

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
LOOPBACK = ("127.0.0.1",)

Now = Callable[[str], None]
"""Told the name of each act of ACTS as it begins."""


@dataclass(slots=True)
class Stage:
    """Both people in the session: their browsers, sockets and cameras."""

    session: str
    case: str
    notary: Visitor
    applicant: Visitor
    desk: SessionSocket
    phone: SessionSocket
    applicant_camera: Peer
    notary_camera: Peer

    async def as_notary(self, act: str, body: Json | None = None) -> Json:
        return await self.notary.post(f"/api/sessions/{self.session}/{act}", body)

    async def as_applicant(self, act: str, body: Json | None = None) -> Json:
        return await self.applicant.post(f"/api/sessions/{self.session}/{act}", body)

    async def confirm(self, evidence: str, words: str) -> None:
        await self.as_notary(f"evidence/{evidence}", {"words": words})

    async def finish(self, step: int) -> None:
        """Waits until nothing of the step is missing, then completes it."""
        try:
            await self.desk.until(lambda: not self._missing(step), what=f"step {step}")
        except TimeoutError as slow:
            raise TimeoutError(f"{slow}; missing: {', '.join(self._missing(step))}") from None
        await self.as_notary(f"steps/{step}/complete")

    def _missing(self, step: int) -> list[str]:
        missing: list[str] = self.desk.view["steps"][step - 1]["missing"]
        return missing

    async def sign(self, key: ApplicantKey, act: str, *, strokes: object = None) -> None:
        """The applicant fetches what is to be signed, and signs exactly that."""
        prepared = await self.as_applicant("signing", {"act": act, "strokes": strokes})
        shown = await self.applicant.download(prepared["content_url"])
        attributes = base64.b64decode(prepared["signed_attrs_b64"])
        if sha256(shown).hexdigest() != prepared["content_sha256"]:
            raise ValueError(f"the content of {act} is not what its digest names")
        signature = base64.b64encode(key.sign(attributes, shown=shown)).decode()
        await self.as_applicant(f"signing/{prepared['id']}", {"signature_b64": signature})


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
        now("apply")
        case = await apply(office, applicant, footage, today)
        now("accept")
        await log_in(notary, office.staff("notary"))
        await notary.post(f"/api/desk/cases/{case}/precheck")
        await notary.post(f"/api/desk/cases/{case}/accept", {"conflict_checked": True})
        now("prepare")
        await prepare(applicant, case)
        now("open")
        async with meet(notary, applicant, case, footage) as stage:
            await hold_session(stage, footage, office, now)
        now("approve")
        await approve(office, notary, approver, case)
        now("deliver")
        delivered = await until_state(applicant, f"/api/cases/{case}", "DELIVERED")
        yield Played(delivered, applicant, approver)


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


@asynccontextmanager
async def meet(
    notary: Visitor, applicant: Visitor, case: str, footage: Footage
) -> AsyncIterator[Stage]:
    """Both are in the session, seen and recorded, for as long as the block runs."""
    session = (await notary.post(f"/api/desk/cases/{case}/session"))["id"]
    async with notary.socket(session) as desk, applicant.socket(session) as phone:
        stage = Stage(
            session=session,
            case=case,
            notary=notary,
            applicant=applicant,
            desk=desk,
            phone=phone,
            notary_camera=Peer(footage.notary, exchange=desk.exchange, hosts=LOOPBACK),
            applicant_camera=Peer(footage.face, exchange=phone.exchange, hosts=LOOPBACK),
        )
        await stage.notary_camera.connect()
        await stage.applicant_camera.connect()
        try:
            await asyncio.gather(
                stage.notary_camera.received(video=5), stage.applicant_camera.received(video=5)
            )
            yield stage
        finally:
            await stage.applicant_camera.close()
            await stage.notary_camera.close()


async def hold_session(stage: Stage, footage: Footage, office: FreshOffice, now: Now) -> None:
    """The nine steps."""
    await stage.confirm("opening_words_heard", "四个词已听清")
    await stage.confirm("recording_consent", "同意全程录音录像")
    await stage.finish(1)

    now("identity")
    await identify(stage, footage)
    await stage.finish(2)

    now("environment")
    await stage.confirm("room_shown", "已看到整个房间")
    await stage.confirm("location_stated", "在外地的家中")
    await stage.confirm("alone_stated", "说只有自己一人")
    await stage.finish(3)

    now("explain")
    await stage.as_applicant("understood")
    await stage.finish(4)

    now("question")
    for question, answer in ANSWERS.items():
        await stage.as_notary("record", {"key": question, "who": "applicant", "text": answer})
    await stage.finish(5)

    now("read")
    await read_pages(stage)
    await stage.finish(6)

    now("sign")
    key = ApplicantKey(APPLICANT.name)
    await stage.as_applicant("key", {"csr_pem": key.request()})
    await stage.sign(key, "document", strokes=STROKES)
    await stage.finish(7)

    now("confirm")
    await stage.sign(key, "record")
    await stage.finish(8)

    now("close")
    await stage.sign(key, "manifest")
    await stage.as_notary("close", {"totp": office.staff("notary").code()})


async def identify(stage: Stage, footage: Footage) -> None:
    """The applicant holds the card to the camera, front and back, then looks into it."""
    for side, clip in (("front", footage.holding_front), ("back", footage.holding_back)):
        stage.applicant_camera.show(clip)
        await stage.notary_camera.received(video=stage.notary_camera.frames["video"] + clip.fps * 2)
        await stage.as_notary("captures", {"what": f"document-{side}"})
    stage.applicant_camera.show(footage.face)
    await stage.notary_camera.received(video=stage.notary_camera.frames["video"] + 30)
    await stage.as_notary("captures", {"what": "face"})
    await stage.as_notary("registry")
    await stage.as_notary(
        "identity-decision",
        {"accepted": True, "reason": "证件照片与本人画面脸型、眉眼一致，号码校验相符。"},
    )


async def read_pages(stage: Stage) -> None:
    """The notary turns each page; both screens say that they show it."""
    await stage.desk.until(lambda: bool(stage.desk.view["document"]), what="the document")
    for page in range(1, stage.desk.view["document"]["pages"] + 1):
        await stage.as_notary("page", {"n": page})
        await stage.desk.send({"type": "page", "n": page})
        await stage.phone.send({"type": "page", "n": page})


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


async def until_state(visitor: Visitor, path: str, state: str, *, deadline_s: float = 60) -> Json:
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
