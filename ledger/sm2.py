"""A third line by the log under its checkpoints: SM2 with SM3, for readers bound to 商用密码.

SM2 (GB/T 32918.2, curve of 32918.5) over the note's text with its last newline, SM3 (GB/T 32905)
for both digests, the default signer's id `1234567812345678`. C2SP signed-note has no type for it,
so the line is of type 0xff, which is nobody's, and its key begins with a name of its own:

    verifier key    <name>+<key id>+base64(0xff || "GB/T 32918 SM2-SM3" 0x0a || x || y)
    key id          first 4 bytes of SHA-256(name || 0x0a || 0xff || the same)
    line            base64(key id || r || s), x, y, r and s of 32 bytes each, big-endian

It is beside Ed25519 and ML-DSA-44, never in their place: who does not know it ignores it.
`gmssl-pyx`, the optional extra [gm], is imported when a key is made, used or asked for, by this
module alone; `available` says whether it is there.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ledger.errors import MissingError, NoteError
from ledger.note import from_base64, split_note

_TYPE = b"\xffGB/T 32918 SM2-SM3\n"
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
# PKCS#8 (RFC 5958) around an RFC 5915 key on the curve 1.2.156.10197.1.301; every length is fixed.
_BEFORE_PRIVATE = bytes.fromhex(
    "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420"
)
_BEFORE_PUBLIC = bytes.fromhex("a14403420004")

Sm2Line = Literal["none", "absent", "unchecked", "held"]
"""What is known of a note's SM2 line: no key is trusted; it is not there; it was not checked here,
for the extra is missing; it holds."""


def available() -> bool:
    """Whether SM2 signatures can be made and checked here."""
    try:
        return find_spec("gmssl_pyx") is not None
    except ModuleNotFoundError:
        return False


def _gmssl() -> Any:
    if not available():
        raise MissingError(
            "SM2 signatures need the optional extra: pip install 'farseal[gm]' (gmssl-pyx)"
        )
    return import_module("gmssl_pyx")


@dataclass(frozen=True, slots=True)
class Sm2Verifier:
    """A public key (x || y, 64 bytes) under a name. It can be read without the extra."""

    name: str
    public: bytes = field(repr=False)

    def __post_init__(self) -> None:
        x, y = int.from_bytes(self.public[:32], "big"), int.from_bytes(self.public[32:], "big")
        on_curve = (y * y - (x * x * x - 3 * x + _B)) % _P == 0  # GB/T 32918.5: a = p - 3
        if len(self.public) != 64 or x >= _P or y >= _P or not on_curve:
            raise NoteError(f"the SM2 key of {self.name} is no point of the curve")

    @classmethod
    def parse(cls, vkey: str) -> Sm2Verifier:
        """Read a verifier key; raises NoteError."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = from_base64(encoded)
        if not data.startswith(_TYPE):
            raise NoteError(f"not an SM2 verifier key: {vkey[:60]!r}")
        verifier = cls(name, data.removeprefix(_TYPE))
        if verifier.vkey != vkey:
            raise NoteError(f"the SM2 key of {name} does not match its key id {key_id[:16]!r}")
        return verifier

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _TYPE + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_TYPE + self.public).decode()}"

    def verify(self, text: str, signature: bytes) -> None:
        """Check r || s over a note's text. Raises NoteError, MissingError without the extra."""
        gmssl = _gmssl()
        if len(signature) != 64:
            raise NoteError(f"the SM2 signature by {self.name} is not 64 bytes long")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            holds = gmssl.sm2_verify(self.public, text.encode(), encode_dss_signature(r, s))
        except (ValueError, gmssl.GmsslInnerError) as error:
            raise NoteError(f"the SM2 signature by {self.name} cannot be read") from error
        if not holds:
            raise NoteError(f"the SM2 signature by {self.name} does not verify")

    def line_of(self, note: str) -> Sm2Line:
        """What is known of this key's line under a note; raises NoteError when it fails."""
        text, lines = split_note(note)
        found = [data for name, key_id, data in lines if (name, key_id) == (self.name, self.key_id)]
        if not found:
            return "absent"
        if not available():
            return "unchecked"
        for signature in found:
            self.verify(text, signature)
        return "held"


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """A private key (32 bytes) with its public half, under the origin's name."""

    verifier: Sm2Verifier
    private: bytes = field(repr=False)

    @classmethod
    def generate(cls, name: str) -> Sm2Key:
        """Make a key. Raises MissingError without the extra."""
        public, private = _gmssl().sm2_key_generate()
        return cls(Sm2Verifier(name, public), private)

    @classmethod
    def load(cls, name: str, pkcs8: bytes) -> Sm2Key:
        """Read what `pkcs8` wrote. Raises NoteError."""
        start, middle = len(_BEFORE_PRIVATE), len(_BEFORE_PRIVATE) + 32
        private, public = pkcs8[start:middle], pkcs8[middle + len(_BEFORE_PUBLIC) :]
        if len(public) != 64 or pkcs8 != _pkcs8(private, public):
            raise NoteError("not an SM2 private key")
        return cls(Sm2Verifier(name, public), private)

    @property
    def pkcs8(self) -> bytes:
        """The key as DER, which `openssl pkey` reads."""
        return _pkcs8(self.private, self.verifier.public)

    def line(self, text: str) -> str:
        """The signature line over a note's text, with its newline. Raises MissingError."""
        verifier = self.verifier
        signature = _gmssl().sm2_sign(self.private, verifier.public, text.encode())
        data = verifier.key_id + b"".join(
            number.to_bytes(32, "big") for number in decode_dss_signature(signature)
        )
        return f"\u2014 {verifier.name} {b64encode(data).decode()}\n"


def _pkcs8(private: bytes, public: bytes) -> bytes:
    return _BEFORE_PRIVATE + private + _BEFORE_PUBLIC + public
