"""The session as the two parties conduct it: open, steps, record, pages, interruption, close."""

from dataclasses import replace
from typing import Any

from ledger.entry import canonical_json
from server.domain import application, course, handling, steps
from server.domain.case import CaseState
from server.domain.errors import DomainError
from server.domain.participant import Applicant, SessionRole, Staff, require_role
from server.domain.session import Change as SessionChange
from server.domain.session import Manifest, Session, SessionState, mark, require_reason
from server.journal import Journal
from server.services.closing import Closing
from server.services.conduct import Conduct
from server.services.documents import Documents
from server.services.manifest import session_manifest
from server.services.opening import Draw, Drawn
from server.services.workplace import Person
from server.storage.cases import Change

Json = dict[str, Any]


class Ceremony:
    """`draw` gives the checkpoint that the opening words are derived from."""

    def __init__(
        self,
        conduct: Conduct,
        documents: Documents,
        closing: Closing,
        *,
        journal: Journal,
        draw: Draw,
    ) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._documents = documents
        self._closing = closing
        self._journal = journal
        self._draw = draw
        self.view = conduct.view
        self.role = conduct.role

    # -- opening, breaking off, going on ---------------------------------------------------------

    async def open(self, staff: Staff, case_id: str, *, language: str) -> Json:
        """Open the session of a waiting case; opening it again shows the one that is open."""
        require_role(staff, "notary")
        self._closing.require_clock()
        drawn = await self._draw()
        async with self._workplace.files.change(case_id) as change:
            live = change.session
            if change.case.state is CaseState.IN_SESSION and live is not None:
                if live.notary.id != staff.id:
                    raise DomainError("session-has-notary", notary=live.notary.name_zh)
                session_id = live.id
            else:
                lacking = application.missing_consents(
                    change.case, self._workplace.pack(change.case.matter)
                )
                if lacking:
                    raise DomainError("consent-missing", consents=list(lacking))
                session_id = self._workplace.new_id()
                act = self._workplace.act(staff.id)
                change.case = handling.begin_session(
                    change.case,
                    act,
                    staff=staff,
                    session_id=session_id,
                    calendar=self._workplace.calendar,
                )
                previous = live.id if live is not None else None
                change.also = self._opened(change, staff, session_id, previous, drawn)
        return await self.view(staff, session_id, language=language)

    async def interrupt(self, staff: Staff, sid: str, *, reason: str, language: str) -> Json:
        """The notary interrupts."""
        words = require_reason(reason)
        async with self._conduct.change(staff, sid) as change:
            self._interrupt(change, staff.id, reason=words, since=self._workplace.clock())
        return await self.view(staff, sid, language=language)

    async def leave(self, applicant: Applicant, sid: str, *, language: str) -> Json:
        """The applicant leaves: the session is interrupted, the grace runs."""
        async with self._conduct.change(applicant, sid) as change:
            if change.held.state is SessionState.OPEN:
                now = self._workplace.clock()
                self._interrupt(change, applicant.id, reason="applicant left", since=now)
        return await self.view(applicant, sid, language=language)

    async def lost(self, sid: str, *, role: SessionRole, reason: str, since: int) -> None:
        """A machine tells that somebody's connection is gone since then (ms UTC)."""
        async with self._workplace.files.change(session_id=sid) as change:
            if change.held.state is SessionState.OPEN:
                self._interrupt(change, "system", reason=f"{role}: {reason}", since=since)

    async def resume(self, staff: Staff, sid: str, *, language: str) -> Json:
        """Within grace the step again; beyond it a new session, linked to this one, from step 1."""
        _, session = await self._workplace.own_session(staff, sid)
        drawn = await self._draw()
        extra = await self._prepared(session.case_id, session, session.step)
        async with self._conduct.change(staff, sid) as change:
            pack, act = self._conduct.pack(change), self._workplace.act(staff.id)
            try:
                change.session, events = course.resume(change.held, act, pack=pack)
            except DomainError as error:
                if error.code != "grace-over":
                    raise
                sid = self._replace(change, staff, drawn)
            else:
                change.emit(events)
                await self._enter(change, extra, drawn)
        return await self.view(staff, sid, language=language)

    async def abort(self, staff: Staff, sid: str, *, reason: str, language: str) -> Json:
        """Break the session off for good; the case goes back to waiting, nothing is deleted."""
        async with self._conduct.change(staff, sid) as change:
            act = self._workplace.act(staff.id)
            change.session, events = course.abort(change.held, act, reason=reason)
            change.case = handling.end_session(change.case, closed=False)
            change.emit(events)
        return await self.view(staff, sid, language=language)

    async def close(self, staff: Staff, sid: str, *, totp: str, language: str) -> Json:
        """The notary signs the manifest and ends the call; sealing begins."""
        await self._closing.close(staff, sid, totp=totp)
        return await self.view(staff, sid, language=language)

    # -- the steps -------------------------------------------------------------------------------

    async def complete(self, staff: Staff, sid: str, *, number: int, language: str) -> Json:
        """The step is done and the next begins, with what the system itself must show."""
        _, session = await self._workplace.own_session(staff, sid)
        drawn = await self._draw()
        extra = await self._prepared(session.case_id, session, number + 1)
        async with self._conduct.change(staff, sid) as change:
            change.session, events = steps.complete_step(
                change.held,
                self._workplace.act(staff.id),
                pack=self._conduct.pack(change),
                number=number,
            )
            change.emit(events)
            await self._enter(change, extra, drawn)
        return await self.view(staff, sid, language=language)

    async def confirm(self, staff: Staff, sid: str, *, key: str, words: str, language: str) -> Json:
        """The notary confirms what only a person can see or hear."""
        async with self._conduct.change(staff, sid) as change:
            pack = self._conduct.pack(change)
            act = self._workplace.act(staff.id)
            change.session, events = steps.confirm(
                change.held, act, pack=pack, key=key, words=words
            )
            change.emit(events)
        return await self.view(staff, sid, language=language)

    async def understood(self, applicant: Applicant, sid: str, *, language: str) -> Json:
        """The applicant says: understood."""
        async with self._conduct.change(applicant, sid) as change:
            pack = self._conduct.pack(change)
            act = self._workplace.act(applicant.id)
            change.session, events = mark(change.held, act, pack=pack, key="understood")
            change.emit(events)
        return await self.view(applicant, sid, language=language)

    async def instruct(self, staff: Staff, sid: str, *, text: str, language: str) -> Json:
        """Tell the applicant something in large type; an empty text shows the step's own again."""
        async with self._conduct.change(staff, sid) as change:
            told = text.strip()[:400] or None
            act = self._workplace.act(staff.id)
            change.session, events = steps.instruct(change.held, act, text=told)
            change.emit(events)
        return await self.view(staff, sid, language=language)

    async def flag(self, staff: Staff, sid: str, *, language: str) -> Json:
        """The silent flag."""
        async with self._conduct.change(staff, sid) as change:
            change.session, events = course.flag(change.held, self._workplace.act(staff.id))
            change.emit(events)
        return await self.view(staff, sid, language=language)

    # -- record and pages ------------------------------------------------------------------------

    async def speak(
        self, staff: Staff, sid: str, *, who: str, key: str | None, text: str, language: str
    ) -> Json:
        """Write a line of the record; the notary writes for both."""
        async with self._conduct.change(staff, sid) as change:
            pack = self._conduct.pack(change)
            act = self._workplace.act(staff.id)
            change.session, events = steps.speak(
                change.held, act, pack=pack, who=who, key=key or None, text=text
            )
            change.emit(events)
            self._finalise_again(change)
        return await self.view(staff, sid, language=language)

    async def correct(
        self, staff: Staff, sid: str, *, number: int, text: str, language: str
    ) -> Json:
        """Correct a line; the earlier text stays."""
        async with self._conduct.change(staff, sid) as change:
            act = self._workplace.act(staff.id)
            change.session, events = steps.correct(change.held, act, number=number, text=text)
            change.emit(events)
            self._finalise_again(change)
        return await self.view(staff, sid, language=language)

    async def dispute(
        self, applicant: Applicant, sid: str, *, number: int, text: str, language: str
    ) -> Json:
        """The applicant says a line is wrong."""
        async with self._conduct.change(applicant, sid) as change:
            act = self._workplace.act(applicant.id)
            change.session, events = steps.dispute(change.held, act, number=number, text=text)
            change.emit(events)
        return await self.view(applicant, sid, language=language)

    async def turn_page(self, staff: Staff, sid: str, *, number: int, language: str) -> Json:
        """Turn both screens to a page."""
        async with self._conduct.change(staff, sid) as change:
            act = self._workplace.act(staff.id)
            change.session, events = steps.lock_page(change.held, act, number=number)
            change.emit(events)
        return await self.view(staff, sid, language=language)

    async def page_seen(self, person: Person, sid: str, *, number: int) -> None:
        """A page is on this person's screen."""
        role = await self.role(person, sid)
        async with self._conduct.change(person, sid) as change:
            change.session, events = steps.see_page(
                change.held,
                self._workplace.act(person.id),
                pack=self._conduct.pack(change),
                role=role,
                number=number,
            )
            change.emit(events)

    # -- inside ----------------------------------------------------------------------------------

    def _opened(
        self,
        change: Change,
        staff: Staff,
        session_id: str,
        previous: str | None,
        drawn: Drawn,
    ) -> Session:
        case, pack = change.case, self._conduct.pack(change)
        act = self._workplace.act(staff.id)
        session, events = course.open_session(
            session_id,
            act,
            case_id=case.id,
            number=len(case.sessions),
            linked_to=previous,
            language=case.language,
            document_type=str(case.form.get("document_type") or "resident_id"),
            notary=staff,
            applicant=case.applicant,
            applicant_name=str(case.form.get("applicant_name") or ""),
            pack=pack,
        )
        change.emit(events)
        opened, events = self._issue_words(session, change, drawn)
        change.emit(events)
        return opened

    def _replace(self, change: Change, staff: Staff, drawn: Drawn) -> str:
        session_id = self._workplace.new_id()
        old = change.held
        act = self._workplace.act("system")
        change.session, events = course.abort(
            old, act, reason="grace is over", replaced_by=session_id
        )
        change.emit(events)
        change.case = handling.link_session(change.case, session_id=session_id)
        change.also = self._opened(change, staff, session_id, old.id, drawn)
        return session_id

    def _interrupt(self, change: Change, actor: str, *, reason: str, since: int) -> None:
        change.session, events = course.interrupt(
            change.held,
            self._workplace.act(actor),
            pack=self._conduct.pack(change),
            reason=reason,
            since=since,
        )
        change.emit(events)

    async def _prepared(self, case_id: str, session: Session, entering: int) -> Any:
        """What entering a step needs and takes time to make, made before the transaction."""
        case = await self._workplace.files.case(case_id)
        pack = self._workplace.pack(case.matter)
        key = pack.step(entering).key if 1 <= entering <= 9 else ""
        if key == "read":
            return await self._documents.make(case, session)
        if key == "close":
            await self._journal.drain()
            return (
                await self._workplace.outbox.of_session(session.id),
                await self._workplace.recordings.segments(session.id),
                await self._workplace.recordings.gaps(session.id),
            )
        return None

    async def _enter(self, change: Change, extra: Any, drawn: Drawn) -> None:
        """What the system itself must show when a step begins or begins again."""
        session, pack = change.held, self._conduct.pack(change)
        act = self._workplace.act("system")
        key = pack.step(session.step).key
        events: Any = ()
        if key == "open":
            session, events = self._issue_words(session, change, drawn)
        elif key == "explain":
            change.digests.note(pack.explanation[session.language].encode())
            items = {"explanation": pack.explanation_sha256(session.language)}
            session, events = mark(session, act, pack=pack, key="explanation_shown", items=items)
        elif key == "read":
            session = replace(session, document=extra, page=1)
        elif key == "confirm" and not any(line.is_disputed for line in session.record):
            change.digests.note(steps.final_record(session))
            session, events = steps.finalise_record(session, act, pack=pack)
        elif key == "close":
            session, events = await self._manifest(change, session, extra)
        change.session = session
        change.emit(events)

    def _issue_words(self, session: Session, change: Change, drawn: Drawn) -> SessionChange:
        """Four words from a checkpoint and the session's id (`services.opening`)."""
        change.digests.note(drawn.note.encode())
        words = self._conduct.spell(drawn.seed, session.id, session.language)
        return mark(
            replace(session, opening_words=words),
            self._workplace.act("system"),
            pack=self._conduct.pack(change),
            key="opening_words_issued",
            facts={"words": list(words)} | drawn.kept,
            items={"checkpoint": drawn.digest},
            public=drawn.public,
        )

    def _finalise_again(self, change: Change) -> None:
        """In the confirm step, a change makes the record final again unless a line is disputed."""
        session, pack = change.held, self._conduct.pack(change)
        disputed = any(line.is_disputed for line in session.record)
        if pack.step(session.step).key == "confirm" and not disputed:
            act = self._workplace.act("system")
            change.digests.note(steps.final_record(session))
            change.session, events = steps.finalise_record(session, act, pack=pack)
            change.emit(events)

    async def _manifest(self, change: Change, session: Session, extra: Any) -> Any:
        events, segments, gaps = extra
        act = self._workplace.act("system")
        pack = self._conduct.pack(change)
        content = canonical_json(
            session_manifest(
                change.case,
                session,
                pack=pack,
                events=events,
                segments=segments,
                gaps=gaps,
                at=act.at,
            )
        )
        label = f"manifest/{session.id}"
        stored = await self._workplace.put(
            session.case_id, content, label=label, within=change.connection
        )
        return mark(
            replace(session, manifest=Manifest(stored.sha256, stored.name, act.at)),
            act,
            pack=pack,
            key="manifest_ready",
            items={"manifest": stored.sha256},
        )
