"""What the applicant takes home: receipt and equal copy at once, certificate and bundle later."""

import base64
import io
import json
import zipfile
from typing import Any

from server.domain import application
from server.domain.case import Case, CaseState
from server.domain.errors import DomainError
from server.domain.participant import Applicant
from server.domain.session import Session, SessionState
from server.services.approval import code_digest
from server.services.evidence_bundle import EvidenceBundles
from server.services.intake import Intake
from server.services.ledger_port import Ledger
from server.services.signatures import Signatures
from server.services.workplace import Content, Person, Workplace, require_own
from server.storage.objects import REGISTER
from server.storage.sealed import SealedEntries

Json = dict[str, Any]
_README = """\
Farseal: the applicant's equal copy / 远证：申请人副本

document.pdf    what you read and signed, with your signature      您阅读并签署的文件
record.json     the interview record, record.p7s your signature    询问笔录及您的签名
manifest.json   what happened in the session, signed by both       会见清单及双方签名
receipt.json    where every entry of the session stands in the ledger; with full proofs once the
                session is sealed                                  各条目在存证账本中的位置与证明
"""


class Delivery:
    """Everything here is the applicant's by right, as soon as the call is over."""

    def __init__(
        self,
        workplace: Workplace,
        intake: Intake,
        signatures: Signatures,
        bundles: EvidenceBundles,
        sealed: SealedEntries,
        *,
        ledger: Ledger,
    ) -> None:
        self._workplace = workplace
        self._intake = intake
        self._signatures = signatures
        self._bundles = bundles
        self._sealed = sealed
        self._ledger = ledger

    async def receipt(self, applicant: Applicant, case_id: str) -> Json:
        """Index and leaf hash of every entry of the session; with proofs once it is sealed."""
        case, session = await self._closed(applicant, case_id)
        proof = await self._sealed.of(session.seal_event) if session.seal_event else None
        tree_size = proof["tree_size"] if proof else None
        entries = []
        for event in await self._workplace.outbox.of_session(session.id):
            inclusion: list[str] | None = None
            if tree_size is not None and event.index is not None and event.index < tree_size:
                inclusion = list(await self._ledger.inclusion(event.index, tree_size))
            entries.append(
                {
                    "event": event.id,
                    "kind": event.kind,
                    "at": event.at,
                    "index": event.index,
                    "leaf_hash": event.leaf_hash,
                    "inclusion": inclusion,
                }
            )
        office = self._workplace.office
        return {
            "v": 1,
            "office": {"zh-CN": office.name_zh, "en": office.name_en},
            "origin": office.origin,
            "case": case.id,
            "session": session.id,
            "manifest_sha256": session.manifest.sha256 if session.manifest else None,
            "proofs": "full" if proof else "pending",
            "tree_size": tree_size,
            "checkpoint": proof["checkpoint"] if proof else None,
            "timestamp": proof["timestamp"] if proof else None,
            "entries": entries,
        }

    async def copy(self, applicant: Applicant, case_id: str) -> Content:
        """The equal copy as a zip: document, record, manifest, signatures, receipt."""
        _, session = await self._closed(applicant, case_id)
        receipt = await self.receipt(applicant, case_id)
        files = {
            "README.txt": _README.encode(),
            "document.pdf": await self._signatures.signed(session, "document"),
            "receipt.json": json.dumps(receipt, ensure_ascii=False, indent=1).encode(),
        }
        for signed in await self._bundles.signed_files(session):
            name = signed.path.removeprefix("session/")
            files[name] = signed.content
            for role, cms in signed.signatures.items():
                files[name.replace(".json", f".{role}.p7s")] = cms
        if receipt["timestamp"]:
            files["checkpoint.tsr"] = base64.b64decode(receipt["timestamp"])
        return Content(_zip(files), "application/zip", f"copy-{case_id[:8]}.zip")

    async def certificate(self, person: Person, case_id: str) -> Content:
        """The signed certificate, for the applicant and those of the office who have the case.

        Refuses `certificate-not-ready`, `not-handler`, `role-not-allowed`.
        """
        case = await self._workplace.own_case_or_husk(person, case_id)
        await self._workplace.look(person, case, what="certificate")
        return await self.certificate_of(case)

    async def certificate_of(self, case: Case) -> Content:
        """The signed certificate of a case already seen to be this person's."""
        return await self._file(case, "certificate")

    async def bundle(self, person: Person, case_id: str) -> Content:
        """The evidence bundle, for the same people; the same refusals."""
        case = await self._workplace.own_case_or_husk(person, case_id)
        await self._workplace.look(person, case, what="bundle")
        return await self.bundle_of(case)

    async def bundle_of(self, case: Case) -> Content:
        """The bundle of a case already seen to be this person's."""
        return await self._file(case, "bundle")

    async def share(self, applicant: Applicant, case_id: str) -> Json:
        """A code for somebody who relies on the certificate, apart from the printed one."""
        case = await self._workplace.own_case(applicant, case_id)
        if case.certificate is None or case.certificate.issued_at is None:
            raise DomainError("certificate-not-ready")
        code = base64.b32encode(self._workplace.random(10)).decode()
        await self._workplace.registers.share(
            case_id, code_sha256=code_digest(code), at=self._workplace.clock()
        )
        return {"code": code, "url": f"{self._workplace.office.public_url}/v/{code}"}

    async def rate(
        self, applicant: Applicant, case_id: str, *, stars: int, words: str, language: str
    ) -> Json:
        """One rating of a finished matter."""
        async with self._workplace.files.change(case_id) as change:
            require_own(change.case, applicant)
            act = self._workplace.act(applicant.id)
            change.case, events = application.rate(change.case, act, stars=stars, words=words)
            change.emit(events)
        return await self._intake.case(applicant, case_id, language=language)

    async def _closed(self, applicant: Applicant, case_id: str) -> tuple[Case, Session]:
        case = await self._workplace.own_case(applicant, case_id)
        if not case.sessions:
            raise DomainError("copy-not-ready")
        session = await self._workplace.files.session(case.sessions[-1])
        if session.state not in (SessionState.CLOSED, SessionState.SEALED):
            raise DomainError("copy-not-ready")
        return case, session

    async def _file(self, case: Case, kind: str) -> Content:
        reference = case.certificate
        # Issued is not sealed: until it is, others could be shown a ledger without it.
        if reference is None or case.state in (CaseState.APPROVED, CaseState.ISSUED):
            raise DomainError("certificate-not-ready")
        return await self.kept(case.id, reference.intent, kind)

    async def kept(self, case_id: str, intent: str, kind: str) -> Content:
        """A file of an intent, under the register's key: there also once a case was erased."""
        registers = self._workplace.registers
        row = await (registers.certificate if kind == "certificate" else registers.bundle)(intent)
        if row is None:
            raise DomainError("certificate-not-ready")
        cipher = self._workplace.vault.cipher(case_id, "register")
        content = await self._workplace.objects.get(
            row.object, place=REGISTER, cipher=cipher, label=f"{kind}/{intent}"
        )
        if kind == "certificate":
            return Content(content, "application/pdf", "certificate.pdf")
        return Content(content, "application/zip", "bundle.zip")


def _zip(files: dict[str, bytes]) -> bytes:
    """A zip with fixed times, every entry stored: the same files make the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), files[name])
    return buffer.getvalue()
