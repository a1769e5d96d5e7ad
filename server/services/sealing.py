"""Sealing and issuing: durable steps, each harmless to repeat.

    seal_session   CLOSED: seal entry -> anchored -> sealed tree -> SEALED
    issue          APPROVED: intent anchored -> the one PDF signed and stored -> act-completed
                   -> ISSUED
    deliver        ISSUED: act-completed anchored and sealed -> status list logged
                   -> bundle made and stored -> DELIVERED

A crash between any two lines resumes at the first line whose result is not stored. Ids of events
follow from what they are about, so a repeated step writes the same event. The signed PDF is stored,
unique per intent, before anything speaks of it: the number and the file are the same after a crash,
and no second signature leaves this process.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.entry import Leaf
from server.domain import approval, course, handling
from server.domain.case import Case, CaseState
from server.domain.certificate import CertificateRef
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.session import Session, SessionState, happened
from server.journal import Journal
from server.services.ledger_port import Ledger
from server.services.untold import Untold
from server.services.workplace import Workplace
from server.storage import registers
from server.storage.objects import REGISTER
from server.storage.outbox import WrittenEvent, events_of_session
from server.storage.recordings import end_take
from server.storage.registers import FileRow
from server.storage.sealed import SealedEntries

Passed = Callable[[str], None]
"""Called between the durable steps with the step's name; tests end the process there."""


class MakeCertificate(Protocol):
    """Renders and signs the certificate of an approved case."""

    async def __call__(self, case: Case, session: Session, facts: dict[str, Any]) -> bytes: ...


