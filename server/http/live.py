"""The session over HTTP: what the two parties do, one request each. Pushes go by `socket.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import Field

from server.http.forms import Empty, Form, Reason
from server.http.problems import Refusal
from server.http.routes import (
    APPLICANT,
    NOTARY,
    PARTIES,
    STAFF,
    Answer,
    Call,
    answer_file,
    endpoint,
)
from server.http.sandbox import Sandbox
from server.http.uploads import inspect_upload, read_upload

if TYPE_CHECKING:
    from server.services.assemble import Services
    from server.services.workplace import Person

_SID = "/api/sessions/{sid}"
View = Mapping[str, Any]


class Confirmation(Form):
    """The words with which the notary confirms something seen or heard."""

    words: str = Field(default="", max_length=2000)


class Instruction(Form):
    """What the applicant is told now: a text, or the key of a step's own instruction."""

    text: str = Field(default="", max_length=400)
    key: str = Field(default="", max_length=64)


class Capture(Form):
    """What to take a picture of."""

    what: str = Field(max_length=32)


class Decision(Form):
    """The notary's decision on identity."""

    accepted: bool
    reason: str = Field(max_length=4000)


class Line(Form):
    """One line of the interview record."""

    who: str = Field(max_length=16)
    text: str = Field(max_length=4000)
    key: str | None = Field(default=None, max_length=64)


class Correction(Form):
    """A line's new text, or the objection to it."""

    text: str = Field(max_length=4000)


class Page(Form):
    """A page's number."""

    n: int = Field(ge=0, le=10_000)


class Code(Form):
    """A fresh TOTP code."""

    totp: str = Field(max_length=16)


class Request(Form):
    """A certificate request (PKCS#10, PEM)."""

    csr_pem: str = Field(max_length=8_000)


class Point(Form):
    """One point of a stroke: x and y in 0..1 of the pad, t in ms, p the pressure."""

    x: float = Field(ge=-0.5, le=1.5, allow_inf_nan=False)
    y: float = Field(ge=-0.5, le=1.5, allow_inf_nan=False)
    t: float = Field(default=0, ge=0, le=3_600_000, allow_inf_nan=False)
    p: float = Field(default=0.5, ge=0, le=1, allow_inf_nan=False)


class Signing(Form):
    """What is to be signed; handwriting with the document."""

    act: str = Field(max_length=16)
    strokes: list[list[Point]] | None = Field(default=None, max_length=400)


class Signature(Form):
    """The signature by the key in the applicant's browser (raw r||s, base64)."""

    signature_b64: str = Field(max_length=400)


