"""The shape of our signed PDFs, and the check that a file has exactly this shape and no other.

    certificate   NotarySig (certifies, DocMDP P=2) -> OfficeSeal -> ArchiveTimestamp, last byte
    document      ApplicantSig                      -> ArchiveTimestamp, last byte

Two verifiers look at each signature and both must be content. Ours reads the CMS and the token
strictly (canonical DER and hex, zero padding, digest, certificate of this kind). pyHanko looks
at what each later revision changed, and at revocation in the DSS, fetching nothing. Neither
is enough: other tools call every forged incremental update valid.
"""

import asyncio
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from signing import cades, der
from signing.certificates import encode, fingerprint, milliseconds
from signing.errors import CertificateError, SignatureError, TimestampError
from signing.profiles import APPLICANT_POLICY, NOTARY_POLICY, SEAL_POLICY
from signing.report import Failed, Unavailable
from signing.status import require_policy, require_seal
from signing.tokens import Token, read_token
from signing.trust import Trust

LARGEST_PDF = 20 * 1024 * 1024
NOTARY_FIELD, SEAL_FIELD = "NotarySig", "OfficeSeal"
APPLICANT_FIELD, TIMESTAMP_FIELD = "ApplicantSig", "ArchiveTimestamp"
_HEX = re.compile(rb"(?:[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class Profile:
    """Field names in signing order, each with the policy its certificate must have."""

    signatures: tuple[tuple[str, str], ...]
    certifies: bool

    @property
    def fields(self) -> list[str]:
        return [*(name for name, _ in self.signatures), TIMESTAMP_FIELD]


CERTIFICATE = Profile(((NOTARY_FIELD, NOTARY_POLICY), (SEAL_FIELD, SEAL_POLICY)), certifies=True)
DOCUMENT = Profile(((APPLICANT_FIELD, APPLICANT_POLICY),), certifies=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """A signature that holds: its field, who made it, and when at the latest (ms)."""

    field: str
    name: str
    certificate: x509.Certificate
    at: int

    def record(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "name": self.name,
            "key": fingerprint(self.certificate),
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class SignedPdf:
    """A PDF that has the shape: who signed, and the token over the whole file."""

    signers: tuple[Signer, ...]
    archived: Token

    def record(self) -> dict[str, Any]:
        return {
            "signers": [signer.record() for signer in self.signers],
            "archived_at": self.archived.at,
        }


def require_shape(pdf: bytes, profile: Profile, trust: Trust, *, at: int) -> SignedPdf:
    """Check a PDF against a profile at `at` (ms). Raises Failed or Unavailable.

    CPU work of about 0.3 s. Whatever else a parser raises on a hostile file is for the caller to
    turn into "could not be checked" (`report.Procedure` does).
    """
    if not pdf.startswith(b"%PDF-") or len(pdf) > LARGEST_PDF:
        raise Failed("not-a-pdf", size=len(pdf))
    # pyHanko tells about hostile files in its log; the report says it once.
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    reader = PdfFileReader(io.BytesIO(pdf), strict=True)
    if reader.encrypted:
        raise Failed("encrypted")
    embedded = list(reader.embedded_signatures)
    if not embedded:
        raise Failed("no-signatures")
    names = [each.field_name for each in embedded]
    if names != profile.fields:
        raise Failed("other-fields", found=names, expected=profile.fields)
    _require_revisions(reader, embedded, profile)
    signers = tuple(
        _require_signature(pdf, each, policy, trust)
        for each, (_, policy) in zip(embedded, profile.signatures, strict=False)
    )
    archived = _require_timestamp(pdf, embedded[-1], trust)
    if any(signer.at > archived.at for signer in signers):
        raise Failed("times-out-of-order")
    if at > milliseconds(archived.certificate.not_valid_after_utc):
        raise Unavailable("timestamp-expired", until=archived.certificate.not_valid_after_utc.year)
    _require_second_opinion(embedded, trust)
    return SignedPdf(signers, archived)


def _require_revisions(
    reader: PdfFileReader, embedded: Sequence[EmbeddedPdfSignature], profile: Profile
) -> None:
    """One revision for each signature, nothing between, nothing after; one field each, no more."""
    total = reader.xrefs.total_revisions
    signed = [each.signed_revision for each in embedded]
    if signed != list(range(total - len(embedded), total)):
        raise Failed("extra-revision", signed=signed, revisions=total)
    fields = [field.get_object() for field in reader.root["/AcroForm"]["/Fields"]]
    others = [str(field.raw_get("/T")) for field in fields]
    if sorted(others) != sorted(profile.fields):
        raise Failed("other-fields", found=others, expected=profile.fields)
    permissions = reader.root.get("/Perms", {})
    if profile.certifies != ("/DocMDP" in permissions):
        raise Failed("not-certified")


def _contents(pdf: bytes, signature: EmbeddedPdfSignature) -> tuple[bytes, str]:
    """The CMS in its hole and the digest of everything else; exact to the byte."""
    start, before, after, rest = (int(number) for number in signature.byte_range)
    if start != 0 or not 0 < before < after <= after + rest <= len(pdf):
        raise Failed("byte-range", field=signature.field_name)
    hole = pdf[before:after]
    if hole[:1] != b"<" or hole[-1:] != b">" or not _HEX.fullmatch(hole[1:-1]):
        raise Failed("not-canonical", field=signature.field_name)
    raw = bytes.fromhex(hole[1:-1].decode())
    content = raw[: _size(raw)]
    if any(raw[len(content) :]):
        raise Failed("padding", field=signature.field_name)
    try:
        der.require_exact(content)
    except ValueError as failure:
        raise Failed("not-canonical", field=signature.field_name) from failure
    return content, sha256(pdf[:before] + pdf[after : after + rest]).hexdigest()


def _size(raw: bytes) -> int:
    """How long the first DER element of these bytes says it is."""
    short = raw[1] < 0x80
    start = 2 if short else 2 + (raw[1] & 0x7F)
    return start + (raw[1] if short else int.from_bytes(raw[2:start], "big"))


def _require_signature(
    pdf: bytes, embedded: EmbeddedPdfSignature, policy: str, trust: Trust
) -> Signer:
    name = embedded.field_name
    content, digest = _contents(pdf, embedded)
    try:
        signed = cades.verify_cms(
            content, content_sha256=digest, roots=trust.roots, tsa_roots=trust.tsa_roots
        )
        if policy == SEAL_POLICY:
            require_seal(signed.certificate, trust)
        else:
            require_policy(signed.certificate, policy)
    except (SignatureError, TimestampError, CertificateError) as failure:
        raise Failed("signature", field=name, error=str(failure)) from failure
    if signed.token is None:
        raise Failed("timestamp-stripped", field=name)
    return Signer(name, common_name(signed.certificate), signed.certificate, signed.token.at)


def _require_timestamp(pdf: bytes, embedded: EmbeddedPdfSignature, trust: Trust) -> Token:
    content, digest = _contents(pdf, embedded)
    if int(embedded.byte_range[2]) + int(embedded.byte_range[3]) != len(pdf):
        raise Failed("bytes-after-the-end", field=TIMESTAMP_FIELD)
    if embedded.sig_object.get("/SubFilter") != "/ETSI.RFC3161":
        raise Failed("timestamp-stripped", field=TIMESTAMP_FIELD)
    try:
        return read_token(content, digest=bytes.fromhex(digest), roots=trust.tsa_roots)
    except (TimestampError, CertificateError) as failure:
        raise Failed("timestamp", field=TIMESTAMP_FIELD, error=str(failure)) from failure


def _require_second_opinion(embedded: Sequence[EmbeddedPdfSignature], trust: Trust) -> None:
    """pyHanko on every regular signature: both its verdicts, for each alone has been fooled."""
    for signature in embedded[:-1]:
        result = asyncio.run(ades_lta_validation(signature, _specification(trust)))
        status = result.api_status
        if status is None or result.ades_subindic is not AdESPassed.OK or not status.bottom_line:
            raise Failed(
                "second-opinion", field=signature.field_name, found=str(result.ades_subindic)
            )


def _specification(trust: Trust) -> PdfSignatureValidationSpec:
    anchors = {encode(root): root for root in (*trust.roots, *trust.tsa_roots)}
    roots = [asn1_x509.Certificate.load(der) for der in anchors]
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=roots),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    )
    # LOCAL_ONLY: an address named in a stranger's file is never asked.
    gathering = RevocationInfoGatheringSpec(
        online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY
    )
    return PdfSignatureValidationSpec(
        SignatureValidationSpec(cert_validation_policy=policy, revinfo_gathering_policy=gathering)
    )


def common_name(certificate: x509.Certificate) -> str:
    """The common name of a certificate's subject."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()
