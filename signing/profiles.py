"""Who gets which certificate: the office's identity, its officers, and the X.509 profiles as data.

    root (20 y) -> issuing CA (10 y) -> office seal (2 y)          seals certificates and bundles
                                     -> notary (2 y)               signs certificates
                                     -> time stamping unit (10 y, its key used for 1 y)
                                     -> OCSP responder (30 d)      answers for the issuing CA
                                     -> applicant (24 h)           one session, the acts listed

Every key is P-256: Ed25519 fails in pdfsig, mutool, `openssl ts` and pkijs.
"""

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.errors import OfficeError

# RFC 5612 keeps this arc for documentation; an office puts its own enterprise number here.
ARC = "1.3.6.1.4.1.32473.1"
SEAL_POLICY = f"{ARC}.1"
NOTARY_POLICY = f"{ARC}.2"
APPLICANT_POLICY = f"{ARC}.3"
TIMESTAMP_POLICY = f"{ARC}.4"

DEMO_UNIT = "DEMO - NOT FOR LEGAL USE"

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS + 6 * HOUR_MS

# RFC 9336 documentSigning alone upsets pdfsig and openssl; both are content with these three.
DOCUMENT_SIGNING = (
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),
    x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),
    ExtendedKeyUsageOID.EMAIL_PROTECTION,
)

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class NotaryProfile:
    """One notary of the office. `id` names key files: lowercase letters, digits, hyphens."""

    id: str
    name_zh: str
    name_en: str
    licence: str

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.id):
            raise OfficeError(
                f"a notary's id is lowercase letters, digits and hyphens: {self.id!r}"
            )


@dataclass(frozen=True, slots=True)
class OfficeProfile:
    """Who the office is, and the two addresses that are fixed before anything is signed.

    `public_url` (no trailing slash) goes into certificates and QR codes, `origin` names the ledger.
    """

    name_zh: str
    name_en: str
    public_url: str
    origin: str
    demo: bool
    notaries: tuple[NotaryProfile, ...]

    def __post_init__(self) -> None:
        if self.public_url.endswith("/") or "://" not in self.public_url:
            raise OfficeError(
                f"the public URL has a scheme and no slash at its end: {self.public_url!r}"
            )
        if len({notary.id for notary in self.notaries}) != len(self.notaries):
            raise OfficeError("two notaries have the same id")


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """What one kind of certificate may do and for how long.

    `key_use_ms` is the part of the lifetime in which the key signs (PrivateKeyUsagePeriod of RFC
    3280); afterwards the certificate serves verification only. `renew_ms` before the end of use, a
    new key takes its place.
    """

    name: str
    life_ms: int
    renew_ms: int = 0
    key_use_ms: int | None = None
    extended: tuple[x509.ObjectIdentifier, ...] = ()
    extended_critical: bool = False
    non_repudiation: bool = False
    policy: str | None = None
    authority: int | None = None
    revocable: bool = True

    @property
    def is_authority(self) -> bool:
        return self.authority is not None


ROOT = CertificateProfile("root", 20 * YEAR_MS, authority=1, revocable=False)
ISSUING = CertificateProfile("issuing", 10 * YEAR_MS, authority=0)
SEAL = CertificateProfile(
    "seal",
    2 * YEAR_MS,
    renew_ms=30 * DAY_MS,
    extended=DOCUMENT_SIGNING,
    non_repudiation=True,
    policy=SEAL_POLICY,
)
NOTARY = CertificateProfile(
    "notary",
    2 * YEAR_MS,
    renew_ms=30 * DAY_MS,
    extended=DOCUMENT_SIGNING,
    non_repudiation=True,
    policy=NOTARY_POLICY,
)
TIMESTAMP = CertificateProfile(
    "tsu",
    10 * YEAR_MS,
    key_use_ms=1 * YEAR_MS,
    renew_ms=30 * DAY_MS,
    extended=(ExtendedKeyUsageOID.TIME_STAMPING,),
    extended_critical=True,
    non_repudiation=True,
    policy=TIMESTAMP_POLICY,
)
OCSP = CertificateProfile(
    "ocsp",
    30 * DAY_MS,
    renew_ms=10 * DAY_MS,
    extended=(ExtendedKeyUsageOID.OCSP_SIGNING,),
    revocable=False,
)
APPLICANT = CertificateProfile(
    "applicant",
    24 * HOUR_MS,
    extended=DOCUMENT_SIGNING,
    non_repudiation=True,
    policy=APPLICANT_POLICY,
)
