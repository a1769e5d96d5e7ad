"""What goes into the bundle of a certificate: from the case, the ledger, the objects."""

import asyncio
import hashlib
import json
from typing import Any

from ledger.entry import Leaf, canonical_json, derive_salt
from ledger.proof import TlogProof
from server.domain.case import Case
from server.domain.session import Session
from server.services.ledger_port import Ledger
from server.services.session_dates import opening_event, opening_of
from server.services.signatures import Signatures
from server.services.status_lists import StatusLists
from server.services.workplace import Workplace
from server.storage.outbox import WrittenEvent
from signing import bundle
from signing.bundle import BundleContents, Disclosure, ProvenLeaf, SignedFile
from signing.ca import Office
from signing.proofs import SEAL

Json = dict[str, Any]


class EvidenceBundles:
    """Builds bundles in a thread."""

    def __init__(
        self,
        workplace: Workplace,
        signatures: Signatures,
        status_lists: StatusLists,
        *,
        ledger: Ledger,
        office: Office,
    ) -> None:
        self._workplace = workplace
        self._signatures = signatures
        self._status_lists = status_lists
        self._ledger = ledger
        self._office = office

    async def make(self, case: Case, session: Session, certificate: bytes) -> bytes:
        """The bundle of an issued case, proven under one checkpoint that covers all of it."""
        contents = await self._contents(case, session, certificate)
        return await asyncio.to_thread(bundle.build, contents, office=self._office)

    async def signed_files(self, session: Session) -> list[SignedFile]:
        """Record and manifest with their detached signatures."""
        get = self._workplace.get
        manifest, record = session.manifest, session.signing("record")
        assert manifest is not None  # a closed session has all three
        assert record is not None
        assert manifest.notary is not None
        content = await get(session.case_id, manifest.content, label=f"manifest/{session.id}")
        spoken = await get(session.case_id, record.content, label=f"signing/{record.id}")
        notary = await get(
            session.case_id,
            str(manifest.notary["signature"]),
            label=f"manifest/{session.id}/notary",
        )
        return [
            SignedFile(
                "session/record.json",
                spoken,
                {"applicant": await self._signatures.signed(session, "record")},
            ),
            SignedFile(
                "session/manifest.json",
                content,
                {
                    "applicant": await self._signatures.signed(session, "manifest"),
                    "notary": notary,
                },
            ),
        ]

    async def _contents(self, case: Case, session: Session, certificate: bytes) -> BundleContents:
        reference = case.certificate
        assert reference is not None  # the case is issued
        status = await self._status_lists.current()
        chain = await self._ledger.chain(case.id)
        register_chain = await self._ledger.chain(self._workplace.office.register)
        register = [
            (index, leaf)
            for index, leaf in register_chain
            if _concerns(Leaf.parse(leaf).body, reference.number)
        ]
        sealed = await self._ledger.seal(max(chain[-1][0], register_chain[-1][0]))

        async def proven(index: int, leaf: bytes) -> ProvenLeaf:
            return ProvenLeaf(index, leaf, await self._ledger.inclusion(index, sealed.tree_size))

        events = await self._workplace.outbox.of_case(case.id)
        seal = next(index for index, leaf in chain if _is_seal(Leaf.parse(leaf).body, session.id))
        ended = await self._ledger.seal(seal)
        opened = opening_event(events, session.id)
        return BundleContents(
            certificate=certificate,
            documents={"power-of-attorney.pdf": await self._signatures.signed(session, "document")},
            number=reference.number,
            issued_on=reference.date,
            facts=flat_facts(await self._intent(case), number=reference.number),
            session={
                "id": session.id,
                "number": session.number,
                "linked_to": session.linked_to,
                "started_at": session.opened_at,
                "ended_at": session.closed_at,
            },
            signed=await self.signed_files(session),
            authorisations=[each.record() for each in case.authorisations],
            segments=await self._segments(session),
            gaps=await self._gaps(session),
            timeline=[
                {
                    "number": run.number,
                    "key": run.key,
                    "started_at": run.started_at,
                    "completed_at": run.completed_at,
                }
                for run in session.steps
            ],
            case=case.id,
            case_leaves=[await proven(*each) for each in chain],
            register=self._workplace.office.register,
            register_leaves=[await proven(*each) for each in register],
            checkpoint=sealed.checkpoint,
            checkpoint_token=sealed.timestamp or b"",
            disclosed=self._disclosed(case, events),
            status=status,
            receipts=[
                {"index": event.index, "leaf_hash": event.leaf_hash}
                for event in events
                if event.session_id == session.id and event.index is not None
            ],
            salt_key=self._workplace.vault.cipher(case.id, "register").key,
            made_at=self._workplace.clock(),
            handovers=await self._ledger.handovers(),
            opening=opening_of(self._workplace, opened) if opened else None,
            session_seal=(
                TlogProof(seal, ended.inclusion, ended.checkpoint).text,
                ended.timestamp or b"",
            ),
        )

    async def _intent(self, case: Case) -> Json:
        assert case.certificate is not None
        row = await self._workplace.registers.by_intent(case.certificate.intent)
        assert row is not None  # allocated with the intent
        cipher = self._workplace.vault.cipher(case.id, "register")
        facts: Json = json.loads(cipher.decrypt(row.facts, f"intent/{row.intent}"))
        return facts

    async def _segments(self, session: Session) -> list[Json]:
        return [
            {
                "participant": row.segment.participant,
                "take": row.segment.take,
                "number": row.segment.number,
                "start_at": row.segment.start_at,
                "end_at": row.segment.end_at,
                "bytes": row.segment.length,
                "sha256": row.segment.ciphertext_sha256,
                "plaintext_sha256": row.segment.plaintext_sha256,
                "chain": row.segment.chain,
                "event": row.event,
            }
            for row in await self._workplace.recordings.segments(session.id)
        ]

    async def _gaps(self, session: Session) -> list[Json]:
        return [
            {
                "participant": gap.participant,
                "take": gap.take,
                "kind": gap.kind,
                "start_at": gap.start_at,
                "end_at": gap.end_at,
                "detail": {key: str(value) for key, value in gap.detail.items()},
            }
            for gap in await self._workplace.recordings.gaps(session.id)
        ]

    def _disclosed(self, case: Case, events: tuple[WrittenEvent, ...]) -> list[Disclosure]:
        """Openings, by digest, of everything but private facts."""
        found = []
        register = self._workplace.office.register
        for event in events:
            purpose: Any = "register" if event.chain == register else "evidence"
            key = self._workplace.vault.cipher(case.id, purpose).key
            private = self._workplace.files.private(event)
            items, second = private["items"], private.get("sm3", {})
            for name, content_sha256 in sorted(items.items()):
                if name == "facts":
                    continue
                salt = derive_salt(key, f"{event.id}/{name}")
                opened = Disclosure(
                    event.id,
                    name,
                    salt,
                    content_sha256=str(content_sha256),
                    content_sm3=second.get(name),
                )
                found.append(opened)
        return found


def flat_facts(intent: Json, *, number: str) -> dict[str, str | int]:
    """What the certificate says, one fact a line, for verifiers and the page behind the code."""
    draft = intent["draft"]
    document = draft["document"]
    return {
        "number": number,
        "office": draft["office"]["name"],
        "matter": draft["matter"],
        "document": draft["document_title"],
        "applicant": document["principal"]["name"],
        "attorney": document["attorney"]["name"],
        "purpose": document["matter"],
        "subject": document["subject"],
        "term": document["term_until"],
        "notary": draft["notary"]["name"],
        "licence": draft["notary"]["licence"],
        "issued_on": intent["date"],
        "signed_on": draft["signed_on"],
        "signed_by_video_at": draft["signed_at"],
        "document_sha256": draft["document_sha256"],
        "intent_sha256": _digest(intent),
    }


def _digest(intent: Json) -> str:
    return hashlib.sha256(canonical_json(intent)).hexdigest()


def _is_seal(body: Any, session: str) -> bool:
    return bool(body.get("kind") == SEAL and body.get("session") == session)


def _concerns(body: Any, number: str) -> bool:
    return bool(body.get("number") == number or body.get("kind") == "status-list")
