"""PAdES signatures in PDFs: the applicant's on the document, the office's on the 公证书.

    certificate   notary certifies (DocMDP P=2) -> office seal -> DSS -> document timestamp    B-LTA
    document      applicant's browser signs     ->              DSS -> document timestamp    B-LTA

pyHanko writes the incremental updates (`PdfCMSEmbedder`, the DSS); the CMS comes from
`signing.cades`, so that a signature made here and one made in a browser take one road, and keys
are parsed once. Working at this level also keeps pyHanko from registering ISO extensions, which
would bump the catalog to PDF 2.0 inside PDF/A-3. OCSP responses are made in process, at the moment
of signing: with CRLs alone the signatures would not survive the simulated years. The document
timestamp comes last and covers the whole file.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    StreamObject,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.fields import enumerate_sig_fields as enumerate_fields
from pyhanko.sign.general import SigningError as PdfSigningError
from pyhanko.sign.signers.cms_embedder import (
    PdfCMSEmbedder,
    SigIOSetup,
    SigMDPSetup,
    SigObjSetup,
)
from pyhanko.sign.signers.pdf_byterange import (
    DocumentTimestamp,
    PreparedByteRangeDigest,
    SignatureObject,
)
from pyhanko.sign.validation.dss import DocumentSecurityStore

from signing import cades
from signing.ca import Office, Officer
from signing.certificates import encode, moment
from signing.errors import DocumentError
from signing.revocation import require_not_revoked
from signing.seal import Strokes

# The verifier expects exactly these fields, filled, and no others.
NOTARY_FIELD = "NotarySig"
SEAL_FIELD = "OfficeSeal"
APPLICANT_FIELD = "ApplicantSig"
TIMESTAMP_FIELD = "ArchiveTimestamp"

# Hex digits kept for a CMS: our own B-T signatures take about 9,500, tokens 6,000.
_RESERVED = 16_384
_LARGEST_PDF = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document waiting for the applicant's signature; plain values, so that it can be stored.

    `signed_attrs` goes to the browser as it is. `hole` is where the CMS belongs in `pdf_with_hole`
    (start and end offsets of its hex string).
    """

    signed_attrs: bytes
    pdf_with_hole: bytes
    hole: tuple[int, int]
    certificate: bytes
    chain: tuple[bytes, ...]


def sign_certificate(pdf: bytes, office: Office, *, notary_id: str, at: int) -> bytes:
    """Sign a rendered 公证书: notary, office seal, validation data, document timestamp (B-LTA).

    `at` (ms) is the signing time stated in the PDF. Empty fields NotarySig and OfficeSeal are used
    where the page has them, else the signatures are invisible. CPU work of some 0.1 s: call it in
    a thread. Raises DocumentError for a PDF that cannot be signed, CertificateError or RevokedError
    if a certificate of the office is no longer good.
    """
    notary, seal = office.notary(notary_id), office.seal
    profile = office.notary_profile(notary_id)
    with _pdf_errors():
        if _filled_fields(pdf):
            raise DocumentError("the certificate already carries a signature")
        pdf, first = _sign(
            pdf,
            notary,
            office,
            _Placement(
                NOTARY_FIELD, name=profile.name_zh, reason="出具公证书", at=at, certify=True
            ),
        )
        pdf, second = _sign(
            pdf,
            seal,
            office,
            _Placement(SEAL_FIELD, name=office.profile.name_zh, reason="加盖公证处印章", at=at),
        )
        signers = [(first, notary.certificate), (second, seal.certificate)]
        return _archive(pdf, office, signers=signers)


