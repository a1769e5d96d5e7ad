"""What anybody may ask: by number the status only, by code what the certificate says."""

import hashlib
import json
from typing import Any

from server.domain.errors import DomainError
from server.services.approval import code_digest
from server.services.delivery import Delivery
from server.services.evidence_bundle import flat_facts
from server.services.status_lists import StatusLists
from server.services.workplace import Content, Workplace
from server.storage.registers import NumberRow

Json = dict[str, Any]
_STATUS = {"issued": "valid", "revoked": "revoked", "void": "revoked"}


class Verification:
    """Needs no account. A number alone shows status only; the random code opens more."""

    def __init__(self, workplace: Workplace, delivery: Delivery, status_lists: StatusLists) -> None:
        self._workplace = workplace
        self._delivery = delivery
        self._status_lists = status_lists

    async def number(self, number: str) -> Json:
        """The status of a printed number: valid, revoked or unknown, as of now."""
        row = await self._workplace.registers.by_number(_normal(number))
        known = row is not None and row.state in _STATUS
        return {
            "number": number,
            "status": _STATUS[row.state] if row is not None and known else "unknown",
            "as_of": self._workplace.clock(),
            "issued_on": self._day(row.allocated_at) if row is not None and known else None,
        }

    async def code(self, code: str, *, language: str) -> Json:
        """What the certificate of a code says; refuses `code-unknown`."""
        row = await self._row(code)
        signed = await self._workplace.registers.certificate(row.intent)
        cipher = self._workplace.vault.cipher(row.case_id, "register")
        intent = json.loads(cipher.decrypt(row.facts, f"intent/{row.intent}"))
        facts = flat_facts(intent, number=row.text)
        session = intent["draft"]["session"]
        steps, gaps = await self._session(session["id"], row, language)
        return {
            "number": row.text,
            "status": _STATUS[row.state],
            "as_of": self._workplace.clock(),
            "facts": facts,
            "session": {
                "started_at": session["started_at"],
                "duration_ms": session["ended_at"] - session["started_at"],
                "steps": steps,
                "gaps": gaps,
            },
            "pdf_sha256": signed.sha256 if signed else None,
            "bundle_url": f"/api/verify/code/{code}/bundle.zip",
            "report": None,
        }

    async def bundle(self, code: str) -> Content:
        """The bundle behind a code."""
        row = await self._row(code)
        return await self._delivery.kept(row.case_id, row.intent, "bundle")

    async def status_list(self) -> Json:
        """The signed status list."""
        return await self._status_lists.current()

    async def number_of(self, pdf: bytes) -> str | None:
        """The number of a certificate file, if this office issued exactly these bytes."""
        row = await self._workplace.registers.by_pdf(hashlib.sha256(pdf).hexdigest())
        return row.text if row is not None and row.state in _STATUS else None

    async def _row(self, code: str) -> NumberRow:
        digest = code_digest(code)
        registers = self._workplace.registers
        row = await registers.by_code(digest) or await registers.by_share(digest)
        if row is None or row.state not in _STATUS:
            raise DomainError("code-unknown")
        return row

    async def _session(
        self, session_id: str, row: NumberRow, language: str
    ) -> tuple[list[Json], list[Json]]:
        """Steps and gaps as offsets; empty once the evidence was erased: no session is found."""
        try:
            case, session = await self._workplace.files.both(session_id)
        except DomainError:
            return [], []
        pack = self._workplace.pack(case.matter)
        steps = [
            {
                "number": run.number,
                "key": run.key,
                "title": pack.step(run.number).title[language],
                "from_ms": (run.started_at or session.opened_at) - session.opened_at,
                "to_ms": (run.completed_at or session.opened_at) - session.opened_at,
            }
            for run in session.steps
        ]
        gaps = [
            {
                "from_ms": gap.start_at - session.opened_at,
                "to_ms": gap.end_at - session.opened_at,
                "kind": gap.kind,
            }
            for gap in await self._workplace.recordings.gaps(session_id)
        ]
        return steps, gaps

    def _day(self, at: int) -> str:
        return self._workplace.calendar.day(at).isoformat()


def _normal(number: str) -> str:
    """People type half-width brackets; the register has full-width ones."""
    return number.strip().replace("(", "（").replace(")", "）").replace(" ", "")
