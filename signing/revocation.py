"""Which certificates the office issued and took back, told as CRLs and OCSP responses.

Everything is bytes in, bytes out; addresses and HTTP are elsewhere. This is X.509 revocation: a key
that must no longer be believed. Taking back a 公证书 (撤销) is another thing: `signing.status`.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.certificates import Issuer, follow, milliseconds, moment
from signing.errors import CertificateError, OfficeError, RevokedError

_DER = serialization.Encoding.DER
_LONGEST_LINE = 4096
OCSP_LIFE_MS = 12 * 3_600_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the register: a certificate issued, or taken back.

    `serial` is hex; `about` is a name that holds no personal data (a role, or a session's id).
    """

    act: str
    serial: str
    at: int
    about: str = ""
    reason: str = ""


class Register:
    """The append-only list of certificates issued and revoked: one JSON line each.

    Several processes may hold the same file; a lock orders their writes, and each reads what was
    added before it answers, so that a revocation counts everywhere at once. A last line without
    its end was never acknowledged: a crash cut it off, and the next writer removes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = Lock()
        self._read_to = 0
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Append one entry, durably."""
        line = json.dumps(asdict(entry), sort_keys=True, separators=(",", ":")) + "\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, _LONGEST_LINE, max(0, size - _LONGEST_LINE))
            os.ftruncate(descriptor, size - (len(tail) - tail.rfind(b"\n") - 1))
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def entries(self) -> tuple[Entry, ...]:
        """Read all entries. Raises OfficeError if a line is damaged."""
        with self._turn:
            try:
                with self._path.open("rb") as file:
                    file.seek(self._read_to)
                    whole, _, _ = file.read().rpartition(b"\n")
                added = [Entry(**json.loads(line)) for line in whole.splitlines()]
            except FileNotFoundError:
                return ()
            except (ValueError, TypeError) as failure:
                raise OfficeError(
                    f"the register of certificates {self._path} is damaged; restore it"
                ) from failure
            self._entries += added
            self._read_to += len(whole) + 1 if whole else 0
            return tuple(self._entries)

    def issued(self, serial: int) -> bool:
        """Tell whether this serial number was ever issued."""
        wanted = f"{serial:x}"
        return any(entry.act == "issued" and entry.serial == wanted for entry in self.entries())

    def revoked(self) -> dict[int, Entry]:
        """Return the revoked serials; the first revocation of a serial is the one that counts."""
        found: dict[int, Entry] = {}
        for entry in self.entries():
            if entry.act == "revoked":
                found.setdefault(int(entry.serial, 16), entry)
        return found


