"""The signed list of certificates' states (W3C Bitstring Status List v1.0), as of a moment.

One bit per status index: 1 = revoked or void. The list is a credential in a JWS (RFC 7515,
flattened JSON, ES256) by the office's seal, its certificate in `x5c`. It is not X.509 revocation:
that concerns keys, this concerns 公证书. A list says what was so when it was made, never what is so
now; the next one follows within 24 h.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ledger.entry import canonical_json, parse_canonical
from ledger.errors import EntryError
from signing.certificates import encode, follow, milliseconds, moment
from signing.errors import CertificateError, StatusError
from signing.profiles import DAY_MS, SEAL_POLICY
from signing.trust import Trust

if TYPE_CHECKING:
    from signing.ca import Office

# Herd privacy (Bitstring Status List 3.1): a list never says how few certificates there are.
_LEAST_BITS = 131_072
_MOST_BYTES = 4_000_000
_CONTEXT = "https://www.w3.org/ns/credentials/v2"


@dataclass(frozen=True, slots=True)
class StatusList:
    """A status list whose signature holds. Times are ms since the epoch."""

    as_of: int
    next_update: int
    bits: bytes
    signer: x509.Certificate

    def revoked(self, index: int) -> bool:
        """Whether the bit of `index` is set. Raises StatusError beyond the list."""
        if not 0 <= index < len(self.bits) * 8:
            raise StatusError(f"the status list does not reach to {index}")
        # Bitstring Status List 2.1: index 0 is the left-most bit.
        return bool(self.bits[index // 8] & (0x80 >> index % 8))


def build(revoked: Collection[int], *, office: Office, at: int) -> dict[str, Any]:
    """The signed list with these status indexes revoked, as of `at` (ms); JSON for /status.json."""
    count = max(_LEAST_BITS, (max(revoked, default=0) // 8 + 1) * 8)
    bits = bytearray(count // 8)
    for index in revoked:
        bits[index // 8] |= 0x80 >> index % 8
    url = f"{office.profile.public_url}/status.json"
    packed = gzip.compress(bytes(bits), mtime=0)
    credential = {
        "@context": [_CONTEXT],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": office.profile.public_url,
        "validFrom": _timestamp(at),
        "validUntil": _timestamp(at + DAY_MS),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": "u" + _base64url(packed),
        },
    }
    chain = [office.seal.certificate, *office.seal.chain[:-1]]
    header = {
        "alg": "ES256",
        "typ": "vc+jwt",
        "x5c": [b64encode(encode(one)).decode() for one in chain],
    }
    protected, payload = _base64url(canonical_json(header)), _base64url(canonical_json(credential))
    signature = office.seal.key.sign(f"{protected}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signature)
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return {"protected": protected, "payload": payload, "signature": _base64url(raw)}


def check(signed: Mapping[str, Any], trust: Trust) -> StatusList:
    """Verify a list against the trusted root and the office's seal.

    Raises StatusError, or CertificateError when the seal does not lead to a trusted root.
    """
    try:
        header = parse_canonical(_from_base64url(signed["protected"]))
        credential = parse_canonical(_from_base64url(signed["payload"]))
        if header["alg"] != "ES256" or set(signed) != {"protected", "payload", "signature"}:
            raise StatusError("the status list is not signed the way this office signs")
        signer, *others = (
            x509.load_der_x509_certificate(b64decode(one, validate=True)) for one in header["x5c"]
        )
        _require_signature(signed, signer)
        as_of = _milliseconds(credential["validFrom"])
        found = StatusList(
            as_of,
            _milliseconds(credential["validUntil"]),
            _bits(credential["credentialSubject"]),
            signer,
        )
    except (KeyError, TypeError, ValueError, EntryError, RecursionError) as failure:
        raise StatusError("the status list cannot be read") from failure
    follow(signer, others=others, roots=trust.roots, at=as_of)
    require_seal(signer, trust)
    return found


def require_seal(certificate: x509.Certificate, trust: Trust) -> None:
    """Require that a certificate is the trusted office's seal. Raises CertificateError."""
    if certificate.subject.rfc4514_string() != trust.seal_subject:
        raise CertificateError("the seal is not this office's")
    require_policy(certificate, SEAL_POLICY)


def require_policy(certificate: x509.Certificate, policy: str) -> None:
    """Require that a certificate was issued for one purpose. Raises CertificateError."""
    try:
        policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except (x509.ExtensionNotFound, ValueError):
        policies = x509.CertificatePolicies([])
    if [each.policy_identifier.dotted_string for each in policies] != [policy]:
        raise CertificateError("the certificate was issued for another purpose")


def _require_signature(signed: Mapping[str, Any], signer: x509.Certificate) -> None:
    key = signer.public_key()
    raw = _from_base64url(signed["signature"])
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(raw) != 64:
        raise StatusError("the status list is not signed the way this office signs")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    message = f"{signed['protected']}.{signed['payload']}".encode()
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as failure:
        raise StatusError("the signature over the status list does not hold") from failure


def _bits(subject: Mapping[str, Any]) -> bytes:
    if subject["statusPurpose"] != "revocation" or not subject["encodedList"].startswith("u"):
        raise StatusError("the status list is not about revocation")
    # Bounded: a list of a few bytes must not swell to gigabytes.
    inflater = zlib.decompressobj(wbits=31)
    bits = inflater.decompress(_from_base64url(subject["encodedList"][1:]), _MOST_BYTES)
    if not inflater.eof or inflater.unused_data:
        raise StatusError("the status list is too long, or cut short")
    return bits


def _timestamp(at: int) -> str:
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(text: str) -> int:
    if not text.endswith("Z"):
        raise ValueError("not UTC")
    return milliseconds(datetime.fromisoformat(text))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _base64url(data) != text:
        raise ValueError("not base64url in its canonical form")
    return data
