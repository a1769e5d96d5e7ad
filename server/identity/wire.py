"""What crosses between the server and its image worker: JSON lines, never pickles.

The worker decodes pictures from strangers. Should one of them take it over, what it can send back
is still only JSON that must fit the shapes below; nothing here runs code.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from server.identity.findings import DocumentReading, Field, Finding, Quality
from server.identity.hints import Face, FrameReading

_TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (DocumentReading, Face, Field, Finding, FrameReading, Quality)
}


def dump(value: object) -> bytes:
    """Serialises values of this room into one line of JSON."""
    return json.dumps(_plain(value), separators=(",", ":")).encode() + b"\n"


def load(line: bytes) -> Any:
    """Reads one line back. Raises ValueError, KeyError or TypeError for anything out of shape."""
    return _rich(json.loads(line))


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if type(value).__name__ in _TYPES:
        named = {name: _plain(getattr(value, name)) for name in type(value).__slots__}  # type: ignore[attr-defined]
        return {"$type": type(value).__name__, "$value": named}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_rich(item) for item in value)
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$bytes"}:
        return base64.b64decode(value["$bytes"], validate=True)
    if value.keys() == {"$type", "$value"}:
        return _TYPES[value["$type"]](**_rich(value["$value"]))
    return {key: _rich(item) for key, item in value.items()}
