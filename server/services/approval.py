"""Draft, certify, review by somebody else, approve: from the sealed session to the intent."""

import base64
import hashlib
from typing import Any

from ledger.entry import Leaf, canonical_json
from ledger.proof import verify_case
from server.domain import approval
from server.domain.case import Case, CaseState
from server.domain.certificate import CertificateNumber, Draft, format_number
from server.domain.errors import DomainError
from server.domain.participant import Staff, require_role
from server.domain.session import Session, SessionState
from server.journal import Journal
from server.services.case_view import queue_line
from server.services.closing import ConfirmTotp, StartJob
from server.services.documents import document_facts
from server.services.ledger_port import Ledger
from server.services.reception import Reception
from server.services.review_view import review_view
from server.services.workplace import Workplace
from server.storage import registers
from server.storage.outbox import anchor_state
from server.storage.registers import NumberRow

Json = dict[str, Any]
_TEXT = {
    "zh-CN": "本人确认上述事实与会见清单属实，同意据此出具公证书。",
    "en": "I confirm these facts and the session manifest, and agree to the certificate.",
}


class Approval:
    """`start("issue", case id)` begins the durable issue once the intent is written."""

    def __init__(
        self,
        workplace: Workplace,
        reception: Reception,
        *,
        journal: Journal,
        ledger: Ledger,
        confirm_totp: ConfirmTotp,
        start: StartJob,
    ) -> None:
        self._workplace = workplace
        self._reception = reception
        self._journal = journal
        self._ledger = ledger
        self._confirm_totp = confirm_totp
        self._start = start

    async def draft(self, staff: Staff, case_id: str, *, language: str) -> Json:
        """Write down what the certificate will say."""
        workplace = self._workplace
        async with workplace.files.change(case_id) as change:
            case, session = change.case, change.held
            _require_sealed(session)
            if case.state is CaseState.SEALED:
                case, events = approval.review(case, workplace.act(staff.id), staff=staff)
                change.emit(events)
            assert session.manifest is not None  # a sealed session has one
            facts = draft_facts(workplace, case, session)
            drafted = Draft(
                facts=facts,
                facts_sha256=hashlib.sha256(canonical_json(facts)).hexdigest(),
                session_manifest_sha256=session.manifest.sha256,
                at=workplace.clock(),
            )
            change.digests.note(canonical_json(facts))
            change.case, events = approval.draft(
                case, workplace.act(staff.id), staff=staff, draft=drafted
            )
            change.emit(events)
        return await self._reception.case_file(staff, case_id, language=language)

    async def draft_facts(self, staff: Staff, case_id: str, *, language: str = "zh-CN") -> Json:
        """The draft and the digests an authorisation is given over."""
        case = await self._workplace.files.case(case_id)
        if case.draft is None:
            raise DomainError("case-state", state=case.state.value)
        return _draft_view(case, language)

    async def certify(
        self, staff: Staff, case_id: str, *, totp: str, facts_sha256: str, language: str
    ) -> Json:
        """The notary authorises the draft; somebody else decides next."""
        workplace = self._workplace
        case = await workplace.files.case(case_id)
        arguments: Any = {
            "staff": staff,
            "pack": workplace.pack(case.matter),
            "calendar": workplace.calendar,
            "facts_sha256": facts_sha256,
        }
        approval.certify(case, workplace.act(staff.id), **arguments)  # before the code is used
        await self._confirm_totp(staff.id, totp)
        async with workplace.files.change(case_id) as change:
            change.case, events = approval.certify(
                change.case, workplace.act(staff.id), **arguments
            )
            change.emit(events)
        return await self._reception.case_file(staff, case_id, language=language)

    async def queue(self, staff: Staff, *, language: str) -> Json:
        """Cases waiting for an approver who did not handle them."""
        require_role(staff, "approver")
        lines = []
        for case in await self._workplace.files.cases():
            if case.state is not CaseState.PENDING_APPROVAL:
                continue
            if case.handler is not None and case.handler.id == staff.id:
                continue
            session = await self._workplace.files.session(case.sessions[-1])
            lines.append(queue_line(self._workplace, case, session=session, language=language))
        return {"cases": lines}

    async def review(self, staff: Staff, case_id: str, *, language: str) -> Json:
        """Claims with their intervals, recordings, record and draft."""
        workplace = self._workplace
        case = await workplace.files.case(case_id)
        if case.handler is not None and case.handler.id == staff.id and staff.role == "approver":
            raise DomainError("approver-is-handler")
        if not case.sessions or case.draft is None:
            raise DomainError("case-state", state=case.state.value)
        session = await workplace.files.session(case.sessions[-1])
        return review_view(
            case=await self._reception.case_file(staff, case_id, language=language),
            claims=case.claims,
            session=session,
            pack=workplace.pack(case.matter),
            takes=await workplace.recordings.takes(session.id),
            segments=await workplace.recordings.count(session.id),
            gaps=await workplace.recordings.gaps(session.id),
            indexes=await workplace.outbox.indexes([mark.event for mark in session.marks]),
            draft=_draft_view(case, language),
            language=language,
        )

    async def judge(
        self, staff: Staff, case_id: str, number: int, *, verdict: str, reason: str, language: str
    ) -> Json:
        """One claim found true, or returned with a reason."""
        async with self._workplace.files.change(case_id) as change:
            change.case, events = approval.judge(
                change.case,
                self._workplace.act(staff.id),
                staff=staff,
                number=number,
                verdict=verdict,
                reason=reason,
            )
            change.emit(events)
        return await self.review(staff, case_id, language=language)

    async def send_back(self, staff: Staff, case_id: str, *, reasons: str, language: str) -> Json:
        """Return the case to its handler."""
        async with self._workplace.files.change(case_id) as change:
            act = self._workplace.act(staff.id)
            change.case, events = approval.return_with_reasons(
                change.case, act, staff=staff, reasons=reasons
            )
            change.emit(events)
        return await self._reception.case_file(staff, case_id, language=language)

    async def approve(
        self, staff: Staff, case_id: str, *, totp: str, facts_sha256: str, language: str
    ) -> Json:
        """Approve: number, date and intent in one transaction; the issue goes on as a job."""
        workplace = self._workplace
        case = await workplace.files.case(case_id)
        pack = workplace.pack(case.matter)
        guards: Any = {"staff": staff, "pack": pack, "calendar": workplace.calendar}
        approval.require_approvable(case, act=workplace.act(staff.id), **guards)
        if case.draft is None or case.draft.facts_sha256 != facts_sha256:
            raise DomainError("draft-changed")
        await self._journal.drain()
        await self._require_evidence(case)
        await self._confirm_totp(staff.id, totp)
        async with workplace.files.change(case_id) as change:
            _require_sealed(change.held)
            anchors = await anchor_state(change.connection, case_id=case_id)
            if anchors.pending:
                raise DomainError("events-unanchored", pending=anchors.pending)
            act = workplace.act(staff.id)
            day = workplace.calendar.day(act.at)
            number = await self._number(change.connection, pack, day.year)
            status_index = await registers.next_status_index(change.connection)
            code = _code(workplace.random)
            change.case, events, facts = approval.approve(
                change.case,
                act,
                facts_sha256=facts_sha256,
                number=number,
                status_index=status_index,
                code=code,
                verify_url=f"{workplace.office.public_url}/v/{code}",
                **guards,
            )
            reference = change.case.certificate
            assert reference is not None  # approve has set it
            await workplace.files.note(case_id, canonical_json(facts), within=change.connection)
            cipher = workplace.vault.cipher(case_id, "register")
            await registers.allocate(
                change.connection,
                NumberRow(
                    office=number.office,
                    year=number.year,
                    number_class=number.number_class,
                    serial=number.serial,
                    text=number.text,
                    status_index=status_index,
                    case_id=case_id,
                    intent=reference.intent,
                    state="allocated",
                    allocated_at=act.at,
                    facts=cipher.encrypt(canonical_json(facts), f"intent/{reference.intent}"),
                ),
                code_sha256=code_digest(code),
            )
            change.emit(events)
        await self._start("issue", case_id)
        return await self._reception.case_file(staff, case_id, language=language)

    async def _number(self, connection: Any, pack: Any, year: int) -> CertificateNumber:
        office = self._workplace.office.id
        serial = await registers.next_serial(
            connection, office=office, year=year, number_class=pack.number_class
        )
        text = format_number(
            pack.number_format, year=year, number_class=pack.number_class, serial=serial
        )
        return CertificateNumber(office, year, pack.number_class, serial, text)

    async def _require_evidence(self, case: Case) -> None:
        """The case's own chain in the ledger is whole (LEDGER.md 2): nothing was cut out."""
        chain = await self._ledger.chain(case.id)
        verify_case([Leaf.parse(leaf) for _, leaf in chain], case=case.id)


