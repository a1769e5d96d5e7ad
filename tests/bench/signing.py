"""Tokens per second, the cost of a certificate and of a verification, the wait after an approval.

Beside: a bare P-256 signature (what a token cannot do without), pyHanko's own `PdfSigner` for the
same two signatures and document timestamp, and pyHanko's validation of them.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.keys import load_private_key_from_pemder_data
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.timestamps.api import TimeStamper
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from server.documents import render_certificate, render_document, serif
from signing.ca import Office, Officer, open_office
from signing.certificates import encode
from signing.keys import Secret
from signing.pades import embed, prepare_applicant_signature, sign_certificate
from signing.seal import office_seal_svg, strokes_svg
from signing.trust import Trust
from signing.verify import verify
from tests.bench import Row
from tests.bench.issuing import approvals
from tests.documents.sample import CERTIFICATE, CODE, DOCUMENT, VERIFY_URL, handwriting
from tests.signing.bundles import SESSION, genuine_bundle
from tests.signing.cast import ACTS, PASSPHRASE, Browser, profile

TITLE = "signing: tokens, certificates, approvals, verification"
ROUNDS = 7
TOKENS = 400
CASES = 7


def rows() -> Iterator[Row]:
    """Measure on a fresh office in a temporary directory."""
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    with TemporaryDirectory() as name:
        directory = Path(name)
        office = open_office(directory / "office", profile(), Secret(PASSPHRASE), clock=_now)
        yield _tokens(office)
        browser = Browser(ec.generate_private_key(ec.SECP256R1()))
        document, volume = _volume(office, browser)
        yield _whole(office, document)
        signatures = _signatures(office, volume)
        yield signatures
        yield from _approvals(directory / "approvals", (signatures.theirs or 0) / 1000)
        yield from _verifications(directory, office, browser, document, volume)


def _now() -> int:
    return int(time.time() * 1000)


def _median_s(work: Callable[[], object]) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    once()
    return median(once() for _ in range(ROUNDS))


def _tokens(office: Office) -> Row:
    key, digest = office.seal.key, sha256(b"bench").digest()

    def ours() -> None:
        for _ in range(TOKENS):
            office.timestamp(digest)

    def bare() -> None:
        for _ in range(TOKENS):
            key.sign(digest, ec.ECDSA(hashes.SHA256()))

    rates = TOKENS / _median_s(ours), TOKENS / _median_s(bare)
    return Row("RFC 3161 tokens", rates[0], "/s", "bare P-256 signatures", rates[1], floor=0.05)


def _volume(office: Office, browser: Browser) -> tuple[bytes, bytes]:
    issued = office.issue_applicant(
        browser.request(), session_id=SESSION, common_name="周明远", acts=ACTS
    )
    prepared = prepare_applicant_signature(
        render_document(DOCUMENT, language="zh-CN", specimen=True),
        issued.certificate,
        issued.chain,
        at=_now(),
        name="周明远",
        strokes=handwriting(),
    )
    document = embed(prepared, browser.sign(prepared.signed_attrs), office)
    return document, _draw(document)


def _draw(document: bytes) -> bytes:
    return render_certificate(
        CERTIFICATE,
        document_pdf=document,
        applicant_strokes_svg=strokes_svg(handwriting()),
        notary_strokes_svg=strokes_svg(handwriting(3)),
        seal_svg=office_seal_svg("示例市远山公证处", font=serif(), line="样本"),
        verify_url=VERIFY_URL,
        code=CODE,
        evidence={"v": 1},
        specimen=True,
    )


def _whole(office: Office, document: bytes) -> Row:
    took = _median_s(lambda: sign_certificate(_draw(document), office, notary_id="lin", at=_now()))
    return Row("whole certificate: draw, sign, B-LTA", took * 1000, "ms", "the design", 300)


def _signatures(office: Office, volume: bytes) -> Row:
    ours = _median_s(lambda: sign_certificate(volume, office, notary_id="lin", at=_now()))
    stock = _median_s(lambda: asyncio.run(_stock(office, volume)))
    return Row("two signatures, B-LTA", ours * 1000, "ms", "pyHanko's PdfSigner", stock * 1000)


def _approvals(directory: Path, stock: float) -> Iterator[Row]:
    """Beside the two signatures alone, as pyHanko makes them: the rest is what a case needs."""
    waits = approvals(directory, cases=CASES)
    beside = "pyHanko's PdfSigner, signing alone"
    what = "approval to delivered certificate"
    yield Row(f"{what}, median of {CASES}", median(waits), "s", beside, stock)
    yield Row(f"{what}, longest", max(waits), "s", beside, stock)


class _InProcess(TimeStamper):  # type: ignore[misc]
    """pyHanko's way to our authority, without a network."""

    def __init__(self, office: Office) -> None:
        super().__init__()
        self._office = office

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        return tsp.TimeStampResp.load(self._office.tsa.respond(req.dump()))


