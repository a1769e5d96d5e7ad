"""The desk before and after the session: queue, case file, precheck, accept, refuse."""

from collections.abc import Callable
from typing import Any

from server.domain import handling
from server.domain.case import Case, CaseState, Change
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.fields import MissingGlyphs
from server.domain.participant import Staff
from server.services.case_view import desk_parts, queue_line
from server.services.intake import Intake
from server.services.session_dates import SessionDates
from server.services.workplace import Workplace

Json = dict[str, Any]
Command = Callable[[Case, Act], Change]
_FINISHED = (
    CaseState.NOT_ACCEPTED, CaseState.DELIVERED, CaseState.ARCHIVED, CaseState.REFUSED,
    CaseState.TERMINATED, CaseState.WITHDRAWN, CaseState.REVOKED,
)  # fmt: skip


class Reception:
    """What assistants and notaries do with cases at the desk."""

    def __init__(
        self,
        workplace: Workplace,
        intake: Intake,
        *,
        missing_glyphs: MissingGlyphs,
        dates: SessionDates,
    ) -> None:
        self._workplace = workplace
        self._intake = intake
        self._missing_glyphs = missing_glyphs
        self._dates = dates

    async def queue(self, staff: Staff, *, filter: str, language: str) -> Json:
        """Cases handed in; `filter` is all, mine, due (three working days or fewer) or today."""
        lines = []
        for case in await self._workplace.files.cases():
            if case.state is CaseState.DRAFT:
                continue
            session = await self._intake.newest(case)
            line = queue_line(self._workplace, case, session=session, language=language)
            if self._wanted(case, line, staff=staff, wanted=filter):
                lines.append(line)
        return {"cases": lines}

    async def case_file(self, staff: Staff, case_id: str, *, language: str) -> Json:
        """One case with checks, timeline and what this person may do."""
        case = await self._workplace.files.case_or_husk(case_id)
        session = await self._intake.newest(case)
        timeline = await self._intake.timeline(staff, case_id, language=language)
        return {
            **self._intake.view(case, session=session, language=language),
            **desk_parts(
                self._workplace,
                case,
                session=session,
                anchors=await self._workplace.outbox.state(case_id=case_id),
                staff=staff,
                language=language,
                missing_glyphs=self._missing_glyphs,
            ),
            "timeline": timeline["entries"],
            "between": await self._dates.of(case, session),
        }

    async def precheck(self, staff: Staff, case_id: str, *, language: str) -> Json:
        """Take a submitted case up."""
        return await self._do(
            staff, case_id, language, lambda case, act: handling.precheck(case, act, staff=staff)
        )

    async def accept(
        self, staff: Staff, case_id: str, *, conflict_checked: bool, language: str
    ) -> Json:
        """Accept: the clock starts, the notary is the handler."""
        return await self._do(
            staff,
            case_id,
            language,
            lambda case, act: handling.accept(
                case,
                act,
                staff=staff,
                pack=self._workplace.pack(case.matter),
                calendar=self._workplace.calendar,
                conflict_checked=conflict_checked,
            ),
        )

    async def decline(self, staff: Staff, case_id: str, *, reason: str, language: str) -> Json:
        """Do not accept, with reasons."""
        return await self._do(
            staff,
            case_id,
            language,
            lambda case, act: handling.decline(case, act, staff=staff, reason=reason),
        )

    async def supplement(self, staff: Staff, case_id: str, *, text: str, language: str) -> Json:
        """Ask the applicant for more."""
        return await self._do(
            staff,
            case_id,
            language,
            lambda case, act: handling.supplement(case, act, staff=staff, text=text),
        )

    async def refuse(self, staff: Staff, case_id: str, *, reason: str, language: str) -> Json:
        """Refuse to certify, with reasons."""
        return await self._do(
            staff,
            case_id,
            language,
            lambda case, act: handling.refuse(case, act, staff=staff, reason=reason),
        )

    async def terminate(self, staff: Staff, case_id: str, *, reason: str, language: str) -> Json:
        """End the procedure, with reasons."""
        return await self._do(
            staff,
            case_id,
            language,
            lambda case, act: handling.terminate(case, act, staff=staff, reason=reason),
        )

    async def _do(self, staff: Staff, case_id: str, language: str, command: Command) -> Json:
        async with self._workplace.files.change(case_id) as change:
            if change.case.state is CaseState.DRAFT:
                raise DomainError("case-unknown")  # not handed in: nobody's business yet
            change.case, events = command(change.case, self._workplace.act(staff.id))
            change.emit(events)
        return await self.case_file(staff, case_id, language=language)

    def _wanted(self, case: Case, line: Json, *, staff: Staff, wanted: str) -> bool:
        if wanted == "mine":
            return case.handler is not None and case.handler.id == staff.id
        if wanted == "due":
            clock = line["clock"]
            return case.state not in _FINISHED and clock is not None and clock["days_left"] <= 3
        if wanted == "today":
            calendar = self._workplace.calendar
            today = calendar.day(self._workplace.clock())
            return case.booking is not None and calendar.day(case.booking.at) == today
        return True
