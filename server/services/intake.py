"""The applicant's side before the session: draft, form, papers, submit, consents, withdraw."""

from typing import Any

from server.domain import application
from server.domain.case import Case, Paper
from server.domain.errors import DomainError
from server.domain.fields import MissingGlyphs, problems
from server.domain.handling import require_reader
from server.domain.participant import Applicant, Staff
from server.domain.session import Session
from server.services.case_view import case_view, form_view, paper_view, problems_view, summary_view
from server.services.matter_view import matter_view, matters_view
from server.services.workplace import Content, Person, Workplace, require_own

Json = dict[str, Any]


class Intake:
    """`missing_glyphs` names characters the certificate's font lacks."""

    def __init__(self, workplace: Workplace, *, missing_glyphs: MissingGlyphs) -> None:
        self._workplace = workplace
        self._missing_glyphs = missing_glyphs

    def matters(self) -> Json:
        """Every matter the office offers."""
        return matters_view(self._workplace.packs)

    def matter(self, matter_id: str) -> Json:
        """One matter with its form, consents and steps; refuses `matter-unknown`."""
        return matter_view(self._workplace.pack(matter_id))

    async def create(self, applicant: Applicant, *, matter: str, language: str) -> Json:
        """Begin a draft."""
        workplace = self._workplace
        case, events = application.create(
            workplace.new_id(),
            workplace.act(applicant.id),
            applicant=applicant,
            pack=workplace.pack(matter),
            language=language,
        )
        await workplace.files.create(case, events)
        return self.view(case, session=None, language=language)

    async def cases_of(self, applicant: Applicant, *, language: str) -> Json:
        """The applicant's cases, newest first."""
        found = await self._workplace.files.cases(applicant=applicant.id)
        return {
            "cases": [
                summary_view(
                    self._workplace, case, session=await self.newest(case), language=language
                )
                for case in found
            ]
        }

    async def case(self, person: Person, case_id: str, *, language: str) -> Json:
        """One case."""
        case = await self._workplace.own_case_or_husk(person, case_id)
        return self.view(case, session=await self.newest(case), language=language)

    async def fill(self, applicant: Applicant, case_id: str, *, field: str, value: object) -> Json:
        """Save one field, also with a problem."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            pack = workplace.pack(change.case.matter)
            act = workplace.act(applicant.id)
            change.case, events = application.fill(
                change.case, act, pack=pack, key=field, value=value
            )
            change.emit(events)
            case = change.case
        day = workplace.calendar.day(workplace.clock())
        found = problems(pack, case.form, day=day, missing_glyphs=self._missing_glyphs)
        return {"form": form_view(case), "problems": problems_view(found)}

    async def add_paper(
        self, applicant: Applicant, case_id: str, *, kind: str, name: str, media_type: str,
        content: bytes,
    ) -> Json:  # fmt: skip
        """Keep a paper that was already looked into (uploads are inspected at the border)."""
        workplace = self._workplace
        await workplace.own_case(applicant, case_id)
        paper_id = workplace.new_id()
        stored = await workplace.put(case_id, content, label=_label(paper_id))
        paper = Paper(
            id=paper_id,
            kind=kind,
            name=name[:200],
            size=stored.size,
            media_type=media_type,
            at=workplace.clock(),
            sha256=stored.sha256,
            object=stored.name,
        )
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            change.case, events = application.add_paper(
                change.case,
                workplace.act(applicant.id),
                pack=workplace.pack(change.case.matter),
                paper=paper,
            )
            change.emit(events)
            return paper_view(change.case, paper_id)

    async def paper(self, person: Person, case_id: str, paper_id: str) -> Content:
        """A paper's bytes, for the applicant and those of the office who have the case; a look by
        the office is logged. Refuses `paper-unknown`, `not-handler`, `role-not-allowed`."""
        case = await self._workplace.own_case(person, case_id)
        if isinstance(person, Staff):
            require_reader(case, person)
        paper = next((each for each in case.papers if each.id == paper_id), None)
        if paper is None:
            raise DomainError("paper-unknown")
        if isinstance(person, Staff):
            await self._workplace.log_access(person, case_id, what=f"paper {paper_id}")
        content = await self._workplace.get(case_id, paper.object, label=_label(paper_id))
        return Content(content, paper.media_type, paper.name)

    async def submit(self, applicant: Applicant, case_id: str, *, language: str) -> Json:
        """Hand the case in."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            change.case, events = application.submit(
                change.case,
                workplace.act(applicant.id),
                pack=workplace.pack(change.case.matter),
                calendar=workplace.calendar,
                missing_glyphs=self._missing_glyphs,
            )
            change.emit(events)
        return await self.case(applicant, case_id, language=language)

    async def consent(
        self, applicant: Applicant, case_id: str, consent: str, *, given: bool, text_sha256: str,
        language: str,
    ) -> Json:  # fmt: skip
        """Give or refuse one consent over the text with this digest."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            change.case, events = application.consent(
                change.case,
                workplace.act(applicant.id),
                pack=workplace.pack(change.case.matter),
                consent_id=consent,
                given=given,
                text_sha256=text_sha256,
            )
            change.emit(events)
        return await self.case(applicant, case_id, language=language)

    async def withdraw(
        self, applicant: Applicant, case_id: str, *, reason: str, language: str
    ) -> Json:
        """Take the application back."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            act = workplace.act(applicant.id)
            change.case, events = application.withdraw(change.case, act, reason=reason.strip())
            change.emit(events)
        return await self.case(applicant, case_id, language=language)

    async def timeline(self, person: Person, case_id: str, *, language: str) -> Json:
        """What happened, each with its place in the ledger; also of an erased case."""
        await self._workplace.own_case_or_husk(person, case_id)
        return {
            "entries": [
                {
                    "event": event.id,
                    "kind": event.kind,
                    "title": self._workplace.words.word("event", event.kind, language),
                    "at": event.at,
                    "index": event.index,
                    "leaf_hash": event.leaf_hash,
                }
                for event in await self._workplace.outbox.of_case(case_id)
            ]
        }

    async def newest(self, case: Case) -> Session | None:
        """The case's newest session, if there is one."""
        return await self._workplace.files.session(case.sessions[-1]) if case.sessions else None

    def view(self, case: Case, *, session: Session | None, language: str) -> Json:
        """The Case of the API."""
        return case_view(
            self._workplace,
            case,
            session=session,
            language=language,
            missing_glyphs=self._missing_glyphs,
        )


def _label(paper_id: str) -> str:
    return f"paper/{paper_id}"
