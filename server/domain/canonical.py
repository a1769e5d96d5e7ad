"""One way to turn facts into bytes: RFC 8785 for what the domain writes.

Keys are ASCII, numbers are integers below 2^53, so sorted compact JSON is already canonical; a test
holds it against `ledger.entry.canonical_json`. It stands here because the domain imports nothing.
"""

import hashlib
import json


def canonical(value: object) -> bytes:
    """Canonical JSON of plain values; `TypeError` or `ValueError` on what JSON cannot carry."""
    _refuse(value)
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode("utf-8")


def digest(value: object) -> str:
    """SHA-256 of the canonical form, lowercase hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _refuse(value: object) -> None:
    """Floats, great integers and non-string keys have no single form, and the ledger takes none of
    them: an event that held one would stand before all later ones for ever."""
    if isinstance(value, float):
        raise TypeError("a float has no canonical form")
    if isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError("integers are below 2^53")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError("keys are ASCII strings")
            _refuse(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse(inner)