def build_crl(
    issuer: Issuer, revoked: Iterable[tuple[int, Entry]], *, number: int, at: int, life_ms: int
) -> bytes:
    """Build a certificate revocation list (RFC 5280 5), valid from `at` for `life_ms`."""
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(moment(at).replace(microsecond=0))
        .next_update(moment(at + life_ms).replace(microsecond=0))
        .add_extension(x509.CRLNumber(number), False)
        .add_extension(authority, False)
    )
    for serial, entry in revoked:
        item = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(moment(entry.at).replace(microsecond=0))
            .add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), False)
        )
        builder = builder.add_revoked_certificate(item.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(_DER)


@dataclass(frozen=True, slots=True)
class Responder:
    """The OCSP responder of one issuing CA (RFC 6960): its delegated certificate and key."""

    issuer: x509.Certificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    register: Register

    def respond(self, request: bytes, *, at: int) -> bytes:
        """Answer one request. Never raises on a hostile request: the answer says what is wrong."""
        try:
            parsed = ocsp.load_der_ocsp_request(request)
            nonce = _nonce(parsed)
            asked = parsed.issuer_name_hash, parsed.issuer_key_hash
            algorithm = parsed.hash_algorithm
            serial = parsed.serial_number
        except (ValueError, TypeError, NotImplementedError):
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        if not isinstance(algorithm, hashes.SHA1 | hashes.SHA256):
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        if asked != self._issuer_hashes(algorithm):
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return self._sign(serial, algorithm, at=at, nonce=nonce)

    def status(self, certificate: x509.Certificate, *, at: int) -> bytes:
        """Answer for one certificate without a request (embedded at signing)."""
        return self._sign(certificate.serial_number, hashes.SHA1(), at=at, nonce=None)  # noqa: S303

    def _issuer_hashes(self, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
        request = ocsp.OCSPRequestBuilder().add_certificate(
            self.certificate, self.issuer, algorithm
        )
        own = request.build()
        return own.issuer_name_hash, own.issuer_key_hash

    def _sign(
        self,
        serial: int,
        algorithm: hashes.HashAlgorithm,
        *,
        at: int,
        nonce: x509.OCSPNonce | None,
    ) -> bytes:
        entry = self.register.revoked().get(serial)
        if entry is not None:
            status = ocsp.OCSPCertStatus.REVOKED
        elif self.register.issued(serial):
            status = ocsp.OCSPCertStatus.GOOD
        else:
            # RFC 6960 2.2: "good" for a serial never issued would vouch for a forgery.
            status = ocsp.OCSPCertStatus.UNKNOWN
        name_hash, key_hash = self._issuer_hashes(algorithm)
        now = moment(at).replace(microsecond=0)
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                name_hash,
                key_hash,
                serial,
                algorithm,
                status,
                now,
                now + timedelta(milliseconds=OCSP_LIFE_MS),
                moment(entry.at).replace(microsecond=0) if entry else None,
                x509.ReasonFlags(entry.reason) if entry else None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
            .certificates([self.certificate])
        )
        if nonce is not None:
            builder = builder.add_extension(nonce, False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(_DER)


def _nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        return request.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(_DER)


def require_not_revoked(
    certificate: x509.Certificate,
    *,
    response: bytes,
    issuer: x509.Certificate,
    roots: Sequence[x509.Certificate],
    at: int,
) -> int:
    """Require that an OCSP response calls a certificate good, and return its production time (ms).

    The response counts if it is signed by the issuer or its delegate, about this certificate, and
    made within its own validity around `at`. Raises RevokedError if the certificate had been taken
    back by then, CertificateError for anything that cannot be relied upon.
    """
    try:
        parsed = ocsp.load_der_ocsp_response(response)
        if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise CertificateError(f"the responder refused: {parsed.response_status.name}")
        if parsed.serial_number != certificate.serial_number:
            raise CertificateError("the OCSP response is about another certificate")
        request = (
            ocsp.OCSPRequestBuilder()
            .add_certificate(certificate, issuer, parsed.hash_algorithm)
            .build()
        )
        if (request.issuer_name_hash, request.issuer_key_hash) != (
            parsed.issuer_name_hash,
            parsed.issuer_key_hash,
        ):
            raise CertificateError("the OCSP response is about another issuer")
        made = milliseconds(parsed.this_update_utc)
        signer = _responder(parsed, issuer=issuer, roots=roots, at=made)
        _require_signed(parsed, signer)
    except (ValueError, TypeError, InvalidSignature) as failure:
        raise CertificateError("the OCSP response does not hold") from failure
    if parsed.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        when = parsed.revocation_time_utc
        if when is None or milliseconds(when) <= at:
            raise RevokedError(f"the certificate was revoked at {when}")
    elif parsed.certificate_status is not ocsp.OCSPCertStatus.GOOD:
        raise CertificateError("the responder does not know the certificate")
    return made


def _responder(
    response: ocsp.OCSPResponse,
    *,
    issuer: x509.Certificate,
    roots: Sequence[x509.Certificate],
    at: int,
) -> x509.Certificate:
    for candidate in response.certificates:
        usage = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.OCSP_SIGNING in usage and candidate.issuer == issuer.subject:
            candidate.verify_directly_issued_by(issuer)
            follow(candidate, others=[issuer], roots=roots, at=at)
            return candidate
    return issuer


def _require_signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> None:
    key = signer.public_key()
    algorithm = response.signature_hash_algorithm
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        raise CertificateError("the OCSP response is signed with a key we do not use")
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file while the block runs; the file stays."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
