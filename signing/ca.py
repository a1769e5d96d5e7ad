"""The office: its keys and certificates, made on the first run and opened on every other.

    office = open_office(directory, profile, Secret(passphrase), clock=clock)

On disk, all 0600, keys encrypted: `office.json` (who, where, since when); `root`, `issuing`,
`seal-N`, `notary-ID-N`, `tsu-N`, `ocsp-N` as .key and .crt (N counts renewals);
the ledger's keys (`signing.ledger_keys`), `ledger-sm2.key` if asked for; `root.crl`, `issuing.crl`;
`register.jsonl`; `trust.json`. Opening is idempotent and renews what is about to end;
`signing.founding` says how the directory comes into being.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.generations import Generation
from ledger.note import LogKeys
from ledger.policy import NO_WITNESSES, Policy
from ledger.sm2 import Sm2Verifier
from signing import profiles
from signing.certificates import (
    Issuer,
    armor,
    build,
    encode,
    fingerprint,
    milliseconds,
    requested_key,
    subject,
)
from signing.errors import CertificateError, OfficeError, RequestError
from signing.founding import (
    found,
    newest,
    read_certificate,
    require_same,
    sm2_key,
    write_certificate,
)
from signing.keys import Keyring, Secret, write_private
from signing.ledger_keys import LedgerKeys
from signing.profiles import CertificateProfile, NotaryProfile, OfficeProfile
from signing.revocation import Entry, Register, Responder, build_crl, locked
from signing.trust import TrustFile, witnessing
from signing.tsa import Authority

__all__ = [
    "IssuedCertificate",
    "NotaryProfile",
    "Office",
    "OfficeProfile",
    "Officer",
    "open_office",
]

_ROOT_CRL_MS = 365 * profiles.DAY_MS
_ISSUING_CRL_MS = 7 * profiles.DAY_MS
_MOST_ACTS = 8


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate and the chain above it, as DER, root last."""

    certificate: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody who signs for the office: parsed key, certificate, chain (root last)."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey


def open_office(
    directory: Path,
    profile: OfficeProfile,
    passphrase: Secret,
    *,
    clock: Callable[[], int],
) -> "Office":
    """Open the office in `directory`; the first call founds it.

    `clock` gives milliseconds since the epoch. Raises OfficeError if the directory holds something
    else or an office with another address, KeyFileError if the passphrase is wrong.
    """
    directory = directory.absolute()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.parent / f".{directory.name}.lock"):
        if not (directory / "office.json").exists():
            found(directory, profile, passphrase, at=clock())
        since = require_same(directory, profile)
        office = Office(directory, profile, passphrase, clock=clock, since=since)
        office.refresh()
    return office


