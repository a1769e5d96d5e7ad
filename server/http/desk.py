"""The office's side of a case: the queue, the case file, acceptance, certification, approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from server.http.forms import Empty, Form, Reason
from server.http.routes import (
    APPROVER,
    INTAKE,
    NOTARY,
    STAFF,
    Answer,
    Call,
    endpoint,
)

if TYPE_CHECKING:
    from server.services.assemble import Services


class Acceptance(Form):
    """The notary has looked for a conflict of interest."""

    conflict_checked: bool = False


class Words(Form):
    """What the office says."""

    text: str = Field(max_length=4000)


class Authorisation(Form):
    """A fresh TOTP code over the facts of known digest."""

    totp: str = Field(max_length=16)
    facts_sha256: str = Field(max_length=64)


class Verdict(Form):
    """What the approver found of one claim."""

    verdict: str = Field(max_length=16)
    reason: str = Field(default="", max_length=4000)


class Reasons(Form):
    """Why a case goes back."""

    reasons: str | list[str] = Field(default="")

    @property
    def text(self) -> str:
        """All reasons as one text."""
        given = self.reasons if isinstance(self.reasons, str) else "\n".join(self.reasons)
        return given[:8000]


class Desk:
    """Routes under /api/desk and /api/approvals."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @endpoint("GET", "/api/desk/cases", roles=STAFF)
    async def queue(self, call: Call) -> Answer:
        """List cases, with their clocks."""
        return await self._services.reception.queue(
            call.staff, filter=call.query("filter", "all"), language=call.language
        )

    @endpoint("GET", "/api/desk/cases/{case}", roles=STAFF)
    async def case(self, call: Call) -> Answer:
        """Show a case file."""
        return await self._services.reception.case_file(
            call.staff, call.part("case"), language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/precheck", roles=INTAKE, body=Empty)
    async def precheck(self, call: Call, body: Empty) -> Answer:
        """Begin the completeness check."""
        return await self._services.reception.precheck(
            call.staff, call.part("case"), language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/accept", roles=NOTARY, body=Acceptance)
    async def accept(self, call: Call, body: Acceptance) -> Answer:
        """Accept the case; the statutory clock starts."""
        return await self._services.reception.accept(
            call.staff,
            call.part("case"),
            conflict_checked=body.conflict_checked,
            language=call.language,
        )

    @endpoint("POST", "/api/desk/cases/{case}/decline", roles=NOTARY, body=Reason)
    async def decline(self, call: Call, body: Reason) -> Answer:
        """Do not accept the case."""
        return await self._services.reception.decline(
            call.staff, call.part("case"), reason=body.reason, language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/supplement", roles=INTAKE, body=Words)
    async def supplement(self, call: Call, body: Words) -> Answer:
        """Ask the applicant to add something."""
        return await self._services.reception.supplement(
            call.staff, call.part("case"), text=body.text, language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/refuse", roles=NOTARY, body=Reason)
    async def refuse(self, call: Call, body: Reason) -> Answer:
        """Refuse the certificate."""
        return await self._services.reception.refuse(
            call.staff, call.part("case"), reason=body.reason, language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/terminate", roles=NOTARY, body=Reason)
    async def terminate(self, call: Call, body: Reason) -> Answer:
        """End the case."""
        return await self._services.reception.terminate(
            call.staff, call.part("case"), reason=body.reason, language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/session", roles=NOTARY, body=Empty)
    async def open_session(self, call: Call, body: Empty) -> Answer:
        """Open the session."""
        return await self._services.ceremony.open(
            call.staff, call.part("case"), language=call.language
        )

    @endpoint("POST", "/api/desk/cases/{case}/draft", roles=INTAKE, body=Empty)
    async def draft(self, call: Call, body: Empty) -> Answer:
        """Draw up the certificate's draft."""
        return await self._services.approval.draft(
            call.staff, call.part("case"), language=call.language
        )

    @endpoint("GET", "/api/desk/cases/{case}/draft", roles=STAFF)
    async def draft_facts(self, call: Call) -> Answer:
        """Show the facts of the draft and what would be authorised."""
        return await self._services.approval.draft_facts(call.staff, call.part("case"))

    @endpoint("POST", "/api/desk/cases/{case}/certify", roles=NOTARY, body=Authorisation)
    async def certify(self, call: Call, body: Authorisation) -> Answer:
        """Authorise the draft as the notary."""
        return await self._services.approval.certify(
            call.staff,
            call.part("case"),
            totp=body.totp,
            facts_sha256=body.facts_sha256,
            language=call.language,
        )

    @endpoint("GET", "/api/approvals", roles=APPROVER)
    async def approvals(self, call: Call) -> Answer:
        """List the cases that wait for approval."""
        return await self._services.approval.queue(call.staff, language=call.language)

    @endpoint("GET", "/api/approvals/{case}", roles=APPROVER)
    async def review(self, call: Call) -> Answer:
        """Show the claims of a case with their evidence."""
        return await self._services.approval.review(
            call.staff, call.part("case"), language=call.language
        )

    @endpoint("POST", r"/api/approvals/{case}/claims/{number:\d+}", roles=APPROVER, body=Verdict)
    async def judge(self, call: Call, body: Verdict) -> Answer:
        """Accept or return one claim."""
        return await self._services.approval.judge(
            call.staff,
            call.part("case"),
            call.number("number"),
            verdict=body.verdict,
            reason=body.reason,
            language=call.language,
        )

    @endpoint("POST", "/api/approvals/{case}/return", roles=APPROVER, body=Reasons)
    async def send_back(self, call: Call, body: Reasons) -> Answer:
        """Return the case to its handler."""
        return await self._services.approval.send_back(
            call.staff, call.part("case"), reasons=body.text, language=call.language
        )

    @endpoint("POST", "/api/approvals/{case}/approve", roles=APPROVER, body=Authorisation)
    async def approve(self, call: Call, body: Authorisation) -> Answer:
        """Authorise the draft as the approver; the certificate is issued."""
        return await self._services.approval.approve(
            call.staff,
            call.part("case"),
            totp=body.totp,
            facts_sha256=body.facts_sha256,
            language=call.language,
        )
