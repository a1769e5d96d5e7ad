"""The office's own RFC 3161 time stamping authority: request bytes in, response bytes out.

Tokens are assembled as DER by hand (`signing.der`): no kept library has the response side, and
`asn1crypto` can neither write nor read a rejection. Everything that does not change between two
tokens is encoded once. The authority is not public: a stranger with a token for a forged file
would have half a forgery.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from asn1crypto import tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from signing import der
from signing.certificates import encode, moment
from signing.errors import TimestampRejected
from signing.profiles import TIMESTAMP_POLICY

_IMPRINTS = {"sha256": 32, "sha384": 48, "sha512": 64}
_LARGEST_REQUEST = 4096
# RFC 3161 2.4.2, PKIFailureInfo
_FAILURE_BITS = {
    "bad_alg": 0,
    "bad_request": 2,
    "bad_data_format": 5,
    "time_not_available": 14,
    "unaccepted_policy": 15,
    "unaccepted_extension": 16,
    "system_failure": 25,
}
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_TST_INFO = der.oid("1.2.840.113549.1.9.16.1.4")
_GRANTED = der.sequence(der.integer(0))


@dataclass(slots=True)
class Authority:
    """A time stamping unit: P-256 key, its certificate, and the chain it sends along.

    `clock` gives milliseconds since the epoch; `random(n)` gives n random bytes. The accuracy
    stated in each token is half a second: the machine's clock, disciplined by NTP.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    chain: Sequence[x509.Certificate]
    clock: Callable[[], int]
    random: Callable[[int], bytes] = os.urandom
    policy: str = TIMESTAMP_POLICY
    accuracy_ms: int = 500
    _fixed: "_Fixed" = field(init=False)

    def __post_init__(self) -> None:
        self._fixed = _Fixed.of(self)

    def respond(self, request: bytes) -> bytes:
        """Answer a TimeStampReq with a TimeStampResp; a request we refuse gets a rejection."""
        try:
            if len(request) > _LARGEST_REQUEST:
                raise TimestampRejected("bad_data_format", "the request is too large")
            token = self._answer(request)
        except TimestampRejected as refusal:
            return _rejection(refusal)
        return der.sequence(_GRANTED, token)

    def token(self, digest: bytes) -> bytes:
        """Return a time stamp token (CMS DER, certificates included) over a SHA-256 digest."""
        if len(digest) != _IMPRINTS["sha256"]:
            raise TimestampRejected("bad_data_format", "the digest is not 32 bytes")
        return self._issue(der.sequence(_SHA256, der.octets(digest)), nonce=b"", certificates=True)

    def _answer(self, request: bytes) -> bytes:
        try:
            parsed = tsp.TimeStampReq.load(request, strict=True)
            content = parsed.native
            imprint = parsed["message_imprint"]
            algorithm = content["message_imprint"]["hash_algorithm"]["algorithm"]
            size = len(content["message_imprint"]["hashed_message"])
            nonce = der.as_read(parsed["nonce"]) if content["nonce"] is not None else b""
        except Exception as failure:
            raise TimestampRejected("bad_data_format", "not a TimeStampReq") from failure
        if content["version"] != "v1":
            raise TimestampRejected("bad_request", "only version 1 is known")
        if algorithm not in _IMPRINTS:
            raise TimestampRejected("bad_alg", f"imprints are {', '.join(_IMPRINTS)}")
        if size != _IMPRINTS[algorithm]:
            raise TimestampRejected("bad_data_format", "the imprint has the wrong length")
        if content["req_policy"] not in (None, self.policy):
            raise TimestampRejected("unaccepted_policy", f"the policy is {self.policy}")
        if content["extensions"]:
            raise TimestampRejected("unaccepted_extension", "no extension is supported")
        if len(nonce) > 34:
            raise TimestampRejected("bad_request", "the nonce is longer than 32 bytes")
        return self._issue(
            der.as_read(imprint), nonce=nonce, certificates=bool(content["cert_req"])
        )

    def _issue(self, imprint: bytes, *, nonce: bytes, certificates: bool) -> bytes:
        fixed = self._fixed
        now = moment(self.clock())
        serial = der.integer(int.from_bytes(self.random(16), "big") >> 1)
        info = der.sequence(
            der.integer(1),
            fixed.policy,
            imprint,
            serial,
            der.generalized_time(now),
            fixed.accuracy,
            nonce,
            fixed.name,
        )
        digest = der.octets(hashlib.sha256(info).digest())
        attributes = der.set_of(
            fixed.content_type,
            der.sequence(der.oid("1.2.840.113549.1.9.5"), der.set_of(der.utc_time(now))),
            fixed.signing_certificate,
            der.sequence(der.oid("1.2.840.113549.1.9.4"), der.set_of(digest)),
        )
        signature = self.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
        signer = der.sequence(
            der.integer(1),
            fixed.signer,
            _SHA256,
            b"\xa0" + attributes[1:],
            _ECDSA_SHA256,
            der.octets(signature),
        )
        signed = der.sequence(
            der.integer(3),
            der.set_of(_SHA256),
            der.sequence(_TST_INFO, der.element(0xA0, der.octets(info))),
            fixed.certificates if certificates else b"",
            der.set_of(signer),
        )
        return der.sequence(_SIGNED_DATA, der.element(0xA0, signed))


@dataclass(frozen=True, slots=True)
class _Fixed:
    """The encodings that are the same in every token of one unit."""

    policy: bytes
    accuracy: bytes
    name: bytes
    content_type: bytes
    signing_certificate: bytes
    signer: bytes
    certificates: bytes

    @classmethod
    def of(cls, authority: Authority) -> "_Fixed":
        unit = authority.certificate
        name = der.element(0xA4, unit.subject.public_bytes())
        issuer = unit.issuer.public_bytes()
        serial = der.integer(unit.serial_number)
        return cls(
            policy=der.oid(authority.policy),
            accuracy=_accuracy(authority.accuracy_ms),
            name=der.element(0xA0, name),
            content_type=der.sequence(der.oid("1.2.840.113549.1.9.3"), der.set_of(_TST_INFO)),
            signing_certificate=signing_certificate(unit),
            signer=der.sequence(issuer, serial),
            # rfc3161-client refuses a token whose certificates are not in DER's SET OF order.
            certificates=der.element(
                0xA0, *sorted(encode(member) for member in (unit, *authority.chain))
            ),
        )


def signing_certificate(certificate: x509.Certificate) -> bytes:
    """Encode the signing-certificate-v2 attribute (RFC 5035 3), SHA-256 by default."""
    issuer = der.sequence(der.element(0xA4, certificate.issuer.public_bytes()))
    identifier = der.sequence(
        der.octets(certificate.fingerprint(hashes.SHA256())),
        der.sequence(issuer, der.integer(certificate.serial_number)),
    )
    return der.sequence(
        der.oid("1.2.840.113549.1.9.16.2.47"),
        der.set_of(der.sequence(der.sequence(identifier))),
    )


def _accuracy(span_ms: int) -> bytes:
    seconds, millis = divmod(span_ms, 1000)
    parts = [der.integer(seconds)] if seconds else []
    if millis:
        parts.append(b"\x80" + der.integer(millis)[1:])
    return der.sequence(*parts)


def _rejection(refusal: TimestampRejected) -> bytes:
    return der.sequence(
        der.sequence(
            der.integer(2),
            der.sequence(der.utf8(refusal.text)),
            der.named_bit(_FAILURE_BITS.get(refusal.failure, 25)),
        )
    )