class Office:
    """An opened office. Methods are synchronous, take milliseconds, and are safe in threads."""

    def __init__(
        self,
        directory: Path,
        profile: OfficeProfile,
        passphrase: Secret,
        *,
        clock: Callable[[], int],
        since: int,
    ) -> None:
        self.profile = profile
        self.clock = clock
        self._directory = directory
        self._keyring = Keyring(directory, passphrase)
        self._since = since
        self._register = Register(directory / "register.jsonl")
        self.root = read_certificate(directory, "root")
        issuing = self._keyring.read_elliptic("issuing")
        self._issuing = Issuer(profile, read_certificate(directory, "issuing"), issuing, "issuing")
        self._sm2: Sm2Verifier | None = None
        self._trust_file = TrustFile(directory / "trust.json")
        self.tsa_roots = tuple(dict.fromkeys((self.root, *self._trust_file.tsa_roots())))
        """Where tokens may lead: the office's own root, then those of authorities it has named."""
        self.ledger = LedgerKeys.open(
            directory, self._keyring, founded=profile.origin, told=self._trust_file.told
        )
        self._officers: dict[str, Officer] = {}
        self._tsa: Authority | None = None
        self._witnessing: Callable[[], Mapping[str, Any]] | None = None

    @property
    def root_fingerprint(self) -> str:
        """SHA-256 of the root certificate, lowercase hex: what people compare on paper."""
        return fingerprint(self.root)

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate of the issuing authority."""
        return self._issuing.certificate

    @property
    def begins(self) -> int:
        """From when on (ms UTC) everything this office signs with holds; a clock that stands before
        it makes signatures nobody can verify."""
        held = (self.root, self.issuing, *(each.certificate for each in self._officers.values()))
        return max(milliseconds(certificate.not_valid_before_utc) for certificate in held)

    @property
    def log_keys(self) -> LogKeys:
        """The keys that sign the ledger's checkpoints; of two generations, the older."""
        return self.ledger.signing

    def sign_by_sm2(self) -> None:
        """Sign checkpoints by SM2 too, with a key made when first asked for. Raises OfficeError
        when the extra [gm] is not installed, KeyFileError."""
        with self._lock():
            key = sm2_key(self._directory, self._keyring, self.ledger.place.origin)
        self._sm2 = key.verifier
        self.ledger.third = key.line
        self.refresh()

    @property
    def seal(self) -> Officer:
        """The office's electronic seal."""
        self._renew_seal()
        return self._officers["seal"]

    def notary(self, notary_id: str) -> Officer:
        """Return a notary's signing identity. Raises OfficeError for an id the office lacks."""
        self._renew_notary(self.notary_profile(notary_id))
        return self._officers[f"notary-{notary_id}"]

    def notary_profile(self, notary_id: str) -> NotaryProfile:
        """Return a notary's names and licence. Raises OfficeError for an id the office lacks."""
        for notary in self.profile.notaries:
            if notary.id == notary_id:
                return notary
        raise OfficeError(f"this office has no notary {notary_id!r}")

    @property
    def tsa(self) -> Authority:
        """The time stamping authority. Its key signs for one year, then another takes its place."""
        self._renew_unit()
        unit = self._officers["tsu"]
        if self._tsa is None or self._tsa.certificate != unit.certificate:
            self._tsa = Authority(unit.key, unit.certificate, unit.chain, clock=self.clock)
        return self._tsa

    @property
    def responder(self) -> Responder:
        """The OCSP responder of the issuing authority."""
        self._renew_delegate()
        delegate = self._officers["ocsp"]
        return Responder(self.issuing, delegate.certificate, delegate.key, self._register)

    def timestamp(self, digest: bytes) -> bytes:
        """Return a time stamp token (DER) over a SHA-256 digest of 32 bytes."""
        return self.tsa.token(digest)

    def ocsp(self, request: bytes) -> bytes:
        """Answer an OCSP request (DER); never raises on a malformed one."""
        return self.responder.respond(request, at=self.clock())

    def crls(self) -> dict[str, bytes]:
        """Return the current revocation lists (DER) by authority: "root" and "issuing"."""
        with self._lock():
            self._refresh_crls()
        return {name: (self._directory / f"{name}.crl").read_bytes() for name in _AUTHORITIES}

    def authorities(self) -> dict[str, bytes]:
        """Return the authorities' certificates (DER): "root" and "issuing"."""
        return {"root": encode(self.root), "issuing": encode(self.issuing)}

    def issue_applicant(
        self, request: bytes, *, session_id: str, common_name: str, acts: Sequence[str]
    ) -> IssuedCertificate:
        """Issue the one-session certificate for a key made in the applicant's browser.

        `request` is a PKCS#10 (DER) whose own signature proves the key is held; names in it are
        ignored. The certificate lives 24 h and lists the acts it is for. Raises RequestError.
        """
        public_key = requested_key(request)
        if not 0 < len(acts) <= _MOST_ACTS or not common_name.strip():
            raise RequestError("a name and one to eight acts are needed; nothing was issued")
        notice = f"One session only: {session_id}. Acts: {', '.join(acts)}."
        if len(notice) > 200:
            raise RequestError("the list of acts is too long for a certificate")
        certificate = build(
            subject(self.profile, common_name, serial=session_id),
            public_key,
            profiles.APPLICANT,
            issuer=self._issuing,
            key=self._issuing.key,
            at=self.clock(),
            notice=notice,
        )
        self._record(certificate, about=session_id)
        return IssuedCertificate(encode(certificate), (encode(self.issuing), encode(self.root)))

    def revoke(self, serial: int, reason: str) -> None:
        """Take a certificate back, now. `reason` is an RFC 5280 reason such as "keyCompromise"."""
        if not self._register.issued(serial):
            raise CertificateError(f"this office issued no certificate {serial:x}")
        flag = x509.ReasonFlags(reason)
        self._register.add(Entry("revoked", f"{serial:x}", self.clock(), reason=flag.value))
        with self._lock():
            self._write_crl("issuing")

    def trust(self) -> dict[str, Any]:
        """Return the content of trust.json: what a verifier must believe to believe this office."""
        seal = self.seal.certificate
        key_id = seal.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        value = {
            "v": 1,
            "office": {"name_zh": self.profile.name_zh, "name_en": self.profile.name_en},
            "demo": self.profile.demo,
            "roots": [armor(self.root)],
            "tsa_roots": [armor(each) for each in self.tsa_roots],
            "ledger": self.ledger.record() | ({"sm2": self._sm2.vkey} if self._sm2 else {}),
            "seal": {"subject": seal.subject.rfc4514_string(), "key_id": key_id.hex()},
            **(self._witnessing() if self._witnessing else self._trust_file.witnesses()),
            "valid_from": self._since,
            "public_url": self.profile.public_url,
        }
        self._trust_file.keep(value)
        return value

    def trust_outside(self, roots: Iterable[x509.Certificate]) -> None:
        """Name the roots of other people's time stamping authorities in trust.json, for good: what
        they have dated stays dated."""
        self.tsa_roots = tuple(dict.fromkeys((*self.tsa_roots, *roots)))

    def trust_ledger(
        self,
        generations: tuple[Generation, ...],
        policy: Policy = NO_WITNESSES,
        *,
        since: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Name the ledger's keys, as its own entries have them, and its witnesses in trust.json.

        `since` tells how large the first tree was that they signed; before there is one, None, and
        nobody is promised anything. Until this is called again, also by another process, what was
        told stands.
        """
        self.ledger.tell(generations)
        self._witnessing = lambda: witnessing(policy, since())
        self.trust()

    def refresh(self) -> None:
        """Renew what is about to end: OCSP delegate, TSU key, officers, revocation lists."""
        self._renew_seal()
        self._renew_unit()
        self._renew_delegate()
        for notary in self.profile.notaries:
            self._renew_notary(notary)
        self._refresh_crls()
        self.trust()

    def _renew_seal(self) -> None:
        self._renew("seal", profiles.SEAL, f"{self.profile.name_zh} 电子印章")

    def _renew_unit(self) -> None:
        self._renew("tsu", profiles.TIMESTAMP, "Time Stamping Unit")

    def _renew_delegate(self) -> None:
        self._renew("ocsp", profiles.OCSP, "OCSP Responder")

    def _renew_notary(self, notary: NotaryProfile) -> None:
        name, title = f"notary-{notary.id}", f"{notary.name_zh} 公证员"
        self._renew(name, profiles.NOTARY, title, serial=notary.licence)

    def _renew(
        self,
        name: str,
        profile: CertificateProfile,
        common_name: str,
        *,
        serial: str | None = None,
    ) -> None:
        """Make sure an officer's key may still sign; a new one takes over before the old one ends.

        A crash between the two files leaves a key without certificate, which nobody uses.
        """
        current = self._officers.get(name)
        if current is not None and self._lasts(current.certificate, profile):
            return
        with self._lock():
            number, stored = newest(self._directory, name)
            if stored is None or not self._lasts(stored, profile):
                number += 1
                stored = self._enrol(f"{name}-{number}", profile, common_name, serial)
                # A key that is no longer used is no longer kept: nobody can sign with it later.
                (self._directory / f"{name}-{number - 1}.key").unlink(missing_ok=True)
            key = self._keyring.read_elliptic(f"{name}-{number}")
        self._officers[name] = Officer(stored, (self.issuing, self.root), key)

    def _lock(self) -> AbstractContextManager[None]:
        return locked(self._directory / "office.lock")

    def _lasts(self, certificate: x509.Certificate, profile: CertificateProfile) -> bool:
        begin = milliseconds(certificate.not_valid_before_utc)
        use_ms = profile.life_ms if profile.key_use_ms is None else profile.key_use_ms
        return self.clock() < begin + use_ms - profile.renew_ms

    def _enrol(
        self, name: str, profile: CertificateProfile, common_name: str, serial: str | None
    ) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = build(
            subject(self.profile, common_name, serial=serial),
            key.public_key(),
            profile,
            issuer=self._issuing,
            key=self._issuing.key,
            at=self.clock(),
        )
        (self._directory / f"{name}.key").unlink(missing_ok=True)
        self._keyring.write(name, key)
        self._record(certificate, about=name)
        write_certificate(self._directory, name, certificate)
        return certificate

    def _record(self, certificate: x509.Certificate, *, about: str) -> None:
        self._register.add(Entry("issued", f"{certificate.serial_number:x}", self.clock(), about))

    def _refresh_crls(self) -> None:
        for name, life_ms in _AUTHORITIES.items():
            path = self._directory / f"{name}.crl"
            if path.exists():
                ends = x509.load_der_x509_crl(path.read_bytes()).next_update_utc
                if ends is not None and self.clock() < milliseconds(ends) - life_ms // 2:
                    continue
            self._write_crl(name)

    def _write_crl(self, name: str) -> None:
        issuer, revoked = self._issuing, self._register.revoked().items()
        if name == "root":
            # The root's key is read for this and forgotten again.
            issuer = Issuer(self.profile, self.root, self._keyring.read_elliptic("root"), "root")
            revoked = {}.items()
        crl = build_crl(
            issuer, revoked, number=self.clock(), at=self.clock(), life_ms=_AUTHORITIES[name]
        )
        write_private(self._directory / f"{name}.crl", crl, exclusive=False)


_AUTHORITIES = {"root": _ROOT_CRL_MS, "issuing": _ISSUING_CRL_MS}
