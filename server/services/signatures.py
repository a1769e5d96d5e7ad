"""The applicant's key and the three signatures made with it: document, record, manifest.

The key is made in the applicant's browser and never leaves it. The server prepares what is signed,
the browser signs, the server assembles and checks (`signing.cades`, `signing.pades`).
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.entry import canonical_json
from server.domain import record as interview
from server.domain.case import Case
from server.domain.errors import DomainError
from server.domain.participant import Applicant
from server.domain.session import (
    SIGNED_IN,
    ApplicantKey,
    Session,
    Signing,
    happened,
    mark,
    require_open,
)
from server.services.conduct import Conduct, require_clock, role_of
from server.services.documents import Documents
from server.services.workplace import Content, Person
from signing import cades, pades
from signing.ca import Office
from signing.certificates import milliseconds
from signing.errors import SigningError
from signing.seal import Strokes

Json = dict[str, Any]
ACTS = ("document", "record", "manifest")
_PAD = 2.5  # width over height of the pad; the browser gives both axes in 0..1
_EVIDENCE = {
    "document": "document_signed",
    "record": "record_signed",
    "manifest": "manifest_signed_applicant",
}


class Signatures:
    """`office` certifies the key and gives the time of each signature."""

    def __init__(self, conduct: Conduct, documents: Documents, *, office: Office) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._documents = documents
        self._office = office

    async def key(self, applicant: Applicant, sid: str, *, csr_pem: str) -> Json:
        """Certify the key made in the browser, for this session and these acts; newest counts."""
        case, session = await self._workplace.own_session(applicant, sid)
        require_open(session)
        self._require_clock()
        if session.step < SIGNED_IN["document"]:
            raise DomainError("signing-too-early", step=session.step)
        try:
            request = x509.load_pem_x509_csr(csr_pem.encode()).public_bytes(Encoding.DER)
            issued = await asyncio.to_thread(
                self._office.issue_applicant,
                request,
                session_id=sid,
                common_name=session.applicant_name or case.id,
                acts=ACTS,
            )
        except (ValueError, SigningError):
            raise DomainError("key-unusable") from None
        certificate = base64.b64encode(issued.certificate).decode()
        chain = tuple(base64.b64encode(each).decode() for each in issued.chain)
        stored = await self._workplace.put(
            case.id, issued.certificate, label=f"key/{sid}/{issued.certificate.hex()[:16]}"
        )
        async with self._conduct.change(applicant, sid) as change:
            act = self._workplace.act(applicant.id)
            session = replace(change.held, key=ApplicantKey(certificate, chain, act.at))
            items = {"certificate": stored.sha256}
            if session.step == SIGNED_IN["document"]:
                pack = self._conduct.pack(change)
                session, events = mark(session, act, pack=pack, key="applicant_key", items=items)
            else:
                events = happened(session, act, "key-certified", items=items)
            change.session = session
            change.emit(events)
        return {
            "certificate_pem": _pem(issued.certificate),
            "chain_pem": "".join(_pem(each) for each in issued.chain),
        }

    async def prepare(
        self, applicant: Applicant, sid: str, *, act: str, strokes: Sequence[Any] | None
    ) -> Json:
        """Prepare one signature: what is signed, and the attributes for the browser to sign."""
        case, session = await self._workplace.own_session(applicant, sid)
        _require_signable(session, act)
        assert session.key is not None  # _require_signable has refused otherwise
        self._require_clock(session.key)
        if act == "document":
            signing, attributes, covered, drawn = await self._prepare_document(session, strokes)
        else:
            signing, attributes = await self._prepare_data(case, session, act)
            covered, drawn = signing.content_sha256, None
        async with self._conduct.change(applicant, sid) as change:
            _require_signable(change.held, act)
            now = self._workplace.act(applicant.id)
            kept = tuple(each for each in change.held.signings if each.act != act)
            session = replace(change.held, signings=(*kept, signing))
            items = {"content": signing.content_sha256}
            if drawn is not None:
                change.session, events = mark(
                    session,
                    now,
                    pack=self._conduct.pack(change),
                    key="strokes",
                    items={**items, "strokes": drawn},
                )
            else:
                change.session = session
                public = {"act": act}
                events = happened(session, now, "signing-prepared", public=public, items=items)
            change.emit(events)
        return {
            "id": signing.id,
            "act": act,
            "content_url": f"/api/sessions/{sid}/signing/{signing.id}",
            "content_sha256": covered,
            "signed_attrs_b64": base64.b64encode(attributes).decode(),
        }

    async def complete(
        self, applicant: Applicant, sid: str, signing_id: str, *, signature_b64: str, language: str
    ) -> Json:
        """Take the browser's signature, check it, store the signed result, then mark it done."""
        case, session = await self._workplace.own_session(applicant, sid)
        signing = _signing(session, signing_id)
        if signing.done_at is not None:
            return await self._conduct.view(applicant, sid, language=language)  # said twice
        _require_signable(session, signing.act)
        self._require_clock(session.key)
        try:
            signature = base64.b64decode(signature_b64, validate=True)
            result = await self._assemble(case, session, signing, signature)
        except (binascii.Error, SigningError):
            raise DomainError("signature-invalid", act=signing.act) from None
        stored = await self._workplace.put(case.id, result, label=f"signed/{signing.id}")
        async with self._conduct.change(applicant, sid) as change:
            current = _signing(change.held, signing_id)
            _require_signable(change.held, current.act)
            now = self._workplace.act(applicant.id)
            done = replace(current, result_sha256=stored.sha256, result=stored.name, done_at=now.at)
            others = tuple(each for each in change.held.signings if each.id != signing_id)
            change.session, events = mark(
                replace(change.held, signings=(*others, done)),
                now,
                pack=self._conduct.pack(change),
                key=_EVIDENCE[current.act],
                items={"content": current.content_sha256, "signed": stored.sha256},
            )
            change.emit(events)
        return await self._conduct.view(applicant, sid, language=language)

    async def content(self, person: Person, sid: str, signing_id: str) -> Content:
        """What is signed, exactly as it is signed."""
        case, session = await self._workplace.own_session(person, sid)
        role_of(session, person)
        signing = _signing(session, signing_id)
        if signing.act == "document":
            label = f"signing/{signing.id}"
            kept = await self._workplace.get(case.id, signing.content, label=label)
            pdf, hole = _unpacked(kept)
            return Content(_covered(pdf, hole), "application/octet-stream", "document.signed-bytes")
        if signing.act == "manifest":
            label = f"manifest/{sid}"
        else:
            label = f"signing/{signing.id}"
        content = await self._workplace.get(case.id, signing.content, label=label)
        return Content(content, "application/json", f"{signing.act}.json")

    def _require_clock(self, key: ApplicantKey | None = None) -> None:
        """Refuse `clock-behind` before the office's certificates, or this key's, begin."""
        begins = self._office.begins
        if key is not None:
            certificate = x509.load_der_x509_certificate(base64.b64decode(key.certificate))
            begins = max(begins, milliseconds(certificate.not_valid_before_utc))
        require_clock(self._workplace.clock(), begins=begins)

    async def signed(self, session: Session, act: str) -> bytes:
        """The signed result of an act: a PDF for the document, a CMS for record and manifest."""
        signing = session.signing(act)
        if signing is None or signing.result is None:
            raise DomainError("signing-unknown")
        return await self._workplace.get(
            session.case_id, signing.result, label=f"signed/{signing.id}"
        )

    async def strokes(self, session: Session) -> Strokes:
        """The applicant's handwriting on the document."""
        signing = session.signing("document")
        if signing is None or signing.strokes is None:
            raise DomainError("strokes-missing")
        data = await self._workplace.get(
            session.case_id, signing.strokes, label=f"strokes/{signing.id}"
        )
        return Strokes.parse(json.loads(data))

    # -- inside ----------------------------------------------------------------------------------

    async def _prepare_document(
        self, session: Session, strokes: Sequence[Any] | None
    ) -> tuple[Signing, bytes, str, str]:
        pad, drawn = _pad(strokes)
        signing_id = self._workplace.new_id()
        pdf = await self._documents.content(session)
        assert session.key is not None
        prepared = await asyncio.to_thread(
            pades.prepare_applicant_signature,
            pdf,
            base64.b64decode(session.key.certificate),
            [base64.b64decode(each) for each in session.key.chain],
            at=self._workplace.clock(),
            name=session.applicant_name,
            strokes=drawn,
        )
        put = self._workplace.put
        kept_pad = await put(
            session.case_id, json.dumps(pad).encode(), label=f"strokes/{signing_id}"
        )
        hole = json.dumps(list(prepared.hole)).encode()
        kept = await put(
            session.case_id,
            len(hole).to_bytes(4) + hole + prepared.pdf_with_hole,
            label=f"signing/{signing_id}",
        )
        assert session.document is not None  # content() has refused otherwise
        signing = Signing(
            id=signing_id,
            act="document",
            content_sha256=session.document.sha256,
            content=kept.name,
            signed_attrs=base64.b64encode(prepared.signed_attrs).decode(),
            prepared_at=self._workplace.clock(),
            strokes_sha256=kept_pad.sha256,
            strokes=kept_pad.name,
        )
        covered = sha256(_covered(prepared.pdf_with_hole, prepared.hole)).hexdigest()
        return signing, prepared.signed_attrs, covered, kept_pad.sha256

    async def _prepare_data(self, case: Case, session: Session, act: str) -> tuple[Signing, bytes]:
        signing_id = self._workplace.new_id()
        if act == "manifest":
            assert session.manifest is not None  # _require_signable has refused otherwise
            name, content_sha256 = session.manifest.content, session.manifest.sha256
        else:
            final = interview.final_form(session.record, opened_at=session.opened_at)
            stored = await self._workplace.put(
                case.id, canonical_json(final), label=f"signing/{signing_id}"
            )
            name, content_sha256 = stored.name, stored.sha256
        assert session.key is not None
        at = self._workplace.clock()
        certificate = base64.b64decode(session.key.certificate)
        attributes = cades.prepare(content_sha256, certificate, at)
        signing = Signing(
            id=signing_id,
            act="manifest" if act == "manifest" else "record",
            content_sha256=content_sha256,
            content=name,
            signed_attrs=base64.b64encode(attributes).decode(),
            prepared_at=at,
        )
        return signing, attributes

    async def _assemble(
        self, case: Case, session: Session, signing: Signing, signature: bytes
    ) -> bytes:
        assert session.key is not None  # _require_signable has refused otherwise
        certificate = base64.b64decode(session.key.certificate)
        chain = [base64.b64decode(each) for each in session.key.chain]
        attributes = base64.b64decode(signing.signed_attrs)
        if signing.act != "document":
            return await asyncio.to_thread(
                cades.assemble,
                attributes,
                signature,
                certificate,
                chain,
                timestamp=self._office.timestamp,
            )
        kept = await self._workplace.get(case.id, signing.content, label=f"signing/{signing.id}")
        pdf, hole = _unpacked(kept)
        prepared = pades.Prepared(
            signed_attrs=attributes,
            pdf_with_hole=pdf,
            hole=hole,
            certificate=certificate,
            chain=tuple(chain),
        )
        return await asyncio.to_thread(pades.embed, prepared, signature, self._office)


