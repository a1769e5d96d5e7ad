"""X.509 certificates: how one is built from a profile, and how one is followed to a root."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from signing.errors import CertificateError, RequestError, UnknownIssuerError
from signing.profiles import DEMO_UNIT, CertificateProfile, OfficeProfile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Clocks of readers differ: a certificate begins five minutes before it is made.
_HEAD_START_MS = 5 * 60_000
_LONGEST_PATH = 4


def moment(at: int) -> datetime:
    """Turn milliseconds since the epoch into an aware datetime, without rounding through floats."""
    return _EPOCH + timedelta(milliseconds=at)


def milliseconds(when: datetime) -> int:
    """Turn an aware datetime into milliseconds since the epoch."""
    return (when - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certification authority that signs: its certificate, its key, and where it is found."""

    office: OfficeProfile
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    name: str

    @property
    def crl_url(self) -> str:
        return f"{self.office.public_url}/pki/{self.name}.crl"

    @property
    def certificate_url(self) -> str:
        return f"{self.office.public_url}/pki/{self.name}.cer"

    @property
    def ocsp_url(self) -> str:
        return f"{self.office.public_url}/pki/ocsp"


def subject(office: OfficeProfile, common_name: str, *, serial: str | None = None) -> x509.Name:
    """Name somebody of this office; a demo office says so in every name."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, office.name_zh[:64]),
    ]
    if office.demo:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, DEMO_UNIT))
    if serial is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]))
    return x509.Name(parts)


def build(
    name: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    profile: CertificateProfile,
    *,
    issuer: Issuer | None,
    key: ec.EllipticCurvePrivateKey,
    at: int,
    notice: str | None = None,
) -> x509.Certificate:
    """Build and sign one certificate; it does not outlive its issuer.

    `key` signs: the issuer's, or for the root (issuer None) its own. `notice` is shown to people by
    the tools that show policies (RFC 5280 4.2.1.4, at most 200 characters).
    """
    start = moment(at - _HEAD_START_MS).replace(microsecond=0)
    end = start + timedelta(milliseconds=profile.life_ms)
    if issuer is not None:
        end = min(end, issuer.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(public_key, profile, issuer, start, notice):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def _extensions(
    public_key: ec.EllipticCurvePublicKey,
    profile: CertificateProfile,
    issuer: Issuer | None,
    start: datetime,
    notice: str | None,
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    yield x509.BasicConstraints(profile.is_authority, profile.authority), True
    yield _key_usage(profile), True
    yield x509.SubjectKeyIdentifier.from_public_key(public_key), False
    if profile.extended:
        yield x509.ExtendedKeyUsage(profile.extended), profile.extended_critical
    if profile.key_use_ms is not None:
        end = start + timedelta(milliseconds=profile.key_use_ms)
        yield x509.PrivateKeyUsagePeriod(start, end), False
    if profile.policy is not None:
        qualifiers = [x509.UserNotice(None, notice[:200])] if notice else None
        policy = x509.PolicyInformation(x509.ObjectIdentifier(profile.policy), qualifiers)
        yield x509.CertificatePolicies([policy]), False
    if issuer is None:
        return
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    yield (
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value),
        False,
    )
    if not profile.revocable:
        # RFC 6960 4.2.2.2.1: the responder's own certificate lives 30 days and is not asked about.
        yield x509.OCSPNoCheck(), False
        return
    # One-session certificates too need these addresses: noRevAvail alone fails in readers.
    point = x509.DistributionPoint(
        [x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None
    )
    yield x509.CRLDistributionPoints([point]), False
    yield x509.AuthorityInformationAccess(list(_access(profile, issuer))), False


def _access(profile: CertificateProfile, issuer: Issuer) -> Iterable[x509.AccessDescription]:
    # The responder answers for the issuing CA only; the issuing CA itself stands in the root's CRL.
    if not profile.is_authority:
        yield x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(issuer.ocsp_url)
        )
    yield x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS,
        x509.UniformResourceIdentifier(issuer.certificate_url),
    )


def _key_usage(profile: CertificateProfile) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not profile.is_authority,
        content_commitment=profile.non_repudiation,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=profile.is_authority,
        crl_sign=profile.is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def follow(
    leaf: x509.Certificate,
    *,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: int,
) -> tuple[x509.Certificate, ...]:
    """Follow a certificate to one of the given roots and return the path, leaf first.

    Checks signatures, validity at `at` (ms), authority bits and path lengths (RFC 5280 6.1; names
    carry no constraints here). Raises CertificateError naming the link that fails:
    UnknownIssuerError where every link holds and the last one leads to no root. Revocation is
    the caller's next question (`signing.revocation`).
    """
    path = [leaf]
    while len(path) <= _LONGEST_PATH:
        current = path[-1]
        _require_valid(current, at)
        if any(current == root for root in roots):
            return tuple(path)
        issuers = [
            candidate
            for candidate in (*roots, *others)
            if candidate != current and _issued(current, candidate, below=len(path) - 1)
        ]
        if not issuers:
            raise UnknownIssuerError(
                leaf.subject.rfc4514_string(), current.subject.rfc4514_string()
            )
        path.append(issuers[0])
    raise CertificateError("the certificate path is too long")


def _require_valid(certificate: x509.Certificate, at: int) -> None:
    when = moment(at)
    if not certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc:
        raise CertificateError(
            f"{certificate.subject.rfc4514_string()} was not valid at {when.isoformat()}"
        )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, *, below: int) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    fits = constraints.path_length is None or below <= constraints.path_length
    return constraints.ca and usage.key_cert_sign and fits


def encode(certificate: x509.Certificate) -> bytes:
    """Return the DER of a certificate."""
    return certificate.public_bytes(serialization.Encoding.DER)


def armor(certificate: x509.Certificate) -> str:
    """Return the PEM of a certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, in lowercase hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def requested_key(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a PKCS#10 request (DER), proven held by its own signature. Raises RequestError."""
    try:
        parsed = x509.load_der_x509_csr(request)
        key = parsed.public_key()
        proven = parsed.is_signature_valid
    except (ValueError, TypeError) as failure:
        raise RequestError("the certificate request cannot be read") from failure
    if not proven:
        raise RequestError("the certificate request is not signed with its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise RequestError("the certificate request is not for a P-256 key")
    return key
