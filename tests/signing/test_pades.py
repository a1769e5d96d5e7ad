"""Signed PDFs, judged by pdfsig, pyHanko in later years, and pikepdf; and spoiled in every way."""

import asyncio
import dataclasses
import hashlib
import io
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from asn1crypto import x509 as asn1_x509
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import policy_decl
from pyhanko.sign.validation.ades import (
    ades_lta_validation,
    simulate_future_ades_lta_validation,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from server.documents import page_images
from signing import pades
from signing.ca import IssuedCertificate, Office
from signing.certificates import encode
from signing.errors import DocumentError, RevokedError, SignatureError
from tests.documents.sample import CODE, VERIFY_URL, handwriting
from tests.signing.cast import Browser

CERTIFICATE_FIELDS = [pades.NOTARY_FIELD, pades.SEAL_FIELD, pades.TIMESTAMP_FIELD]


def pdfsig(pdf: bytes, directory: Path) -> list[str]:
    (directory / "file.pdf").write_bytes(pdf)
    command = ["pdfsig", "-nocert", "file.pdf"]
    shown = subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout
    return re.split(r"Signature #\d+:\n", shown)[1:]


def policy(office: Office) -> policy_decl.PdfSignatureValidationSpec:
    root = asn1_x509.Certificate.load(encode(office.root))
    return policy_decl.PdfSignatureValidationSpec(
        policy_decl.SignatureValidationSpec(
            cert_validation_policy=CertValidationPolicySpec(
                trust_manager=SimpleTrustManager.build(trust_roots=[root]),
                revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
            ),
            revinfo_gathering_policy=policy_decl.RevocationInfoGatheringSpec(
                online_fetching_rule=policy_decl.RevinfoOnlineFetchingRule.LOCAL_ONLY
            ),
        )
    )


def test_pdfsig_calls_both_signatures_valid(certificate: bytes, tmp_path: Path) -> None:
    notary, seal, stamp = pdfsig(certificate, tmp_path)
    for name, shown in ((pades.NOTARY_FIELD, notary), (pades.SEAL_FIELD, seal)):
        assert f"Signature Field Name: {name}\n" in shown
        assert "Signature Type: ETSI.CAdES.detached" in shown
        assert "Signature Validation: Signature is Valid." in shown
    assert f"Signature Field Name: {pades.TIMESTAMP_FIELD}\n" in stamp
    assert "Total document signed" in stamp
    assert "Not total" not in stamp


def test_pdfsig_calls_the_applicants_signature_valid(
    signed_document: bytes, tmp_path: Path
) -> None:
    applicant, stamp = pdfsig(signed_document, tmp_path)
    assert "Signer Certificate Common Name: 周明远" in applicant
    assert "Signature Validation: Signature is Valid." in applicant
    assert "Total document signed" in stamp
    assert "Not total" not in stamp


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("which", ["certificate", "signed_document"])
def test_the_signatures_hold_now_and_in_2035(
    request: pytest.FixtureRequest, office: Office, which: str
) -> None:
    pdf: bytes = request.getfixturevalue(which)

    async def verdicts() -> list[tuple[str, str]]:
        found = []
        names = [one.field_name for one in _reader(pdf).embedded_regular_signatures]
        for place, name in enumerate(names):
            now = await ades_lta_validation(_signature(pdf, place), policy(office))
            assert now.api_status is not None
            assert now.api_status.bottom_line, name
            found.append((name, str(now.ades_subindic)))
            for year in (2028, 2035):
                later = await simulate_future_ades_lta_validation(
                    _signature(pdf, place),
                    policy(office),
                    future_validation_time=datetime(year, 12, 1, tzinfo=UTC),
                )
                found.append((f"{name} {year}", str(later.ades_subindic)))
        return found

    found = asyncio.run(verdicts())
    assert len(found) == (6 if which == "certificate" else 3)
    assert {verdict for _, verdict in found} == {"AdESPassed.OK"}, found


def _reader(pdf: bytes) -> PdfFileReader:
    return PdfFileReader(io.BytesIO(pdf))


def _signature(pdf: bytes, place: int) -> object:
    return _reader(pdf).embedded_regular_signatures[place]


def test_the_notary_certifies_and_the_seal_follows(certificate: bytes) -> None:
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        fields = {str(field.T): field for field in pdf.Root.AcroForm.Fields}
        assert list(fields) == CERTIFICATE_FIELDS
        assert pdf.Root.Perms.DocMDP.objgen == fields[pades.NOTARY_FIELD].V.objgen
        (reference,) = fields[pades.NOTARY_FIELD].V.Reference
        assert reference.TransformMethod == "/DocMDP"
        assert reference.TransformParams.P == 2
        assert fields[pades.TIMESTAMP_FIELD].V.SubFilter == "/ETSI.RFC3161"
        ends = [sum(int(n) for n in list(field.V.ByteRange)[2:]) for field in fields.values()]
    assert ends == sorted(ends)
    assert ends[-1] == len(certificate)


def test_validation_data_stands_in_the_file(certificate: bytes, office: Office) -> None:
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        store = pdf.Root.DSS
        certificates = {stream.read_bytes() for stream in store.Certs}
        assert {encode(office.root), encode(office.issuing)} <= certificates  # trap 5: the root too
        assert {encode(office.tsa.certificate), encode(office.seal.certificate)} <= certificates
        assert len(store.OCSPs) == 3
        assert len(store.CRLs) == 1
        assert len(store.VRI) == 2


@pytest.mark.parametrize("which", ["certificate", "signed_document"])
def test_it_is_pdf_a_still(request: pytest.FixtureRequest, which: str) -> None:
    content: bytes = request.getfixturevalue(which)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.pdf_version == "1.7"
        assert "/Version" not in pdf.Root  # trap 7: P-256 must not make it PDF 2.0
        assert "/Extensions" not in pdf.Root
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert pdf.Root.Lang == "zh-CN"
        assert pdf.Root.MarkInfo.Marked
        with pdf.open_metadata() as metadata:
            part = "3" if which == "certificate" else "2"
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == (part, "A")
        for page in pdf.pages:
            for note in page.get("/Annots", []):
                left, bottom, right, top = (float(edge) for edge in note.Rect)
                assert int(note.F) & 4, "printed"
                assert "/AP" in note or left == right or bottom == top


def test_the_signed_document_begins_with_what_was_read(
    document: bytes, signed_document: bytes
) -> None:
    assert signed_document.startswith(document)


def test_the_volume_shows_the_same_pixels(signed_document: bytes, certificate: bytes) -> None:
    (signed,) = page_images(signed_document, width=1000)
    shown, *_ = page_images(certificate, width=1000)
    first, second = (
        np.asarray(Image.open(io.BytesIO(page)).convert("L")).astype(int)
        for page in (signed, shown)
    )
    height = first.shape[0]
    difference = np.abs(first - second)[: int(height * 0.87)]  # below stands the volume's own foot
    rows, columns = np.nonzero(difference)
    pen = handwriting_box(signed_document, 1000)
    assert all(pen[0] <= x <= pen[2] for x in columns)
    assert all(pen[1] <= y <= pen[3] for y in rows)
    # In the box, the same strokes drawn once as annotation and once on the page: edges round.
    assert difference.max(initial=0) < 80
    assert (difference > 40).sum() < 30
    assert (first[pen[1] : pen[3], pen[0] : pen[2]] < 100).sum() > 500, "there is handwriting"


def handwriting_box(pdf: bytes, width: int) -> tuple[int, int, int, int]:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        (field,) = (f for f in opened.Root.AcroForm.Fields if f.T == pades.APPLICANT_FIELD)
        left, bottom, right, top = (float(edge) for edge in field.Rect)
        _, _, page_width, page_height = (float(edge) for edge in opened.pages[0].MediaBox)
    scale = width / page_width
    edges = (left, page_height - top, right, page_height - bottom)
    grow = (-2, -2, 2, 2)
    return tuple(int(edge * scale) + more for edge, more in zip(edges, grow, strict=True))  # type: ignore[return-value]


def test_the_document_as_signed_is_attached(certificate: bytes, signed_document: bytes) -> None:
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        attached = pdf.attachments["document-as-signed.pdf"]
        assert attached.get_file().read_bytes() == signed_document
        evidence = pdf.attachments["evidence.json"].get_file().read_bytes()
        assert {str(spec.AFRelationship) for spec in pdf.Root.AF} == {"/Source", "/Data"}
    assert hashlib.sha256(signed_document).hexdigest().encode() in evidence
    assert b'"session_seal":{"index":41}' in evidence


def test_every_page_says_where_it_is_checked(certificate: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.pdf").write_bytes(certificate)
    text = subprocess.run(
        ["pdftotext", "-raw", "c.pdf", "-"], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    pages = ["".join(page.split()) for page in text.split("\f") if page.strip()]
    assert len(pages) == 2
    for number, page in enumerate(pages, start=1):
        assert VERIFY_URL in page
        assert CODE in page
        assert "样本" in page
        assert f"第{number}页" in page
    assert "公证书" in pages[1]
    assert "二〇二六年十一月二十四日" in pages[1]
    assert "远程视频" in pages[1]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_changed_byte_breaks_it(certificate: bytes, tmp_path: Path, share: float) -> None:
    changed = bytearray(certificate)
    with pikepdf.open(io.BytesIO(certificate)) as pdf:
        signed = int(pdf.Root.AcroForm.Fields[0].V.ByteRange[1])
    changed[int(signed * share)] ^= 1
    shown = pdfsig(bytes(changed), tmp_path)
    assert not shown or any("Signature is Valid" not in one for one in shown[:2])


def test_a_revoked_applicant_signs_nothing(
    open_new: Callable[[], Office], browser: Browser, document: bytes
) -> None:
    office = open_new()
    issued = office.issue_applicant(
        browser.request(), session_id="a" * 32, common_name="周明远", acts=["document"]
    )
    prepared = _prepare(office, issued, document)
    serial = asn1_x509.Certificate.load(issued.certificate).serial_number
    office.revoke(serial, "cessationOfOperation")
    with pytest.raises(RevokedError):
        pades.embed(prepared, browser.sign(prepared.signed_attrs), office)


def _prepare(office: Office, issued: IssuedCertificate, document: bytes) -> pades.Prepared:
    return pades.prepare_applicant_signature(
        document,
        issued.certificate,
        issued.chain,
        at=office.clock(),
        name="周明远",
        strokes=handwriting(),
    )


def test_the_browser_can_check_what_it_signs(
    office: Office, applicant: IssuedCertificate, document: bytes
) -> None:
    """Everything around the hole is what was read, then the signature's own revision."""
    prepared = _prepare(office, applicant, document)
    start, end = prepared.hole
    outside = prepared.pdf_with_hole[:start] + prepared.pdf_with_hole[end:]
    assert outside.startswith(document)
    assert hashlib.sha256(outside).digest() in prepared.signed_attrs
    assert prepared.pdf_with_hole[start:end].strip(b"<>0") == b""


def test_a_document_changed_while_it_waited_is_refused(
    office: Office, browser: Browser, applicant: IssuedCertificate, document: bytes
) -> None:
    prepared = _prepare(office, applicant, document)
    signature = browser.sign(prepared.signed_attrs)
    changed = bytearray(prepared.pdf_with_hole)
    changed[len(document) // 2] ^= 1
    with pytest.raises(DocumentError, match="changed while it waited"):
        pades.embed(dataclasses.replace(prepared, pdf_with_hole=bytes(changed)), signature, office)
    with pytest.raises(SignatureError):
        pades.embed(prepared, browser.sign(b"another document"), office)


def test_nothing_is_signed_twice(
    office: Office, applicant: IssuedCertificate, certificate: bytes, signed_document: bytes
) -> None:
    with pytest.raises(DocumentError, match="already carries"):
        pades.sign_certificate(certificate, office, notary_id="lin", at=office.clock())
    with pytest.raises(DocumentError, match="already carries"):
        _prepare(office, applicant, signed_document)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"<html>", b"\x00" * 100])
def test_what_is_no_pdf_is_refused(office: Office, content: bytes) -> None:
    with pytest.raises(DocumentError):
        pades.sign_certificate(content, office, notary_id="lin", at=office.clock())
