"""Signed notes and checkpoints, byte for byte as C2SP has them.

A *note* is a text and signature lines (C2SP signed-note). A *checkpoint* is a note whose text is
origin, size and root of a log (C2SP tlog-checkpoint). Every checkpoint of ours carries two
signatures by the log under its origin's name: Ed25519, which everybody's tools read, and
ML-DSA-44 in the form of a timestamped cosignature (C2SP tlog-cosignature), because evidence must
outlive Ed25519. Witnesses' lines follow in the same forms.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from ledger.errors import NoteError
from ledger.merkle import HASH_BYTES

MAX_NOTE_BYTES = 256_000
MAX_SIGNATURES = 64
MAX_SIZE = 2**63 - 1
"""No tree is larger, and no cosignature's time is later (C2SP tlog-cosignature)."""
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class Algorithm(IntEnum):
    """The signature type byte of C2SP signed-note; we read these three and ignore others."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04
    MLDSA44_COSIGNATURE = 0x06


_PUBLIC_BYTES = {
    Algorithm.ED25519: 32,
    Algorithm.ED25519_COSIGNATURE: 32,
    Algorithm.MLDSA44_COSIGNATURE: 1312,
}


def _key_id(name: str, algorithm: Algorithm, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def from_base64(text: str) -> bytes:
    """Bytes from padded standard base64, in its one spelling. Raises NoteError."""
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise NoteError("not base64") from error
    if b64encode(data).decode() != text:  # no second spelling of the same bytes
        raise NoteError("not base64 in its canonical form")
    return data


def parse_size(text: str) -> int:
    """A tree's size: ASCII decimal without leading zeros. Raises NoteError."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise NoteError(f"not a tree's size: {text[:30]!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log promises: its tree of `size` leaves has this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str, *, extensions: bool = False) -> Checkpoint:
        """Read a note's text. We write no extension lines; a witness accepts those of others."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines) or (len(lines) > 3 and not extensions):
            raise NoteError("the note is not a checkpoint of three lines")
        size, root = parse_size(lines[1]), from_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise NoteError("the checkpoint's root is not 32 bytes long")
        return cls(lines[0], size, root)

    @classmethod
    def unverified(cls, note: str) -> Checkpoint:
        """What a note claims, for its own writer; others use `open_checkpoint`."""
        return cls.parse(note.rpartition("\n\n")[0] + "\n")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name; together with the key id it says which line it answers for."""

    name: str
    algorithm: Algorithm
    public: bytes = field(repr=False)

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read `<name>+<key id hex>+<base64 of type byte and key>`; raises NoteError."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = from_base64(encoded)
        if not _NAME.fullmatch(name) or not data or data[0] not in set(Algorithm):
            raise NoteError(f"not a verifier key we know: {vkey[:60]!r}")
        verifier = cls(name, Algorithm(data[0]), data[1:])
        if len(verifier.public) != _PUBLIC_BYTES[verifier.algorithm]:
            raise NoteError(f"the verifier key {name} has the wrong length")
        if verifier.key_id.hex() != key_id:
            raise NoteError(f"the verifier key {name} does not match its key id {key_id[:16]!r}")
        return verifier

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, self.algorithm, self.public)

    @property
    def vkey(self) -> str:
        key = b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def verify(self, text: str, signature: bytes) -> int | None:
        """Check a signature over a note's text; the cosignature's time (s since epoch) or None.

        Raises NoteError.
        """
        try:
            return self._verify(text, signature)
        except (InvalidSignature, ValueError) as error:
            raise NoteError(f"the signature by {self.name} does not verify") from error

    def _verify(self, text: str, signature: bytes) -> int | None:
        if self.algorithm is Algorithm.ED25519:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
            return None
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        if time > MAX_SIZE:
            raise NoteError(f"the cosignature by {self.name} has a time that cannot be")
        if self.algorithm is Algorithm.ED25519_COSIGNATURE:
            message = timed_message(time, text)
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        else:
            checkpoint = Checkpoint.parse(text, extensions=True)
            message = _cosigned_message(self.name, time, checkpoint)
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        return time


