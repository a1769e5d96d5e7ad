"""Detached CAdES signatures (ETSI EN 319 122-1, baseline B-B and B-T) over a SHA-256 digest.

Two ways lead to one. The office signs itself: `sign`. The applicant signs in a browser, whose key
never leaves it: `prepare` makes the bytes to sign, WebCrypto signs them (ECDSA P-256, SHA-256),
`assemble` puts the CMS around the browser's signature after checking it:

    attributes = prepare(content_sha256, certificate, at=now)      # to the browser, as they are
    signature = await crypto.subtle.sign({name: "ECDSA", hash: "SHA-256"}, key, attributes)
    cms = assemble(attributes, signature, certificate, chain, timestamp=office.timestamp)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from signing import der
from signing.certificates import encode, follow, moment
from signing.errors import SignatureError, SigningError
from signing.tokens import Token, read_token
from signing.tsa import signing_certificate

_DATA = der.oid("1.2.840.113549.1.7.1")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
_CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
_SIGNING_TIME = der.oid("1.2.840.113549.1.9.5")
_TIMESTAMP = der.oid("1.2.840.113549.1.9.16.2.14")
_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class Signed:
    """What a CMS signature says, once it holds: who, the path to a root, when at the latest."""

    certificate: x509.Certificate
    path: tuple[x509.Certificate, ...]
    token: Token | None


def prepare(content_sha256: str, certificate: bytes, at: int | None) -> bytes:
    """Return the signed attributes (DER SET) for a signature over content with this digest.

    `certificate` is the signer's, DER. `at` is the claimed signing time in ms; None leaves it out,
    as PAdES demands (ETSI EN 319 142-1 6.3), where the time stands in the PDF.
    """
    digest = bytes.fromhex(content_sha256)
    if len(digest) != 32:
        raise SignatureError("a SHA-256 digest has 64 hex digits")
    attributes = [
        der.sequence(_CONTENT_TYPE, der.set_of(_DATA)),
        der.sequence(_MESSAGE_DIGEST, der.set_of(der.octets(digest))),
        signing_certificate(x509.load_der_x509_certificate(certificate)),
    ]
    if at is not None:
        attributes.append(der.sequence(_SIGNING_TIME, der.set_of(der.utc_time(moment(at)))))
    return der.set_of(*attributes)


def assemble(
    attributes: bytes,
    signature: bytes,
    certificate: bytes,
    chain: Sequence[bytes],
    *,
    timestamp: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Return the CMS (DER) around a signature made elsewhere, after checking it.

    `signature` is WebCrypto's raw r||s (64 bytes) or DER. `timestamp` takes a SHA-256 digest and
    returns a token: with it the result is CAdES-T. Raises SignatureError if the signature is not
    the certificate's over these attributes.
    """
    signer = x509.load_der_x509_certificate(certificate)
    signature = to_der(signature)
    _require_holds(attributes, signature, signer)
    unsigned = b""
    if timestamp is not None:
        token = timestamp(sha256(signature).digest())
        unsigned = b"\xa1" + der.set_of(der.sequence(_TIMESTAMP, der.set_of(token)))[1:]
    information = der.sequence(
        der.integer(1),
        der.sequence(signer.issuer.public_bytes(), der.integer(signer.serial_number)),
        _SHA256,
        b"\xa0" + attributes[1:],
        _ECDSA_SHA256,
        der.octets(signature),
        unsigned,
    )
    signed = der.sequence(
        der.integer(1),
        der.set_of(_SHA256),
        der.sequence(_DATA),
        der.element(0xA0, *sorted([certificate, *chain])),
        der.set_of(information),
    )
    return der.sequence(_SIGNED_DATA, der.element(0xA0, signed))