def prepare_applicant_signature(
    pdf: bytes,
    certificate: bytes,
    chain: Sequence[bytes],
    *,
    at: int,
    name: str,
    strokes: Strokes | None = None,
    reason: str = "签署文件",
) -> Prepared:
    """Make a document ready for the applicant's signature, the handwriting drawn in its box.

    The result begins with `pdf` byte for byte: what was read is what is signed. `certificate` and
    `chain` are DER. The document keeps its empty field ApplicantSig for this; without one, the
    signature is invisible. Raises DocumentError.
    """
    with _pdf_errors():
        if _filled_fields(pdf):
            raise DocumentError("the document already carries a signature")
        placement = _Placement(APPLICANT_FIELD, name=name, reason=reason, at=at, strokes=strokes)
        hole = _open_hole(pdf, placement)
    attributes = cades.prepare(hole.digest.hex(), certificate, at=None)
    return Prepared(
        signed_attrs=attributes,
        pdf_with_hole=hole.pdf,
        hole=(hole.start, hole.end),
        certificate=certificate,
        chain=tuple(chain),
    )


def embed(prepared: Prepared, signature: bytes, office: Office) -> bytes:
    """Put the browser's signature into the document and make it last (B-LTA).

    `signature` is WebCrypto's raw r||s or DER. Raises SignatureError if it is not the applicant's
    over this document, CertificateError or RevokedError if the one-session certificate is not good.
    """
    cms = cades.assemble(
        prepared.signed_attrs,
        signature,
        prepared.certificate,
        prepared.chain,
        timestamp=office.timestamp,
    )
    start, end = prepared.hole
    outside = prepared.pdf_with_hole[:start] + prepared.pdf_with_hole[end:]
    digest = sha256(outside).digest()
    if cades.prepare(digest.hex(), prepared.certificate, at=None) != prepared.signed_attrs:
        raise DocumentError("the document was changed while it waited for the signature")
    hole = _Hole(prepared.pdf_with_hole, start, end, digest)
    with _pdf_errors():
        pdf, contents = hole.fill(cms)
        signer = x509.load_der_x509_certificate(prepared.certificate)
        return _archive(pdf, office, signers=[(contents, signer)])


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where a signature goes and what the PDF says about it."""

    field: str
    name: str
    reason: str
    at: int
    certify: bool = False
    strokes: Strokes | None = None

    def placeholder(self) -> SignatureObject:
        return SignatureObject(
            timestamp=moment(self.at),
            subfilter=SigSeedSubFilter.PADES,
            name=self.name,
            reason=self.reason,
            bytes_reserved=_RESERVED,
        )


@dataclass(frozen=True, slots=True)
class _Hole:
    """A PDF written up to a hole for a CMS, and the digest of everything around the hole."""

    pdf: bytes
    start: int
    end: int
    digest: bytes

    def fill(self, cms: bytes) -> tuple[bytes, bytes]:
        """Return the PDF with the CMS in its hole, and the hex string as it stands there."""
        output = io.BytesIO(self.pdf)
        prepared = PreparedByteRangeDigest(self.digest, self.start, self.end)
        contents = prepared.fill_with_cms(output, cms)
        return output.getvalue(), contents


def _open_hole(pdf: bytes, placement: _Placement) -> _Hole:
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    steps = PdfCMSEmbedder(SigFieldSpec(placement.field)).write_cms(placement.field, writer)
    field = next(steps).get_object()
    if placement.strokes is not None:
        _draw(writer, field, placement.strokes)
    lock = SigMDPSetup(
        md_algorithm="sha256",
        certify=placement.certify,
        docmdp_perms=MDPPerm.FILL_FORMS if placement.certify else None,
    )
    steps.send(SigObjSetup(sig_placeholder=placement.placeholder(), mdp_setup=lock))
    return _write_hole(steps)


def _write_hole(steps: "Iterator[object]") -> _Hole:
    prepared, output = steps.send(SigIOSetup(md_algorithm="sha256"))  # type: ignore[attr-defined]
    return _Hole(
        output.getvalue(),
        prepared.reserved_region_start,
        prepared.reserved_region_end,
        prepared.document_digest,
    )


def _draw(writer: IncrementalPdfFileWriter, field: DictionaryObject, strokes: Strokes) -> None:
    """Give the signature field's box the handwriting as its appearance (ISO 32000-2 12.5.5)."""
    left, bottom, right, top = (float(edge) for edge in field["/Rect"])
    width, height = abs(right - left), abs(top - bottom)
    if not width or not height:
        return
    # An exact BBox: a rounded one would stretch the strokes against the page they were drawn on.
    corner = f"0 0 {width:.2f} {height:.2f}".split()
    edges = ArrayObject(FloatObject(edge) for edge in corner)  # type: ignore[no-untyped-call]
    names = {"/Type": NameObject("/XObject"), "/Subtype": NameObject("/Form"), "/BBox": edges}
    form = writer.add_object(
        StreamObject(
            {NameObject(name): value for name, value in names.items()},
            stream_data=strokes.pdf_operators(width, height),
        )
    )
    field[NameObject("/AP")] = DictionaryObject({NameObject("/N"): form})  # type: ignore[no-untyped-call]
    writer.update_container(field)


