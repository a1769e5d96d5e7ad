"""What is written: submissions, their canonical bytes, leaves, and salted commitments.

A leaf is RFC 8785 canonical JSON. We admit only what makes that canon simple: ASCII keys,
strings, booleans, null, integers of less than 2**53, lists and objects. Then compact JSON with
sorted keys *is* the canonical form (a test holds this against the `rfc8785` package).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256, SM3, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.errors import EntryError
from ledger.merkle import leaf_hash

MAX_LEAF_BYTES = 65_535
"""An entry bundle writes a leaf's length in two bytes (C2SP tlog-tiles)."""
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
NO_HASH = "0" * 64
"""`prev` of the first leaf, and `case_prev` of a case's first leaf."""

_COMMIT = b"ledger/commit/v1\0"
_ID = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LITERALS = {None: "null", True: "true", False: "false"}
_LEAF_KEYS = ("body", "case", "case_prev", "case_seq", "event", "index", "prev", "time", "v")


def canonical_json(value: object) -> bytes:
    """The RFC 8785 bytes of `value`.

    Raises EntryError for floats, NaN, integers beyond 2**53 - 1, keys that are not ASCII
    strings, lone surrogates, other types, and nesting deeper than 32.
    """
    try:
        return _write(value, 0).encode()
    except UnicodeEncodeError as error:
        raise EntryError("a text holds a lone surrogate, which is no character") from error


def _write(value: object, depth: int) -> str:
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return str(value)
        raise EntryError(f"the integer {value} is beyond 2**53 - 1; write it as a text")
    if depth < MAX_DEPTH:  # what most values are; the rest is asked for below
        if type(value) is dict:
            return _write_object(value, depth + 1)
        if type(value) is list:
            return "[" + ",".join([_write(item, depth + 1) for item in value]) + "]"
    if value is None or value is True or value is False:
        return _LITERALS[value]
    if depth == MAX_DEPTH:
        raise EntryError(f"the value is nested deeper than {MAX_DEPTH}")
    if isinstance(value, Mapping):
        return _write_object(value, depth + 1)
    if isinstance(value, list | tuple):
        return "[" + ",".join([_write(item, depth + 1) for item in value]) + "]"
    if isinstance(value, str):
        return encode_basestring(value)
    raise EntryError(f"{type(value).__name__} has no place in canonical JSON: {value!r:.80}")


def _write_object(value: Mapping[str, object], depth: int) -> str:
    parts = []
    try:
        keys = sorted(value)
    except TypeError as error:
        raise EntryError("the keys of an object are not all strings") from error
    for key in keys:
        item = value[key]
        # Most values are texts, and every append comes through here.
        text = encode_basestring(item) if type(item) is str else _write(item, depth)
        parts.append(_write_key(key) + text)
    return "{" + ",".join(parts) + "}"


@lru_cache(maxsize=1024)
def _write_key(key: str) -> str:
    """Entries have few different keys, so they are checked and written once."""
    if type(key) is not str or not key.isascii():
        raise EntryError(f"the key {key!r} is not an ASCII string")
    return encode_basestring(key) + ":"


def parse_canonical(data: bytes) -> Any:
    """The value of canonical JSON bytes; raises EntryError when they are not canonical."""
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise EntryError(f"not JSON: {error}") from error
    # Duplicate keys, 1e400, spaces and other spellings do not survive the way back.
    if canonical_json(value) != data:
        raise EntryError("JSON, but not in its canonical form")
    return value