async def _stock(office: Office, volume: bytes) -> bytes:
    stamper = _InProcess(office)
    notary = signers.PdfSignatureMetadata(
        field_name="NotarySig",
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    seal = signers.PdfSignatureMetadata(
        field_name="OfficeSeal",
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        embed_validation_info=True,
        use_pades_lta=True,
        validation_context=_context(office),
    )
    for metadata, officer in ((notary, office.notary("lin")), (seal, office.seal)):
        signer = signers.PdfSigner(metadata, _stock_signer(officer), timestamper=stamper)
        writer = IncrementalPdfFileWriter(io.BytesIO(volume))
        volume = (await signer.async_sign_pdf(writer)).getvalue()
    return volume


def _stock_signer(officer: Officer) -> signers.SimpleSigner:
    pem = officer.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = SimpleCertificateStore()
    chain.register_multiple(asn1_x509.Certificate.load(encode(link)) for link in officer.chain)
    return signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(encode(officer.certificate)),
        signing_key=load_private_key_from_pemder_data(pem, passphrase=None),
        cert_registry=chain,
    )


def _context(office: Office) -> ValidationContext:
    signed = (office.notary("lin"), office.seal, office.tsa)
    return ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(encode(office.root))],
        other_certs=[asn1_x509.Certificate.load(encode(office.issuing))],
        crls=[office.crls()["root"]],
        ocsps=[office.responder.status(one.certificate, at=_now()) for one in signed],
        revocation_mode="require",
    )


def _verifications(
    directory: Path, office: Office, browser: Browser, document: bytes, volume: bytes
) -> Iterator[Row]:
    certificate = sign_certificate(volume, office, notary_id="lin", at=_now())
    trust = Trust.parse(office.trust())
    stock = _median_s(lambda: asyncio.run(_stock_validation(office, certificate)))
    bare = _median_s(lambda: verify(certificate, trust, ledger=None, at=_now()))
    beside = "pyHanko, two signatures"
    yield Row("verify a certificate", bare * 1000, "ms", beside, stock * 1000)
    issued = office.issue_applicant(
        browser.request(), session_id="1" * 32, common_name="周明远", acts=ACTS
    )
    genuine = asyncio.run(
        genuine_bundle(
            directory / "bundle",
            office=office,
            certificate=certificate,
            document=document,
            browser=browser,
            applicant=issued,
        )
    )
    whole = _median_s(
        lambda: verify(genuine.bundle, Trust.parse(genuine.trust), ledger=None, at=_now())
    )
    yield Row("verify a bundle", whole * 1000, "ms", beside, stock * 1000)


async def _stock_validation(office: Office, certificate: bytes) -> None:
    from tests.signing.test_pades import policy

    for signature in PdfFileReader(io.BytesIO(certificate)).embedded_regular_signatures:
        result = await ades_lta_validation(signature, policy(office))
        assert str(result.ades_subindic) == "AdESPassed.OK"