def _unpacked(kept: bytes) -> tuple[bytes, tuple[int, int]]:
    """The prepared PDF and its hole, as `_prepare_document` packed them."""
    size = int.from_bytes(kept[:4])
    start, end = json.loads(kept[4 : 4 + size])
    return kept[4 + size :], (start, end)


def _covered(pdf: bytes, hole: tuple[int, int]) -> bytes:
    """What the signature is over: the document as shown, then its signature field, without the
    hole (ISO 32000 12.8.1, ByteRange)."""
    start, end = hole
    return pdf[:start] + pdf[end:]


def _require_signable(session: Session, act: str) -> None:
    require_open(session)
    if act not in SIGNED_IN:
        raise DomainError("signing-act-unknown", act=act)
    if session.step != SIGNED_IN[act]:
        raise DomainError("signing-too-early", step=session.step, act=act)
    if session.key is None:
        raise DomainError("key-missing")
    done = session.signing(act)
    if done is not None and done.done_at is not None:
        raise DomainError("signing-done", act=act)
    if act == "record" and session.marked("record_final") is None:
        raise DomainError("record-disputed")
    if act == "manifest" and session.manifest is None:
        raise DomainError("signing-too-early", step=session.step, act=act)


def _signing(session: Session, signing_id: str) -> Signing:
    found = next((each for each in session.signings if each.id == signing_id), None)
    if found is None:
        raise DomainError("signing-unknown")
    return found


def _pad(strokes: Sequence[Any] | None) -> tuple[Json, Strokes]:
    """The pad's data as stored (x, y, t, pressure), and the handwriting it is."""
    if not strokes:
        raise DomainError("strokes-missing")
    try:
        lines = [
            [
                [float(p["x"]) * _PAD, float(p["y"]), float(p["t"]), float(p.get("p", 0.5))]
                for p in stroke
            ]
            for stroke in strokes
        ]
        data = {"width": _PAD, "height": 1.0, "strokes": lines}
        return data, Strokes.parse(data)
    except (KeyError, TypeError, ValueError, SigningError):
        raise DomainError("strokes-missing") from None


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