def sign(
    content_sha256: str,
    *,
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    at: int,
    timestamp: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Sign content with this digest with a key we hold; return the detached CMS (DER)."""
    attributes = prepare(content_sha256, encode(certificate), at)
    signature = key.sign(attributes, ec.ECDSA(hashes.SHA256()))
    links = [encode(link) for link in chain]
    return assemble(attributes, signature, encode(certificate), links, timestamp=timestamp)


def verify_cms(
    signature: bytes,
    *,
    content_sha256: str,
    roots: Sequence[x509.Certificate],
    tsa_roots: Sequence[x509.Certificate] = (),
    at: int | None = None,
) -> Signed:
    """Verify a detached CAdES signature over content with this digest.

    Steps: one signer, canonical DER; digest; signature; certificate bound by its hash; timestamp
    token, if there is one; path to one of `roots` at the token's time, else at `at` (ms). Raises
    SignatureError, TimestampError or CertificateError. Revocation is the caller's next question.
    """
    try:
        return _verify(signature, content_sha256, roots, tsa_roots, at)
    except SigningError:
        raise
    except Exception as failure:
        # asn1crypto reads lazily, so hostile bytes may surface at any field.
        raise SignatureError("the signature cannot be read as CMS") from failure


def _verify(
    signature: bytes,
    content_sha256: str,
    roots: Sequence[x509.Certificate],
    tsa_roots: Sequence[x509.Certificate],
    at: int | None,
) -> Signed:
    parts = _Parts.read(signature)
    if parts.digest.hex() != content_sha256:
        raise SignatureError("the signature is over other content")
    _require_holds(parts.attributes, parts.signature, parts.certificate)
    if signing_certificate(parts.certificate) not in parts.members:
        raise SignatureError("the signature does not name its certificate")
    token = None
    if parts.token is not None:
        token = read_token(parts.token, digest=sha256(parts.signature).digest(), roots=tsa_roots)
    when = token.at if token is not None else at
    if when is None:
        raise SignatureError("the signature has no timestamp, and no time was given to judge it at")
    path = follow(parts.certificate, others=parts.certificates, roots=roots, at=when)
    return Signed(parts.certificate, path, token)


def to_der(signature: bytes) -> bytes:
    """Turn WebCrypto's raw r||s of P-256 (64 bytes) into DER; DER passes, if it is canonical."""
    if len(signature) == 64 and not _is_canonical(signature):
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
            raise SignatureError("the signature's numbers are out of range")
        return encode_dss_signature(r, s)
    if not _is_canonical(signature):
        raise SignatureError("the signature is neither r||s of 64 bytes nor DER")
    return signature


def _is_canonical(signature: bytes) -> bool:
    try:
        return encode_dss_signature(*decode_dss_signature(signature)) == signature
    except ValueError:
        return False


def _require_holds(attributes: bytes, signature: bytes, certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureError("the certificate is not for an elliptic curve key")
    try:
        key.verify(signature, attributes, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as failure:
        raise SignatureError("the signature does not hold under its certificate") from failure


@dataclass(frozen=True, slots=True)
class _Parts:
    """A CMS signature taken apart; only what this module writes is read."""

    digest: bytes
    attributes: bytes
    members: frozenset[bytes]
    signature: bytes
    certificate: x509.Certificate
    certificates: tuple[x509.Certificate, ...]
    token: bytes | None

    @classmethod
    def read(cls, signature: bytes) -> "_Parts":
        der.require_exact(signature)
        signed = cms.ContentInfo.load(signature, strict=True)["content"]
        (information,) = signed["signer_infos"]
        attributes = information["signed_attrs"]
        names = [attribute["type"].native for attribute in attributes]
        if len(set(names)) != len(names) or "content_type" not in names:
            raise ValueError("the signed attributes are not as CMS has them")
        values = {attribute["type"].native: attribute["values"] for attribute in attributes}
        certificates = tuple(
            x509.load_der_x509_certificate(der.as_read(choice.chosen))
            for choice in signed["certificates"]
            if isinstance(choice.chosen, asn1_x509.Certificate)
        )
        wanted = information["sid"].chosen
        serial = wanted["serial_number"].native
        issuer = der.as_read(wanted["issuer"])
        (signer,) = (
            one
            for one in certificates
            if one.serial_number == serial and one.issuer.public_bytes() == issuer
        )
        return cls(
            digest=values["message_digest"][0].native,
            attributes=b"\x31" + der.as_read(attributes)[1:],
            members=frozenset(der.as_read(attribute) for attribute in attributes),
            signature=information["signature"].native,
            certificate=signer,
            certificates=certificates,
            token=_token(information),
        )


def _token(information: cms.SignerInfo) -> bytes | None:
    found = [
        der.as_read(value)
        for attribute in information["unsigned_attrs"] or ()
        if attribute["type"].native == "signature_time_stamp_token"
        for value in attribute["values"]
    ]
    if len(found) > 1:
        raise ValueError("more than one timestamp")
    return found[0] if found else None
