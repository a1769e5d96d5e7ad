"""What this room says: findings, fields and readings. Frozen values, nothing else.

A finding is a hint with a number and a picture. It never rejects anybody: `level` says how loudly
to show it, and "unavailable" is never shown as if nothing had been found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["info", "attention", "problem", "unavailable"]
Check = Literal["ok", "failed", "unread", "none"]
Side = Literal["front", "back", "passport"]
Band = Literal["similar", "unclear", "not_similar"]

Detail = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One hint for the notary.

    `text_key` is a key of texts.TEXTS, filled in from `detail`; `score` and `threshold` are in the
    unit of the kind (cosine, luma 0-255, pixels, variance, seconds); `at` is ms since the epoch;
    `evidence` holds JPEG or PNG bytes by name, the only way a picture leaves this room.
    """

    kind: str
    level: Level
    text_key: str
    at: int
    score: float | None = None
    threshold: float | None = None
    detail: Detail = field(default_factory=dict)
    evidence: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field read off a document.

    check: "ok" a check digit or another field agrees, "failed" it disagrees, "unread" nothing
    legible, "none" nothing to check against. An "ok" proves consistency, never that a document is
    genuine. `confidence` is the reader's own, 0 to 1. `note` is a text key, or "".
    """

    value: str
    check: Check
    confidence: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measures of one region: mean-free sharpness (variance of the Laplacian at 320 px height),
    `light` the 90th percentile of luma (0-255), width and height in pixels of the source."""

    sharpness: float
    light: float
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReading:
    """One side of a document as read from one picture.

    kind: "resident_id", "passport", "card" (TD1, TD2) or "unknown". Fields of a resident ID are
    name, sex, ethnicity, birth, address, number, authority, valid_from, valid_to; of a machine
    readable zone name, number, nationality, birth, sex, valid_to, issuer, composite. Dates are ISO
    8601, `valid_to` may be 长期. `portrait` and `crop` are JPEG bytes, `quality` None when no
    document was found.
    """

    kind: str
    side: Side
    fields: Mapping[str, Field]
    portrait: bytes | None
    crop: bytes | None
    quality: Quality | None
    findings: tuple[Finding, ...]
    quad: tuple[tuple[float, float], ...] = ()
    """The document's corners in the picture, pixels, clockwise from top left; empty when the whole
    picture was read."""
