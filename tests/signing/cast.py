"""Who plays in this room's tests: an office's profile, a browser with a key, a clock."""

import itertools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from signing.ca import NotaryProfile, OfficeProfile

PASSPHRASE = "correct horse battery staple"
ACTS = ("document", "record", "closing")


@dataclass(frozen=True)
class Browser:
    """What the applicant's browser does: hold a key, ask for a certificate, sign as WebCrypto."""

    key: ec.EllipticCurvePrivateKey

    def request(self) -> bytes:
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def sign(self, attributes: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(attributes, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def profile() -> OfficeProfile:
    return OfficeProfile(
        name_zh="示例市远山公证处",
        name_en="Yuanshan Notary Office (Demo)",
        public_url="http://localhost:8080",
        origin="localhost/farseal",
        demo=True,
        notaries=(NotaryProfile("lin", "林望舒", "Lin Wangshu", "D0000001"),),
    )


class Clock:
    """A clock that tests set. It ticks one millisecond a reading, so that times differ."""

    def __init__(self, at: int) -> None:
        self._ticks = itertools.count(at)

    def __call__(self) -> int:
        return next(self._ticks)

    def advance(self, span_ms: int) -> None:
        self._ticks = itertools.count(next(self._ticks) + span_ms)