def timed_message(time: int, text: str) -> bytes:
    """What an Ed25519 cosignature is over (C2SP tlog-cosignature)."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _cosigned_message(cosigner: str, time: int, checkpoint: Checkpoint) -> bytes:
    """The `cosigned_message` of C2SP tlog-cosignature, for the whole tree (start 0)."""

    def opaque(text: str) -> bytes:
        data = text.encode()
        if len(data) > 255:
            raise NoteError("a name in the checkpoint is longer than 255 bytes")
        return bytes([len(data)]) + data

    return b"".join(
        (
            b"subtree/v1\n\0",
            opaque(cosigner),
            time.to_bytes(8, "big"),
            opaque(checkpoint.origin),
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The two private keys of a log. Its origin is also the name of both.

    `third` writes a further line over a checkpoint's text (`ledger.sm2`), which nobody requires.
    """

    origin: str
    ed25519: Ed25519PrivateKey = field(repr=False)
    mldsa44: MLDSA44PrivateKey = field(repr=False)
    third: Callable[[str], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _require_name(self.origin)

    @classmethod
    def generate(cls, origin: str) -> LogKeys:
        return cls(origin, Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())

    @property
    def verifiers(self) -> tuple[Verifier, Verifier]:
        """The public halves: Ed25519, ML-DSA-44. Their `.vkey` texts are what others trust."""
        ed25519 = self.ed25519.public_key().public_bytes_raw()
        mldsa44 = self.mldsa44.public_key().public_bytes_raw()
        return (
            Verifier(self.origin, Algorithm.ED25519, ed25519),
            Verifier(self.origin, Algorithm.MLDSA44_COSIGNATURE, mldsa44),
        )


@dataclass(frozen=True, slots=True)
class Cosigner:
    """The two private keys of a witness, under one name: an old program reads the first."""

    name: str
    ed25519: Ed25519PrivateKey = field(repr=False)
    mldsa44: MLDSA44PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        _require_name(self.name)

    @classmethod
    def generate(cls, name: str) -> Cosigner:
        return cls(name, Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate())

    @property
    def verifiers(self) -> tuple[Verifier, Verifier]:
        """The public halves: Ed25519, ML-DSA-44."""
        ed25519 = self.ed25519.public_key().public_bytes_raw()
        mldsa44 = self.mldsa44.public_key().public_bytes_raw()
        return (
            Verifier(self.name, Algorithm.ED25519_COSIGNATURE, ed25519),
            Verifier(self.name, Algorithm.MLDSA44_COSIGNATURE, mldsa44),
        )

    def cosign(self, text: str, *, at: int) -> str:
        """Both lines over a checkpoint's text; `at` is ms since epoch, at least 1000."""
        time = at // 1000
        if not 0 < time <= MAX_SIZE:  # a time of 0 would say nothing (C2SP tlog-witness)
            raise NoteError("the clock is not set, so nothing is cosigned")
        checkpoint = Checkpoint.parse(text, extensions=True)
        message = _cosigned_message(self.name, time, checkpoint)
        signatures = (
            self.ed25519.sign(timed_message(time, text)),
            self.mldsa44.sign(message),
        )
        return "".join(
            write_line(verifier, time.to_bytes(8, "big") + signature)
            for verifier, signature in zip(self.verifiers, signatures, strict=True)
        )


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name.encode()) > 255:
        raise NoteError(f"the name of a key has no spaces, no plus and 255 bytes: {name[:80]!r}")


def write_line(verifier: Verifier, signature: bytes) -> str:
    """A signature line of a note, with its newline."""
    return f"{_DASH}{verifier.name} {b64encode(verifier.key_id + signature).decode()}\n"