class MakeBundle(Protocol):
    """Gathers and builds the evidence bundle of an issued case."""

    async def __call__(self, case: Case, session: Session, certificate: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Job:
    """Something durable that is not finished. Kind: seal, keep (`id`: a session), issue, deliver
    (a case)."""

    kind: str
    id: str


class Sealing:
    """One per process. `patience_ms`: how long a recorder may take to end its takes."""

    def __init__(
        self,
        workplace: Workplace,
        *,
        journal: Journal,
        ledger: Ledger,
        sealed: SealedEntries,
        make_certificate: MakeCertificate,
        make_bundle: MakeBundle,
        log_status: Callable[[Case], Awaitable[object]],
        untold: Untold,
        passed: Passed = lambda _name: None,
        patience_ms: int = 15_000,
    ) -> None:
        self._workplace = workplace
        self._journal = journal
        self._ledger = ledger
        self._sealed = sealed
        self._make_certificate = make_certificate
        self._make_bundle = make_bundle
        self._log_status = log_status
        self._untold = untold
        self._passed = passed
        self._patience_ms = patience_ms
        self._locks: dict[str, asyncio.Lock] = {}

    async def pending(self) -> tuple[Job, ...]:
        """What a former process left unfinished, oldest first."""
        jobs = [Job("seal", s.id) for s in await self._workplace.files.sessions_in("CLOSED")]
        for case in reversed(await self._workplace.files.cases()):
            if case.state is CaseState.APPROVED:
                jobs.append(Job("issue", case.id))
            elif case.state is CaseState.ISSUED:
                jobs.append(Job("deliver", case.id))
        return tuple(jobs)

    async def key(self, job: Job) -> str:
        """What names a job: the session, or the digest of the intent."""
        if job.kind in ("seal", "keep"):
            return f"{job.kind}-{job.id}"
        return _reference(await self._workplace.files.case(job.id)).intent

    # -- the session ------------------------------------------------------------------------------

    async def seal_session(self, sid: str) -> None:
        """Seal a closed session; does nothing for one that is sealed."""
        async with self._locks.setdefault(sid, asyncio.Lock()):
            _, session = await self._workplace.files.both(sid)
            if session.state is not SessionState.CLOSED:
                return
            if session.seal_event is None:
                await self._end_takes(session)
                while not await self._write_seal(session):
                    pass  # something was still told of the session: the seal covers it too
                self._passed("seal-written")
            session = await self._workplace.files.session(sid)
            assert session.seal_event is not None  # _write_seal has set it
            index, tree_size = await self._prove(session.seal_event, session.case_id)
            self._passed("seal-proven")
            async with self._workplace.files.change(session_id=sid) as change:
                act = Act("system", self._workplace.clock(), _named(f"{sid}/sealed"))
                change.session, events = course.sealed(
                    change.held, act, index=index, tree_size=tree_size
                )
                if change.case.state is CaseState.CLOSED:
                    change.case = handling.seal_session(change.case)
                change.emit(events)
            await self._journal.drain()

    async def _write_seal(self, session: Session) -> bool:
        """Write the seal over every event of the session; `False` if there was one more meanwhile.

        After it none can be written (`domain.session.happened` refuses).
        """
        await self._journal.drain()
        places = await self._places(session.case_id)
        async with self._workplace.files.change(session_id=session.id) as change:
            told = await events_of_session(change.connection, session.id)
            if not all(event in places for event in told):
                return False
            seqs = [places[event] for event in told]
            act = Act("system", self._workplace.clock(), _named(f"{session.id}/seal"))
            change.session, events = course.seal(change.held, act, first=min(seqs), last=max(seqs))
            change.emit(events)
        return True

    async def _places(self, case_id: str) -> dict[str, int]:
        """Event id -> case_seq of everything the ledger has of a case."""
        return {
            leaf_event(leaf): place
            for place, (_, leaf) in enumerate(await self._ledger.chain(case_id))
        }

    async def _end_takes(self, session: Session) -> None:
        """Wait until the recorder has ended every take; end those of a recorder that died.

        However long that takes, what it recorded and has yet to tell (the disk is full) is waited
        for: a seal that left it out would call the session whole without it.
        """
        changed = asyncio.Event()
        stop = self._workplace.files.subscribe(lambda _case, _session: changed.set())
        try:
            async with asyncio.timeout(self._patience_ms / 1000):
                while await self._open_takes(session.id):
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pass
        finally:
            stop()
        await self._untold.all_told(session.id)
        await self.end_open_takes(session.id)

    async def end_open_takes(self, sid: str) -> None:
        """Write the end of takes nobody will end any more, at the last segment heard."""
        heard = await self._workplace.recordings.last_heard(sid)
        for take in await self._open_takes(sid):
            at = max(heard or 0, take.started_at)
            async with self._workplace.files.change(session_id=sid) as change:
                await end_take(
                    change.connection,
                    sid,
                    participant=take.participant,
                    take=take.take,
                    at=at,
                    reason="lost",
                )
                public = {"participant": take.participant, "take": take.take, "reason": "lost"}
                act = self._workplace.act("system")
                change.emit(happened(change.held, act, "take-ended", public=public))

    async def _open_takes(self, sid: str) -> list[Any]:
        takes = await self._workplace.recordings.takes(sid)
        return [take for take in takes if take.ended_at is None]

    # -- the certificate --------------------------------------------------------------------------

    async def issue(self, case_id: str) -> None:
        """Sign and complete what an approval intended; does nothing once it is issued."""
        async with self._locks.setdefault(case_id, asyncio.Lock()):
            case = await self._workplace.files.case(case_id)
            if case.state is not CaseState.APPROVED:
                return
            reference = _reference(case)
            session = await self._workplace.files.session(case.sessions[-1])
            if session.state is not SessionState.SEALED:
                raise DomainError("session-unsealed", state=session.state.value)
            approval.require_two_people(case)
            self._passed("number-allocated")
            await self._prove(reference.intent_event, case_id)  # intent before act
            self._passed("intent-anchored")
            stored = await self._signed(case, session, reference)
            self._passed("certificate-stored")
            await self._complete(case_id, reference, stored)
            self._passed("act-completed")

    async def _signed(self, case: Case, session: Session, reference: CertificateRef) -> FileRow:
        """The one signed PDF of the intent: the stored one, or a new one that is then stored."""
        stored = await self._workplace.registers.certificate(reference.intent)
        if stored is not None:
            return stored
        facts = await self.intent_facts(reference.intent, case.id)
        pdf = await self._make_certificate(case, session, facts)
        self._passed("certificate-signed")
        cipher = self._workplace.vault.cipher(case.id, "register")
        kept = await self._workplace.objects.put(
            pdf, place=REGISTER, cipher=cipher, label=f"certificate/{reference.intent}"
        )
        row = FileRow(reference.intent, kept.name, kept.sha256, self._workplace.clock())
        return await self._workplace.registers.keep_certificate(row)

    async def _complete(self, case_id: str, reference: CertificateRef, stored: FileRow) -> None:
        async with self._workplace.files.change(case_id) as change:
            act = Act("system", self._workplace.clock(), _named(f"{reference.intent}/completed"))
            change.case, events = approval.complete(change.case, act, pdf_sha256=stored.sha256)
            await registers.set_state(change.connection, reference.intent, "issued")
            change.emit(events)

    async def intent_facts(self, intent: str, case_id: str) -> dict[str, Any]:
        """The facts of an intent, from the register."""
        row = await self._workplace.registers.by_intent(intent)
        if row is None:
            raise DomainError("certificate-not-ready")
        cipher = self._workplace.vault.cipher(case_id, "register")
        facts: dict[str, Any] = json.loads(cipher.decrypt(row.facts, f"intent/{intent}"))
        return facts

    async def deliver(self, case_id: str) -> None:
        """Build the bundle once and deliver; does nothing once that is done."""
        async with self._locks.setdefault(case_id, asyncio.Lock()):
            case = await self._workplace.files.case(case_id)
            if case.state is not CaseState.ISSUED:
                return
            reference = _reference(case)
            completed = _named(f"{reference.intent}/completed")
            await self._prove(completed, case_id)  # nothing is delivered before this is sealed
            self._passed("act-sealed")
            await self._log_status(case)
            await self._journal.drain()
            self._passed("status-logged")
            bundle = await self._workplace.registers.bundle(reference.intent)
            if bundle is None:
                bundle = await self._bundled(case, reference)
            self._passed("bundle-stored")
            async with self._workplace.files.change(case_id) as change:
                act = Act(
                    "system", self._workplace.clock(), _named(f"{reference.intent}/delivered")
                )
                change.case, events = approval.deliver(
                    change.case, act, bundle_sha256=bundle.sha256
                )
                change.emit(events)
            await self._journal.drain()

    async def _bundled(self, case: Case, reference: CertificateRef) -> FileRow:
        stored = await self._workplace.registers.certificate(reference.intent)
        if stored is None:
            raise DomainError("certificate-not-ready")
        cipher = self._workplace.vault.cipher(case.id, "register")
        certificate = await self._workplace.objects.get(
            stored.object, place=REGISTER, cipher=cipher, label=f"certificate/{reference.intent}"
        )
        session = await self._workplace.files.session(case.sessions[-1])
        data = await self._make_bundle(case, session, certificate)
        kept = await self._workplace.objects.put(
            data, place=REGISTER, cipher=cipher, label=f"bundle/{reference.intent}"
        )
        await self._workplace.files.note(case.id, data)  # the delivery's event names it
        row = FileRow(reference.intent, kept.name, kept.sha256, self._workplace.clock())
        return await self._workplace.registers.keep_bundle(row)

    # -- both --------------------------------------------------------------------------------------

    async def _prove(self, event_id: str, case_id: str) -> tuple[int, int]:
        """Anchor everything, wait for the event's sealed proof, keep it: (index, tree size)."""
        event = await self._anchored(event_id)
        assert event.index is not None  # _anchored has waited for it
        proof = await self._ledger.seal(event.index)
        await self._sealed.keep(
            event_id,
            case_id=case_id,
            index=proof.index,
            leaf=proof.leaf,
            inclusion=proof.inclusion,
            tree_size=proof.tree_size,
            checkpoint=proof.checkpoint,
            timestamp=proof.timestamp,
        )
        return proof.index, proof.tree_size

    async def _anchored(self, event_id: str) -> WrittenEvent:
        await self._journal.drain()
        event = await self._workplace.outbox.event(event_id)
        if event is None or event.index is None:
            raise DomainError("events-unanchored")
        return event


def leaf_event(leaf: bytes) -> str:
    """The event id in a leaf."""
    return Leaf.parse(leaf).event


def _named(what: str) -> str:
    """An event id that follows from what the event is about: said twice, it is the same event."""
    return hashlib.sha256(f"farseal/event/{what}".encode()).hexdigest()[:32]


def _reference(case: Case) -> CertificateRef:
    if case.certificate is None:
        raise DomainError("certificate-not-ready")
    return case.certificate
