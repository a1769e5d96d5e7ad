"""The applicant's key of one session: made by its owner, never sent anywhere.

The pages make it with WebCrypto and cannot export it; the rehearsal makes it here, beside the
scripted applicant, and gives the office the same two things: a certificate request and signatures.
"""

from __future__ import annotations

from hashlib import sha256

from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID


class NotWhatWasShownError(Exception):
    """The office asked for a signature over something else than it showed."""


class ApplicantKey:
    """A P-256 key whose owner signs only what they have seen."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name

    def request(self) -> str:
        """A PKCS#10 certificate request, PEM (RFC 2986)."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        signed = request.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, signed_attrs: bytes, *, shown: bytes) -> bytes:
        """Signs CMS signed attributes (RFC 5652 5.4) whose message digest is that of `shown`.

        Returns r||s, 64 bytes, as WebCrypto does. NotWhatWasShownError when the digest differs.
        """
        attributes = cms.CMSAttributes.load(signed_attrs)
        digests = [
            a["values"][0].native for a in attributes if a["type"].native == "message_digest"
        ]
        if digests != [sha256(shown).digest()]:
            raise NotWhatWasShownError("the digest to be signed is not that of what was shown")
        r, s = decode_dss_signature(self._key.sign(signed_attrs, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