class Live:
    """Routes under /api/sessions.

    `read_take(sid, participant, take)` streams a decrypted recording; `leave(sid, role)` ends a
    participant's media, `over(sid)` begins to end everybody's; `relays(person, sid)` are the TURN
    servers for this party's browser now, as RTCIceServer.
    """

    def __init__(
        self,
        services: Services,
        *,
        sandbox: Sandbox,
        read_take: Callable[[str, str, int], AsyncIterator[bytes]],
        leave: Callable[[str, str], Awaitable[None]],
        over: Callable[[str], None],
        relays: Callable[[Person, str], Awaitable[list[View]]],
    ) -> None:
        self._services = services
        self._sandbox = sandbox
        self._read_take = read_take
        self._leave = leave
        self._over = over
        self._relays = relays

    @endpoint("GET", _SID, roles=PARTIES)
    async def view(self, call: Call) -> Answer:
        """Show the session as this party sees it."""
        return await self._services.ceremony.view(
            call.person, call.part("sid"), language=call.language
        )

    @endpoint("GET", _SID + "/relays", roles=PARTIES)
    async def relays(self, call: Call) -> Answer:
        """Give this party's browser the TURN servers of the office, with credentials."""
        return {"ice_servers": await self._relays(call.person, call.part("sid"))}

    @endpoint("POST", _SID + r"/steps/{number:\d+}/complete", roles=NOTARY, body=Empty)
    async def complete(self, call: Call, body: Empty) -> Answer:
        """Complete the current step."""
        return await self._services.ceremony.complete(
            call.staff, call.part("sid"), number=call.number("number"), language=call.language
        )

    @endpoint("POST", _SID + "/evidence/{key}", roles=NOTARY, body=Confirmation)
    async def confirm(self, call: Call, body: Confirmation) -> Answer:
        """Confirm what was seen or heard."""
        return await self._services.ceremony.confirm(
            call.staff,
            call.part("sid"),
            key=call.part("key"),
            words=body.words,
            language=call.language,
        )

    @endpoint("POST", _SID + "/instruction", roles=NOTARY, body=Instruction)
    async def instruct(self, call: Call, body: Instruction) -> Answer:
        """Tell the applicant what to do."""
        return await self._services.ceremony.instruct(
            call.staff, call.part("sid"), text=body.text or body.key, language=call.language
        )

    @endpoint("POST", _SID + "/captures", roles=NOTARY, body=Capture)
    async def capture(self, call: Call, body: Capture) -> Answer:
        """Take a picture from the applicant's video."""
        return await self._services.identity.capture(
            call.staff, call.part("sid"), what=body.what, language=call.language
        )

    @endpoint("POST", _SID + "/identity-decision", roles=NOTARY, body=Decision)
    async def decide(self, call: Call, body: Decision) -> Answer:
        """Decide on identity, with a reason."""
        return await self._services.identity.decide(
            call.staff,
            call.part("sid"),
            accepted=body.accepted,
            reason=body.reason,
            language=call.language,
        )

    @endpoint("POST", _SID + "/registry", roles=NOTARY, body=Empty)
    async def registry(self, call: Call, body: Empty) -> Answer:
        """Ask the population registry."""
        return await self._services.identity.registry(
            call.staff, call.part("sid"), language=call.language
        )

    @endpoint("POST", _SID + "/record", roles=NOTARY, body=Line)
    async def speak(self, call: Call, body: Line) -> Answer:
        """Write a line of the interview record."""
        return await self._services.ceremony.speak(
            call.staff,
            call.part("sid"),
            who=body.who,
            key=body.key,
            text=body.text,
            language=call.language,
        )

    @endpoint("POST", _SID + r"/record/{number:\d+}", roles=NOTARY, body=Correction)
    async def correct(self, call: Call, body: Correction) -> Answer:
        """Correct a line; the earlier text stays readable."""
        return await self._services.ceremony.correct(
            call.staff,
            call.part("sid"),
            number=call.number("number"),
            text=body.text,
            language=call.language,
        )

    @endpoint("POST", _SID + r"/record/{number:\d+}/dispute", roles=APPLICANT, body=Correction)
    async def dispute(self, call: Call, body: Correction) -> Answer:
        """Say that a line is wrong."""
        return await self._services.ceremony.dispute(
            call.applicant,
            call.part("sid"),
            number=call.number("number"),
            text=body.text,
            language=call.language,
        )

    @endpoint("POST", _SID + "/page", roles=NOTARY, body=Page)
    async def turn_page(self, call: Call, body: Page) -> Answer:
        """Turn both screens to a page."""
        return await self._services.ceremony.turn_page(
            call.staff, call.part("sid"), number=body.n, language=call.language
        )

    @endpoint("POST", _SID + "/flag", roles=NOTARY, body=Empty)
    async def flag(self, call: Call, body: Empty) -> Answer:
        """Flag a suspicion of duress; the applicant's screen shows nothing."""
        return await self._services.ceremony.flag(
            call.staff, call.part("sid"), language=call.language
        )

    @endpoint("POST", _SID + "/interrupt", roles=NOTARY, body=Reason)
    async def interrupt(self, call: Call, body: Reason) -> Answer:
        """Interrupt the session."""
        return await self._services.ceremony.interrupt(
            call.staff, call.part("sid"), reason=body.reason, language=call.language
        )

    @endpoint("POST", _SID + "/resume", roles=NOTARY, body=Empty)
    async def resume(self, call: Call, body: Empty) -> Answer:
        """Go on: within the grace in this session, beyond it in a new linked one."""
        sid = call.part("sid")
        view = await self._services.ceremony.resume(call.staff, sid, language=call.language)
        if view["id"] != sid:
            self._over(sid)
        return view

    @endpoint("POST", _SID + "/abort", roles=NOTARY, body=Reason)
    async def abort(self, call: Call, body: Reason) -> Answer:
        """Break the session off, with a reason."""
        sid = call.part("sid")
        view = await self._services.ceremony.abort(
            call.staff, sid, reason=body.reason, language=call.language
        )
        self._over(sid)
        return view

    @endpoint("POST", _SID + "/close", roles=NOTARY, body=Code)
    async def close(self, call: Call, body: Code) -> Answer:
        """Sign the manifest and close the session."""
        sid = call.part("sid")
        view = await self._services.ceremony.close(
            call.staff, sid, totp=body.totp, language=call.language
        )
        self._over(sid)
        return view

    @endpoint("POST", _SID + "/documents", roles=APPLICANT, upload=True, rate="upload")
    async def document(self, call: Call) -> Answer:
        """Take in a picture of one side of the identity document."""
        await self._services.ceremony.role(call.applicant, call.part("sid"))
        paper = await inspect_upload(self._sandbox, await read_upload(call.request))
        if not paper.media_type.startswith("image/"):
            raise Refusal("upload-type-unknown", found=paper.media_type)
        return await self._services.identity.document(
            call.applicant,
            call.part("sid"),
            side=call.query("side"),
            image=paper.data,
            language=call.language,
        )

    @endpoint("POST", _SID + "/understood", roles=APPLICANT, body=Empty)
    async def understood(self, call: Call, body: Empty) -> Answer:
        """Say that the explanation was understood."""
        return await self._services.ceremony.understood(
            call.applicant, call.part("sid"), language=call.language
        )

    @endpoint("POST", _SID + "/leave", roles=APPLICANT, body=Empty)
    async def leave(self, call: Call, body: Empty) -> Answer:
        """Leave the session."""
        sid = call.part("sid")
        view = await self._services.ceremony.leave(call.applicant, sid, language=call.language)
        await self._leave(sid, "applicant")
        return view

    @endpoint("POST", _SID + "/key", roles=APPLICANT, body=Request)
    async def key(self, call: Call, body: Request) -> Answer:
        """Certify the key made in the applicant's browser, for this session's acts only."""
        return await self._services.signatures.key(
            call.applicant, call.part("sid"), csr_pem=body.csr_pem
        )

    @endpoint("POST", _SID + "/signing", roles=APPLICANT, body=Signing)
    async def prepare(self, call: Call, body: Signing) -> Answer:
        """Prepare a signature: what is signed, and the attributes to sign."""
        strokes = body.strokes
        return await self._services.signatures.prepare(
            call.applicant,
            call.part("sid"),
            act=body.act,
            strokes=None if strokes is None else [[p.model_dump() for p in s] for s in strokes],
        )

    @endpoint("POST", _SID + "/signing/{signing}", roles=APPLICANT, body=Signature)
    async def sign(self, call: Call, body: Signature) -> Answer:
        """Complete a signature."""
        return await self._services.signatures.complete(
            call.applicant,
            call.part("sid"),
            call.part("signing"),
            signature_b64=body.signature_b64,
            language=call.language,
        )

    @endpoint("GET", _SID + "/signing/{signing}", roles=PARTIES)
    async def content(self, call: Call) -> Answer:
        """Give what is signed."""
        return answer_file(
            await self._services.signatures.content(
                call.person, call.part("sid"), call.part("signing")
            )
        )

    @endpoint("GET", _SID + "/pictures/{picture}", roles=NOTARY | STAFF)
    async def picture(self, call: Call) -> Answer:
        """Give a picture of the identity panel."""
        return answer_file(
            await self._services.identity.picture(
                call.staff, call.part("sid"), call.part("picture")
            ),
            seconds=3600,
        )

    @endpoint("GET", r"/api/recordings/{sid}/{participant:[a-z]+}/{take:\d+}.webm", roles=STAFF)
    async def recording(self, call: Call) -> Answer:
        """Stream a recording to those who may see it; the access is logged."""
        sid, take = call.part("sid"), call.number("take")
        await self._services.recordings.allowed(call.staff, sid)
        chunks = self._read_take(sid, call.part("participant"), take)
        first = await anext(chunks, None)
        if first is None:
            raise Refusal("recording-unknown")
        response = web.StreamResponse(
            headers={"Content-Type": "video/webm", "Cache-Control": "no-store"}
        )
        await response.prepare(call.request)
        await response.write(first)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response
