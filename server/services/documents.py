"""The document of a case: drawn from the form, the same pixels for both parties, kept by digest."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.rules import RulePack
from server.domain.session import LIVE, Session, SessionDocument
from server.services.workplace import Content, Person, Workplace

Json = dict[str, Any]
PAGE_WIDTH = 1240
_ID_KINDS = {
    "resident_id": {"zh-CN": "居民身份证", "en": "Resident Identity Card"},
    "passport": {"zh-CN": "护照", "en": "Passport"},
}


class RenderDocument(Protocol):
    """`server.documents.mandate.render_document`."""

    def __call__(self, facts: Mapping[str, Any], *, language: Any, specimen: bool) -> bytes: ...


class DrawPages(Protocol):
    """`server.documents.pages.page_images`."""

    def __call__(self, pdf: bytes, *, width: int) -> list[bytes]: ...


class Documents:
    """Draws documents in a thread; what a session shows is stored before it is shown."""

    def __init__(
        self, workplace: Workplace, *, render: RenderDocument, draw_pages: DrawPages
    ) -> None:
        self._workplace = workplace
        self._render = render
        self._draw_pages = draw_pages

    async def make(self, case: Case, session: Session) -> SessionDocument:
        """The document of a session with its pages, durable on return."""
        pdf = await self._draw(case)
        pages = await asyncio.to_thread(self._draw_pages, pdf, width=PAGE_WIDTH)
        stored = await self._workplace.put(case.id, pdf, label=_label(session.id, "pdf"))
        kept = [
            await self._workplace.put(case.id, page, label=_label(session.id, f"page/{number}"))
            for number, page in enumerate(pages, start=1)
        ]
        return SessionDocument(
            object=stored.name,
            sha256=stored.sha256,
            page_sha256=tuple(page.sha256 for page in kept),
            page_objects=tuple(page.name for page in kept),
        )

    async def pdf(self, person: Person, case_id: str) -> Content:
        """The document: as shown in the newest session, else a preview of the form as it stands.

        For the applicant and those of the office who have the case (`not-handler`,
        `role-not-allowed`).
        """
        case, session = await self._shown(person, case_id, what="document")
        if session is None or session.document is None:
            return Content(await self._draw(case), "application/pdf", "document.pdf")
        return Content(await self.content(session), "application/pdf", "document.pdf")

    async def page(self, person: Person, case_id: str, number: int) -> Content:
        """One page's pixels (PNG), for the same people; refuses `page-unknown`."""
        case, session = await self._shown(person, case_id, what=f"document page {number}")
        if session is None or session.document is None:
            pdf = await self._draw(case)
            pages = await asyncio.to_thread(self._draw_pages, pdf, width=PAGE_WIDTH)
            if not 1 <= number <= len(pages):
                raise DomainError("page-unknown", number=number)
            return Content(pages[number - 1], "image/png", f"page-{number}.png")
        document = session.document
        if not 1 <= number <= len(document.page_objects):
            raise DomainError("page-unknown", number=number)
        content = await self._workplace.get(
            case_id, document.page_objects[number - 1], label=_label(session.id, f"page/{number}")
        )
        return Content(content, "image/png", f"page-{number}.png")

    async def content(self, session: Session) -> bytes:
        """The PDF a session showed; refuses `document-missing`."""
        if session.document is None:
            raise DomainError("document-missing")
        label = _label(session.id, "pdf")
        return await self._workplace.get(session.case_id, session.document.object, label=label)

    async def _shown(
        self, person: Person, case_id: str, *, what: str
    ) -> tuple[Case, Session | None]:
        case = await self._workplace.own_case(person, case_id)
        files = self._workplace.files
        session = await files.session(case.sessions[-1]) if case.sessions else None
        # What its own notary is shown while conducting a session is no look of its own.
        if session is None or session.state not in LIVE or person.id != session.notary.id:
            await self._workplace.look(person, case, what=what)
        return case, session

    async def _draw(self, case: Case) -> bytes:
        workplace = self._workplace
        facts = document_facts(
            case,
            pack=workplace.pack(case.matter),
            signed_on=workplace.calendar.day(workplace.clock()).isoformat(),
        )
        return await asyncio.to_thread(
            self._render, facts, language=case.language, specimen=workplace.office.demo
        )


def document_facts(case: Case, *, pack: RulePack, signed_on: str) -> Json:
    """The facts of the power of attorney as `server.documents` reads them, labels in words."""
    form, language = case.form, case.language

    def label(key: str, value: object) -> str:
        field = pack.field(key)
        options = field.options if field else ()
        found = next((each.label[language] for each in options if each.value == value), None)
        return found if found is not None else str(value)

    def text(key: str) -> str:
        value = form.get(key, "")
        return value if isinstance(value, str) else ""

    powers = form.get("powers", ())
    number = text("attorney_number")
    return {
        "principal": {
            "name": text("applicant_name"),
            "id_kind": _ID_KINDS[text("document_type") or "resident_id"][language],
            "id_number": text("document_number"),
            "address": text("applicant_address"),
        },
        "attorney": {
            "name": text("attorney_name"),
            "id_kind": _ID_KINDS["resident_id" if len(number) == 18 else "passport"][language],
            "id_number": number,
            "relation": label("attorney_relation", text("attorney_relation")),
        },
        "matter": label("purpose", text("purpose")),
        "subject": text("subject"),
        "powers": [label("powers", p) for p in powers] if isinstance(powers, tuple) else [],
        "sub_delegation": form.get("sub_delegation") is True,
        "term_until": text("term_until"),
        "place": text("applicant_address"),
        "signed_on": signed_on,
        "reference": case.id[:8],
    }


def _label(session_id: str, what: str) -> str:
    return f"document/{session_id}/{what}"
