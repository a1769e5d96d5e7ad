"""The certificate volume: the document's pages first (前面的《委托书》), then the 公证书.

A signed PDF cannot be merged into another without breaking its signature. So the volume draws the
document's pages again from the same facts and strokes, with the same template, and carries the
document as signed as an attachment; every one of those pages gives the attachment's SHA-256.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import segno

from server.documents.boxes import place_fields
from server.documents.facts import CertificateFacts, Language, as_data
from server.documents.typeset import Attachment, typeset

# signing.pades looks for these fields.
NOTARY_FIELD = "NotarySig"
SEAL_FIELD = "OfficeSeal"
_LABELS: dict[Language, dict[str, str]] = {
    "zh-CN": {NOTARY_FIELD: "公证员签名", SEAL_FIELD: "公证处电子印章"},
    "en": {NOTARY_FIELD: "Signature of the notary", SEAL_FIELD: "Electronic seal of the office"},
}


def render_certificate(
    facts: Mapping[str, Any],
    *,
    document_pdf: bytes,
    applicant_strokes_svg: str,
    notary_strokes_svg: str,
    seal_svg: str,
    verify_url: str,
    code: str,
    evidence: Mapping[str, Any],
    language: Language = "zh-CN",
    specimen: bool,
    attachments: Sequence[Attachment] = (),
) -> bytes:
    """Draw the volume (PDF/A-3a), ready for `signing.pades.sign_certificate`.

    `document_pdf` is the document as the applicant signed it. `evidence` is attached as
    evidence.json; it cites the session's seal and act-intended. `verify_url` and `code` stand on
    every page, in clear and as a QR code. The same arguments give the same bytes. Raises
    FactsError, GlyphsMissingError or RenderError.
    """
    parsed = CertificateFacts.parse(facts, language=language)
    digest = sha256(document_pdf).hexdigest()
    data = {
        "language": language,
        "specimen": specimen,
        "certificate": as_data(parsed),
        "verify_url": verify_url,
        "code": code,
        "document_sha256": digest,
    }
    images = {
        "qr": segno.make(verify_url, error="m").svg_inline(border=0, omitsize=True),
        "seal": seal_svg,
        "notary": notary_strokes_svg,
        "applicant": applicant_strokes_svg,
    }
    drawn = typeset(
        "certificate",
        data,
        images=images,
        day=parsed.day,
        standard="a-3a",
        attachments=[*_fixed(document_pdf, evidence, digest), *attachments],
    )
    boxes = {box.name: box for box in drawn.boxes}
    ours = [boxes[NOTARY_FIELD], boxes[SEAL_FIELD]]
    return place_fields(drawn.pdf, ours, labels=_LABELS[language])


def _fixed(document_pdf: bytes, evidence: Mapping[str, Any], digest: str) -> list[Attachment]:
    content = json.dumps(
        {**evidence, "document_sha256": digest},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return [
        Attachment(
            "document-as-signed.pdf",
            document_pdf,
            "application/pdf",
            "签署原件 the document as signed",
            "source",
        ),
        Attachment(
            "evidence.json",
            content.encode(),
            "application/json",
            "证据摘要 what the evidence ledger holds",
        ),
    ]