def sign_checkpoint(
    keys: LogKeys, *, size: int, root: bytes, at: int, beside: Sequence[LogKeys] = ()
) -> str:
    """A checkpoint note with both lines of the log; `at` is ms since epoch.

    The cosignature's time is in whole seconds, as its format has it. The lines of other
    generations of the log's keys, `beside` these, follow.
    """
    checkpoint = Checkpoint(keys.origin, size, root)
    lines = [line for each in (keys, *beside) for line in _own_lines(each, checkpoint, at // 1000)]
    if keys.third is not None:
        lines.append(keys.third(checkpoint.text))
    return f"{checkpoint.text}\n{''.join(lines)}"


def _own_lines(keys: LogKeys, checkpoint: Checkpoint, time: int) -> Iterator[str]:
    ed25519, mldsa44 = keys.verifiers
    yield write_line(ed25519, keys.ed25519.sign(checkpoint.text.encode()))
    signature = keys.mldsa44.sign(_cosigned_message(keys.origin, time, checkpoint))
    yield write_line(mldsa44, time.to_bytes(8, "big") + signature)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line that verified; `time` is its cosignature's, s since epoch, if it has one."""

    verifier: Verifier
    time: int | None
    data: bytes = field(repr=False)

    @property
    def line(self) -> str:
        return write_line(self.verifier, self.data)

    @property
    def who(self) -> str:
        """Whose it is: the key's name and id, as a verifier key begins."""
        return f"{self.verifier.name}+{self.verifier.key_id.hex()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A note's text and the lines that known keys answer for."""

    text: str
    signatures: tuple[Signature, ...]


def open_note(note: str, verifiers: Sequence[Verifier]) -> Note:
    """Check every line by a known key and ignore the others (C2SP signed-note).

    Raises NoteError when the note is malformed, one known key's line fails, or none is there.
    """
    text, lines = split_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    found: list[Signature] = []
    for name, key_id, signature in lines:
        verifier = known.get((name, key_id))
        if verifier is not None:
            found.append(Signature(verifier, verifier.verify(text, signature), signature))
    if not found:
        raise NoteError("no known key has signed the note")
    return Note(text, tuple(found))


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text and signature lines (name, key id, signature), unverified. Raises NoteError."""
    if len(note) > MAX_NOTE_BYTES:
        raise NoteError("the note is too long")
    if any(ord(char) < 0x20 and char != "\n" for char in note):
        raise NoteError("the note holds control characters")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteError("the note has no signature lines")
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError("the note has too many signature lines")
    return text + "\n", [_split_line(line) for line in lines]


def _split_line(line: str) -> tuple[str, bytes, bytes]:
    dash, (name, _, encoded) = line[:2], line[2:].partition(" ")
    data = from_base64(encoded)
    if dash != _DASH or not _NAME.fullmatch(name) or len(data) < 5:
        raise NoteError(f"not a signature line: {line[:60]!r}")
    return name, data[:4], data[4:]


class StandingKeys(Sequence[Verifier]):
    """Keys of which it is known which trees they sign: `ledger.generations.Keybook`."""

    @abstractmethod
    def require(self, checkpoint: Checkpoint, signed: Collection[Verifier]) -> None:
        """Require that those who have signed may speak for this tree. Raises NoteError."""


def open_checkpoint(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    """The checkpoint of a note that every given key of its origin has signed.

    Stricter than `open_note`: with both keys of a log given, a note without its ML-DSA-44 line
    fails, so that line cannot be stripped once Ed25519 is broken. A Keybook says itself whose
    lines are needed under a tree of this size. Raises NoteError.
    """
    opened = open_note(note, verifiers)
    checkpoint = Checkpoint.parse(opened.text)
    signed = {signature.verifier for signature in opened.signatures}
    if isinstance(verifiers, StandingKeys):
        verifiers.require(checkpoint, signed)
    else:
        ours = {each for each in verifiers if each.name == checkpoint.origin}
        require_all(ours, signed, checkpoint.origin)
    return checkpoint


def require_all(needed: Collection[Verifier], signed: Collection[Verifier], origin: str) -> None:
    """Require a line by each of a log's keys. Raises NoteError."""
    if not needed:
        raise NoteError(f"no key is trusted for the origin {origin[:80]!r}")
    missing = set(needed) - set(signed)
    if missing:
        raise NoteError(
            f"the log's own {min(missing, key=lambda v: v.algorithm).algorithm.name} "
            "signature is missing"
        )
