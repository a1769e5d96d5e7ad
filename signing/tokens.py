"""Reading RFC 3161 time stamp tokens: is this token over this digest, by whom, and when?"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.anchors import Stamped
from signing import der
from signing.certificates import follow, milliseconds
from signing.errors import SigningError, TimestampError

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: the time (ms since the epoch), its serial, policy, nonce and signer."""

    at: int
    serial: int
    policy: str
    nonce: int | None
    certificate: x509.Certificate
    path: tuple[x509.Certificate, ...]


def read_token(token: bytes, *, digest: bytes, roots: Sequence[x509.Certificate]) -> Token:
    """Verify a token over a SHA-256 digest and return what it says (RFC 3161 2.4.2).

    Steps: canonical DER, one signer; imprint; digest of the content; signature; certificate bound
    by its hash, for time stamping only; path to one of `roots` at the token's own time. Raises
    TimestampError, or CertificateError for the path; UnknownIssuerError only where all else holds.
    """
    try:
        return _read(token, digest, roots)
    except SigningError:
        raise
    except Exception as failure:
        # asn1crypto reads lazily, so hostile bytes may surface at any field.
        raise TimestampError("the time stamp token cannot be read") from failure


def read_stamp(token: bytes, data: bytes, *, roots: Sequence[x509.Certificate]) -> Stamped:
    """What the ledger logs back of a token over these bytes: its time, and the name (RFC 4514) in
    the certificate that signed it. Raises as `read_token`."""
    says = read_token(token, digest=sha256(data).digest(), roots=roots)
    return Stamped(says.at, says.certificate.subject.rfc4514_string())


def _read(token: bytes, digest: bytes, roots: Sequence[x509.Certificate]) -> Token:
    parts = _Parts.read(token)
    imprint = parts.info["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native != "sha256":
        raise TimestampError("the time stamp is not over a SHA-256 digest")
    if imprint["hashed_message"].native != digest:
        raise TimestampError("the time stamp is over something else")
    parts.require_signed()
    when = milliseconds(parts.info["gen_time"].native)
    path = follow(parts.certificate, others=parts.certificates, roots=roots, at=when)
    return Token(
        at=when,
        serial=parts.info["serial_number"].native,
        policy=parts.info["policy"].native,
        nonce=parts.info["nonce"].native,
        certificate=parts.certificate,
        path=path,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """A token taken apart."""

    info: tsp.TSTInfo
    content: bytes
    attributes: cms.CMSAttributes
    algorithm: str
    signature: bytes
    certificate: x509.Certificate
    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, token: bytes) -> "_Parts":
        der.require_exact(token)
        signed = cms.ContentInfo.load(token, strict=True)["content"]
        (information,) = signed["signer_infos"]
        content = signed["encap_content_info"]["content"]
        certificates = tuple(
            x509.load_der_x509_certificate(der.as_read(choice.chosen))
            for choice in signed["certificates"]
            if isinstance(choice.chosen, asn1_x509.Certificate)
        )
        wanted = information["sid"].chosen
        (signer,) = (
            one
            for one in certificates
            if one.serial_number == wanted["serial_number"].native
            and one.issuer.public_bytes() == der.as_read(wanted["issuer"])
        )
        info = content.parsed
        return cls(
            info=info,
            content=content.contents,
            attributes=information["signed_attrs"],
            algorithm=information["digest_algorithm"]["algorithm"].native,
            signature=information["signature"].native,
            certificate=signer,
            certificates=certificates,
        )

    def require_signed(self) -> None:
        """Require the signature, and the certificate's right to make it. Raises TimestampError."""
        values = {one["type"].native: one["values"][0] for one in self.attributes}
        algorithm = _HASHES.get(self.algorithm)
        if algorithm is None or not {"message_digest", "signing_certificate_v2"} <= set(values):
            raise TimestampError("the time stamp token lacks what RFC 3161 demands")
        digest = hashes.Hash(algorithm)
        digest.update(self.content)
        if values["message_digest"].native != digest.finalize():
            raise TimestampError("the time stamp token's content was changed")
        bound = values["signing_certificate_v2"]["certs"][0]["cert_hash"].native
        if bound != self.certificate.fingerprint(hashes.SHA256()):
            raise TimestampError("the time stamp token names another certificate")
        self._require_key(algorithm)
        try:
            usage = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound as failure:
            raise TimestampError("the certificate is not for time stamping") from failure
        if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise TimestampError("the certificate is not for time stamping only")

    def _require_key(self, algorithm: hashes.HashAlgorithm) -> None:
        message = b"\x31" + der.as_read(self.attributes)[1:]
        key = self.certificate.public_key()
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(self.signature, message, ec.ECDSA(algorithm))
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(self.signature, message, padding.PKCS1v15(), algorithm)
            else:
                raise TimestampError("the authority signs with a kind of key we do not know")
        except InvalidSignature as failure:
            raise TimestampError("the time stamp token's signature does not hold") from failure