def derive_salt(key: bytes, label: str) -> bytes:
    """The 32-byte salt of the item `label` under a case's key: HKDF-SHA256 (RFC 5869), no salt."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label.encode()).derive(key)


def commitment(salt: bytes, content_sha256: bytes) -> str:
    """A hiding, binding commitment to content, lowercase hex.

    SHA-256("ledger/commit/v1" 0x00 || salt || SHA-256(content)). Without the salt nobody can
    try guesses of the content against it; once the key of the salts is destroyed, nobody ever.
    """
    if len(salt) != 32 or len(content_sha256) != 32:
        raise EntryError("a commitment takes a salt of 32 bytes and a SHA-256 digest")
    return sha256(_COMMIT + salt + content_sha256).hexdigest()


def sm3(content: bytes) -> bytes:
    """The SM3 digest (GB/T 32905, ISO/IEC 10118-3) of content, 32 bytes."""
    state = Hash(SM3())
    state.update(content)
    return state.finalize()


def commitment_sm3(salt: bytes, content_sm3: bytes) -> str:
    """The commitment that may stand beside the first, lowercase hex: SM3 in both its places.

    SM3("ledger/commit/v1" 0x00 || salt || SM3(content)), with the same salt. Whoever trusts only
    one of the two algorithms still has a commitment to the content.
    """
    if len(salt) != 32 or len(content_sm3) != 32:
        raise EntryError("a commitment takes a salt of 32 bytes and an SM3 digest")
    return sm3(_COMMIT + salt + content_sm3).hex()


@dataclass(frozen=True, slots=True)
class Submission:
    """One fact to be recorded; `event` makes recording it idempotent.

    client: the writer's name, e.g. "journal"; it keeps two writers' event ids apart.
    event, case: 32 lowercase hex (128 random bits). An event's id may begin with the time, as
    UUIDv7 does: a large ledger then takes it at a third of the cost.
    body: what the leaf says. It is public for ever: ids and commitments, no personal data.
    """

    client: str
    event: str
    case: str
    body: Mapping[str, object]

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.event):
            raise EntryError(f"event is not 32 lowercase hex digits: {self.event!r:.80}")
        if not _ID.fullmatch(self.case):
            raise EntryError(f"case is not 32 lowercase hex digits: {self.case!r:.80}")

    @property
    def key(self) -> bytes:
        """What makes a repeated submission the same one: its event's 16 bytes, then its client.

        It sorts as the event does: ids that begin with the time go to the end of the index.
        """
        return bytes.fromhex(self.event) + self.client.encode()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The entry is durable: it survives a crash of this machine. Not yet proven to others."""

    index: int
    leaf_hash: str


def leaf_front(body: bytes, case: str) -> bytes:
    """The bytes of a leaf that its submitter knows, around a body that is canonical already.

    Keys are sorted, so these come first: a leaf records this body for this case exactly when it
    starts with them.
    """
    return b'{"body":%b,"case":"%b","case_prev":"' % (body, case.encode())


def splice_leaf(
    front: bytes,
    *,
    case_prev: bytes,
    case_seq: int,
    event: bytes,
    index: int,
    prev: bytes,
    time: int,
) -> bytes:
    """The canonical bytes of a leaf: `leaf_front`, and what the sequencer knows.

    The sequencer has one thread, so it does no more per entry than this formatting.
    """
    return b'%b%b","case_seq":%d,"event":"%b","index":%d,"prev":"%b","time":%d,"v":1}' % (
        front,
        case_prev,
        case_seq,
        event,
        index,
        prev,
        time,
    )


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf's bytes, read. Field by field: docs/ledger-format.md."""

    body: Mapping[str, Any]
    case: str
    case_prev: str
    case_seq: int
    event: str
    index: int
    prev: str
    time: int
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Leaf:
        """Read a leaf strictly; raises EntryError for anything we would not have written."""
        if len(data) > MAX_LEAF_BYTES:
            raise EntryError(f"a leaf of {len(data)} bytes; at most {MAX_LEAF_BYTES}")
        value = parse_canonical(data)
        if type(value) is not dict or tuple(value) != _LEAF_KEYS or value["v"] != 1:
            raise EntryError("not a leaf of version 1")
        for problem in _problems(value):
            raise EntryError(f"not a leaf: {problem}")
        del value["v"]
        return cls(**value, data=data)

    @property
    def hash(self) -> str:
        """The RFC 6962 leaf hash, lowercase hex: the next leaf's `prev`."""
        return leaf_hash(self.data).hex()


def _problems(value: dict[str, Any]) -> Iterator[str]:
    if type(value["body"]) is not dict:
        yield "body is not an object"
    for names, pattern in ((("case", "event"), _ID), (("prev", "case_prev"), _HASH)):
        for name in names:
            if type(value[name]) is not str or not pattern.fullmatch(value[name]):
                yield f"{name} is not lowercase hex of its length"
    for name in ("index", "time", "case_seq"):
        if type(value[name]) is not int or value[name] < 0:
            yield f"{name} is not a count"