def draft_facts(workplace: Workplace, case: Case, session: Session) -> Json:
    """What the certificate will say, as canonical values; what `server.documents` draws from."""
    pack, language = workplace.pack(case.matter), case.language
    signing = session.signing("document")
    assert signing is not None  # the session is sealed, so step 7 was done
    signed_at = signing.done_at or session.opened_at
    signed_on = workplace.calendar.day(signed_at).isoformat()
    shown_on = workplace.calendar.day(session.opened_at).isoformat()
    return {
        "language": language,
        "office": {"name": workplace.office.name(language)},
        "matter": pack.matter_line[language],
        "matter_id": pack.id,
        "document_title": pack.document_title[language],
        "means": pack.means[language],
        "notary": {
            "id": session.notary.id,
            "name": session.notary.name(language),
            "licence": session.notary.licence,
        },
        "document": document_facts(case, pack=pack, signed_on=shown_on),
        "signed_on": signed_on,
        "signed_at": signed_at,
        "document_sha256": signing.content_sha256,
        "signed_document_sha256": signing.result_sha256,
        "session": {
            "id": session.id,
            "number": session.number,
            "started_at": session.opened_at,
            "ended_at": session.closed_at,
        },
    }


def code_digest(code: str) -> str:
    """What the register looks a code up by; spaces, hyphens and case do not matter."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def _require_sealed(session: Session) -> None:
    if session.state is not SessionState.SEALED:
        raise DomainError("session-unsealed", state=session.state.value)


def _draft_view(case: Case, language: str) -> Json:
    assert case.draft is not None  # every caller has looked
    return {
        "facts": dict(case.draft.facts),
        "facts_sha256": case.draft.facts_sha256,
        "session_manifest_sha256": case.draft.session_manifest_sha256,
        "authorisation_text": _TEXT[language],
    }


def _code(random: Any) -> str:
    """80 random bits in base 32: nobody guesses it, and it can be typed from paper."""
    return base64.b32encode(random(10)).decode()