def _sign(
    pdf: bytes, officer: Officer, office: Office, placement: _Placement
) -> tuple[bytes, bytes]:
    hole = _open_hole(pdf, placement)
    certificate = encode(officer.certificate)
    attributes = cades.prepare(hole.digest.hex(), certificate, at=None)
    signature = officer.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    chain = [encode(link) for link in officer.chain]
    cms = cades.assemble(attributes, signature, certificate, chain, timestamp=office.timestamp)
    return hole.fill(cms)


def _archive(
    pdf: bytes, office: Office, *, signers: Sequence[tuple[bytes, x509.Certificate]]
) -> bytes:
    """Add what later years need, and a document timestamp over the whole file, in one revision."""
    responses = _responses(office, [certificate for _, certificate in signers])
    certificates = [office.root, office.issuing, office.responder.certificate]
    certificates += [office.tsa.certificate, *(certificate for _, certificate in signers)]
    revocation_list = asn1_crl.CertificateList.load(office.crls()["root"])
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    for contents, _ in signers:
        DocumentSecurityStore.supply_dss_in_writer(
            writer,
            contents,
            certs=[asn1_x509.Certificate.load(encode(one)) for one in certificates],
            ocsps=[asn1_ocsp.OCSPResponse.load(response) for response in responses],
            crls=[revocation_list],
        )
    steps = PdfCMSEmbedder(SigFieldSpec(TIMESTAMP_FIELD)).write_cms(TIMESTAMP_FIELD, writer)
    next(steps)
    placeholder = DocumentTimestamp(bytes_reserved=_RESERVED)  # type: ignore[no-untyped-call]
    steps.send(SigObjSetup(sig_placeholder=placeholder))
    hole = _write_hole(steps)
    return hole.fill(office.timestamp(hole.digest))[0]


def _responses(office: Office, signers: Sequence[x509.Certificate]) -> list[bytes]:
    """Ask our own responder about every certificate that signed, and refuse a revoked one."""
    now = office.clock()
    responder = office.responder
    found = []
    for certificate in (*signers, office.tsa.certificate):
        response = responder.status(certificate, at=now)
        require_not_revoked(
            certificate,
            response=response,
            issuer=office.issuing,
            roots=[office.root],
            at=now,
        )
        found.append(response)
    return found


def _filled_fields(pdf: bytes) -> bool:
    if len(pdf) > _LARGEST_PDF:
        raise DocumentError("the PDF is larger than 20 MB")
    reader = PdfFileReader(io.BytesIO(pdf))
    return any(True for _ in enumerate_fields(reader, filled_status=True))


@contextmanager
def _pdf_errors() -> Iterator[None]:
    try:
        yield
    except (PdfError, PdfSigningError, ValueError, KeyError, OSError) as failure:
        raise DocumentError(f"the PDF cannot be signed: {failure}") from failure
