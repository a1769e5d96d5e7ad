"""The applicant's side of a case: the form, papers, consents, booking, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ConfigDict, Field

from server.http.forms import Empty, Form, Reason
from server.http.routes import (
    APPLICANT,
    STAFF,
    Answer,
    Call,
    answer_file,
    answer_json,
    endpoint,
)
from server.http.sandbox import Sandbox
from server.http.uploads import inspect_upload, read_upload

if TYPE_CHECKING:
    from server.services.assemble import Services

_ANY_PARTY = APPLICANT | STAFF


class NewCase(Form):
    """The matter and the language of a new case."""

    matter: str = Field(max_length=64)
    language: str = Field(pattern="^(zh-CN|en)$", default="zh-CN")


class FieldValue(Form):
    """The value of one field of the form."""

    value: str | bool | list[str] | None


class ConsentGiven(Form):
    """A decision over a text of known digest."""

    given: bool
    text_sha256: str = Field(max_length=64)


class Moment(Form):
    """A time, ms UTC."""

    at: int = Field(ge=0, lt=2**53)


class DeviceReport(Form):
    """What the device check found."""

    model_config = ConfigDict(extra="ignore")
    camera: str | bool = Field(default="", union_mode="left_to_right")
    microphone: str | bool = Field(default="", union_mode="left_to_right")
    speaker: str | bool = Field(default="", union_mode="left_to_right")
    network: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=16)
    browser: str = Field(default="", max_length=400)


class Rating(Form):
    """One to five stars and a few words."""

    stars: int
    words: str = Field(default="", max_length=2000)


class Cases:
    """Routes under /api/cases and /api/invitations."""

    def __init__(self, services: Services, *, sandbox: Sandbox) -> None:
        self._services = services
        self._sandbox = sandbox

    @endpoint("POST", "/api/invitations/{token}", roles=APPLICANT, body=Empty, rate="verify")
    async def invitation(self, call: Call, body: Empty) -> Answer:
        """Follow an invitation to its case."""
        return await self._services.appointments.invitation(call.part("token"), call.applicant)

    @endpoint("GET", "/api/cases", roles=APPLICANT)
    async def cases(self, call: Call) -> Answer:
        """List the applicant's cases."""
        return await self._services.intake.cases_of(call.applicant, language=call.language)

    @endpoint("POST", "/api/cases", roles=APPLICANT, body=NewCase)
    async def create(self, call: Call, body: NewCase) -> Answer:
        """Begin a case."""
        return await self._services.intake.create(
            call.applicant, matter=body.matter, language=body.language
        )

    @endpoint("GET", "/api/cases/{case}", roles=_ANY_PARTY)
    async def case(self, call: Call) -> Answer:
        """Show a case."""
        return await self._services.intake.case(
            call.person, call.part("case"), language=call.language
        )

    @endpoint("PUT", "/api/cases/{case}/form/{field}", roles=APPLICANT, body=FieldValue)
    async def fill(self, call: Call, body: FieldValue) -> Answer:
        """Save one field, also with problems, and tell them."""
        return await self._services.intake.fill(
            call.applicant, call.part("case"), field=call.part("field"), value=body.value
        )

    @endpoint("POST", "/api/cases/{case}/papers", roles=APPLICANT, upload=True, rate="upload")
    async def add_paper(self, call: Call) -> Answer:
        """Take in a paper after looking inside it."""
        await self._services.intake.case(call.applicant, call.part("case"), language=call.language)
        paper = await inspect_upload(self._sandbox, await read_upload(call.request))
        return await self._services.intake.add_paper(
            call.applicant,
            call.part("case"),
            kind=call.query("kind"),
            name=paper.name,
            media_type=paper.media_type,
            content=paper.data,
        )

    @endpoint("GET", "/api/cases/{case}/papers/{paper}", roles=_ANY_PARTY)
    async def paper(self, call: Call) -> Answer:
        """Give a paper back."""
        return answer_file(
            await self._services.intake.paper(call.person, call.part("case"), call.part("paper"))
        )

    @endpoint("POST", "/api/cases/{case}/submit", roles=APPLICANT, body=Empty)
    async def submit(self, call: Call, body: Empty) -> Answer:
        """Hand the case in."""
        return await self._services.intake.submit(
            call.applicant, call.part("case"), language=call.language
        )

    @endpoint("POST", "/api/cases/{case}/withdraw", roles=APPLICANT, body=Reason)
    async def withdraw(self, call: Call, body: Reason) -> Answer:
        """Take the case back before a certificate is issued."""
        return await self._services.intake.withdraw(
            call.applicant, call.part("case"), reason=body.reason, language=call.language
        )

    @endpoint("POST", "/api/cases/{case}/consents/{consent}", roles=APPLICANT, body=ConsentGiven)
    async def consent(self, call: Call, body: ConsentGiven) -> Answer:
        """Give or refuse one consent."""
        return await self._services.intake.consent(
            call.applicant,
            call.part("case"),
            call.part("consent"),
            given=body.given,
            text_sha256=body.text_sha256,
            language=call.language,
        )

    @endpoint("GET", "/api/cases/{case}/slots", roles=APPLICANT)
    async def slots(self, call: Call) -> Answer:
        """List the times that can be booked."""
        return await self._services.appointments.slots(call.applicant, call.part("case"))

    @endpoint("POST", "/api/cases/{case}/booking", roles=APPLICANT, body=Moment)
    async def book(self, call: Call, body: Moment) -> Answer:
        """Book a time."""
        return await self._services.appointments.book(
            call.applicant, call.part("case"), at=body.at, language=call.language
        )

    @endpoint("POST", "/api/cases/{case}/device-check", roles=APPLICANT, body=DeviceReport)
    async def check_device(self, call: Call, body: DeviceReport) -> Answer:
        """Tell what the device check found; a fit device waits for the notary."""
        return await self._services.appointments.check_device(
            call.applicant, call.part("case"), report=body.model_dump(), language=call.language
        )

    @endpoint("GET", "/api/cases/{case}/timeline", roles=_ANY_PARTY)
    async def timeline(self, call: Call) -> Answer:
        """List what happened, each with its place in the ledger."""
        return await self._services.intake.timeline(
            call.person, call.part("case"), language=call.language
        )

    @endpoint("GET", "/api/cases/{case}/document.pdf", roles=_ANY_PARTY)
    async def document(self, call: Call) -> Answer:
        """Give the document of the case."""
        return answer_file(await self._services.documents.pdf(call.person, call.part("case")))

    @endpoint("GET", r"/api/cases/{case}/document/pages/{page:\d+}.png", roles=_ANY_PARTY)
    async def page(self, call: Call) -> Answer:
        """Give one page of the document as both sides see it."""
        return answer_file(
            await self._services.documents.page(call.person, call.part("case"), call.number("page"))
        )

    @endpoint("GET", "/api/cases/{case}/receipt.json", roles=APPLICANT)
    async def receipt(self, call: Call) -> Answer:
        """Give the applicant's receipt: what was anchored where."""
        receipt = await self._services.delivery.receipt(call.applicant, call.part("case"))
        answer = answer_json(receipt)
        answer.headers["Content-Disposition"] = 'attachment; filename="receipt.json"'
        return answer

    @endpoint("GET", "/api/cases/{case}/copy.zip", roles=APPLICANT)
    async def copy(self, call: Call) -> Answer:
        """Give the applicant's equal copy of the evidence."""
        return answer_file(
            await self._services.delivery.copy(call.applicant, call.part("case")), download=True
        )

    @endpoint("GET", "/api/cases/{case}/certificate.pdf", roles=_ANY_PARTY)
    async def certificate(self, call: Call) -> Answer:
        """Give the certificate."""
        return answer_file(
            await self._services.delivery.certificate(call.person, call.part("case"))
        )

    @endpoint("GET", "/api/cases/{case}/bundle.zip", roles=_ANY_PARTY)
    async def bundle(self, call: Call) -> Answer:
        """Give the evidence bundle."""
        return answer_file(
            await self._services.delivery.bundle(call.person, call.part("case")), download=True
        )

    @endpoint("POST", "/api/cases/{case}/shares", roles=APPLICANT, body=Empty)
    async def share(self, call: Call, body: Empty) -> Answer:
        """Make a code for somebody who relies on the certificate."""
        return await self._services.delivery.share(call.applicant, call.part("case"))

    @endpoint("POST", "/api/cases/{case}/rating", roles=APPLICANT, body=Rating)
    async def rate(self, call: Call, body: Rating) -> Answer:
        """Rate how the matter was handled."""
        return await self._services.delivery.rate(
            call.applicant,
            call.part("case"),
            stars=body.stars,
            words=body.words,
            language=call.language,
        )
