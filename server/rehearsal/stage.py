"""Both people in one session: their browsers, sockets and cameras, from joining to leaving."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from server.rehearsal.cast import APPLICANT
from server.rehearsal.footage import Footage
from server.rehearsal.peer import Peer
from server.rehearsal.signer import ApplicantKey
from server.rehearsal.visitor import Json, SessionSocket, Visitor

LOOPBACK = ("127.0.0.1",)
_RECHECK = "identity_recheck"


@dataclass(slots=True)
class Stage:
    """One meeting of notary and applicant in a session.

    The applicant's key lives as long as the page does: a new meeting makes a new one.
    """

    session: str
    case: str
    notary: Visitor
    applicant: Visitor
    desk: SessionSocket
    phone: SessionSocket
    applicant_camera: Peer
    notary_camera: Peer
    footage: Footage
    key: ApplicantKey | None = None

    async def as_notary(self, act: str, body: Json | None = None) -> Json:
        return await self.notary.post(f"/api/sessions/{self.session}/{act}", body)

    async def as_applicant(self, act: str, body: Json | None = None) -> Json:
        return await self.applicant.post(f"/api/sessions/{self.session}/{act}", body)

    async def confirm(self, evidence: str, words: str) -> None:
        await self.as_notary(f"evidence/{evidence}", {"words": words})

    async def step(self) -> int:
        """The step the session is in, asked for now."""
        view = await self.notary.get(f"/api/sessions/{self.session}")
        number: int = view["step"]
        return number

    async def finish(self, step: int) -> None:
        """Waits until nothing of the step is missing, then completes it.

        A step that is repeated after an interruption wants the person recognised again.
        """
        if _RECHECK in self._wanted(step):
            await self.confirm(_RECHECK, "仍是同一人，画面与证件照片一致")
        try:
            await self.desk.until(
                lambda: not self._missing(step) or self.desk.view["state"] != "OPEN",
                what=f"step {step}",
            )
        except TimeoutError as slow:
            raise TimeoutError(f"{slow}; missing: {', '.join(self._missing(step))}") from None
        await self.as_notary(f"steps/{step}/complete")

    async def dial_again(self) -> None:
        """After a broken call: new connections, the session goes on, the page's key is gone."""
        for camera in (self.notary_camera, self.applicant_camera):
            await camera.close()
            await camera.connect()
        self.key = None
        view = await self.as_notary("resume")
        if view["id"] != self.session:
            raise ConnectionError("the call was broken for longer than the grace")
        await self.desk.until(lambda: self.desk.view["state"] == "OPEN", what="the session")

    def _missing(self, step: int) -> list[str]:
        missing: list[str] = self.desk.view["steps"][step - 1]["missing"]
        return missing

    def _wanted(self, step: int) -> list[str]:
        evidence = self.desk.view["steps"][step - 1]["evidence"]
        return [each["key"] for each in evidence if not each["done"]]

    async def own_key(self) -> ApplicantKey:
        """The applicant's key; made, and certified by the office, when first asked for."""
        if self.key is None:
            self.key = ApplicantKey(APPLICANT.name)
            await self.as_applicant("key", {"csr_pem": self.key.request()})
        return self.key

    async def sign(self, act: str, *, strokes: object = None) -> None:
        """The applicant fetches what is to be signed, and signs exactly that."""
        key = await self.own_key()
        prepared = await self.as_applicant("signing", {"act": act, "strokes": strokes})
        shown = await self.applicant.download(prepared["content_url"])
        attributes = base64.b64decode(prepared["signed_attrs_b64"])
        if sha256(shown).hexdigest() != prepared["content_sha256"]:
            raise ValueError(f"the content of {act} is not what its digest names")
        signature = base64.b64encode(key.sign(attributes, shown=shown)).decode()
        await self.as_applicant(f"signing/{prepared['id']}", {"signature_b64": signature})


@asynccontextmanager
async def meet(
    notary: Visitor, applicant: Visitor, case: str, footage: Footage
) -> AsyncIterator[Stage]:
    """Both are in the session, seen and recorded, for as long as the block runs.

    A session that was interrupted goes on: its step again, or, when the grace is over, in the new
    session that takes its place.
    """
    opened = await notary.post(f"/api/desk/cases/{case}/session")
    session = opened["id"]
    if opened["state"] == "INTERRUPTED" and opened["grace_ends_at"] < (await now_there(notary)):
        session = (await notary.post(f"/api/sessions/{session}/resume"))["id"]
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
            footage=footage,
        )
        try:
            await asyncio.gather(stage.notary_camera.connect(), stage.applicant_camera.connect())
            await asyncio.gather(
                stage.notary_camera.received(video=3), stage.applicant_camera.received(video=3)
            )
            if opened["state"] == "INTERRUPTED" and session == opened["id"]:
                await stage.as_notary("resume")
            await desk.until(lambda: desk.view.get("state") == "OPEN", what="the open session")
            yield stage
        finally:
            await stage.applicant_camera.close()
            await stage.notary_camera.close()


async def now_there(visitor: Visitor) -> int:
    """The office's time, ms UTC."""
    at: int = (await visitor.get("/api/config"))["now"]
    return at
