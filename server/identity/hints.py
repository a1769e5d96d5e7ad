"""Watching a live picture: what one frame shows, and which hints become due over time.

`read` measures one frame in the worker; `Watch` remembers in the server and says each hint once,
when it has lasted, and again only after it has gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from server.identity import faces, picture, printed, quality
from server.identity.findings import Finding, Quality
from server.identity.models import Models

Box = tuple[float, float, float, float]

# How long a condition must last before it is said, ms.
ABSENT_MS = 2_000
POOR_MS = 3_000
SECOND_MS = 1_000
FROZEN_MS = 3_000
_SIGNATURE = (64, 36)


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame: box in pixels, how well it can be seen, and whether it lies on
    something card-shaped at the size a portrait has on a document."""

    box: Box
    quality: Quality
    on_document: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReading:
    """What one frame shows; faces are largest first, `signature` is 64 x 36 bytes of luma."""

    at: int
    width: int
    height: int
    faces: tuple[Face, ...]
    signature: bytes


def read(models: Models, frame: bytes, *, at: int) -> FrameReading:
    """Measures one frame. Raises PictureRefused."""
    import cv2

    image = picture.decode(frame)
    found = faces.detect(models, image, longest=320)
    luma = cv2.cvtColor(
        cv2.resize(image, _SIGNATURE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    # Only beside another face does it matter here whether one of them is printed.
    documents = printed.documents(image) if len(found) > 1 else ()
    return FrameReading(
        at=at,
        width=image.shape[1],
        height=image.shape[0],
        faces=tuple(
            Face(face.box, quality.of_face(image, face), printed.is_printed(face, documents))
            for face in found
        ),
        signature=luma.tobytes(),
    )


class Watch:
    """Remembers one participant's picture; no images, only how long each condition has lasted."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._said: set[str] = set()
        self._last: FrameReading | None = None

    def missed(self, finding: Finding) -> tuple[Finding, ...]:
        """Notes a frame that could not be looked at; says so once until one can be again."""
        if "unavailable" in self._said:
            return ()
        self._said.add("unavailable")
        return (finding,)

    def feed(self, reading: FrameReading, *, picture: bytes = b"") -> tuple[Finding, ...]:
        """Takes the next frame's reading and returns the hints that have just become due."""
        if self._last is not None and reading.at <= self._last.at:
            return ()  # the same key frame again, not a picture that stands still
        self._said.discard("unavailable")
        due = [
            finding
            for key, (lasting, finding) in self._conditions(reading).items()
            if self._lasts(key, lasting, reading.at, finding is not None) and finding is not None
        ]
        self._last = reading
        evidence: Mapping[str, bytes] = {"frame": picture} if picture else {}
        return tuple(_with(finding, evidence) for finding in due)

    def _lasts(self, key: str, lasting_ms: int, at: int, holds: bool) -> bool:
        if not holds:
            self._since.pop(key, None)
            self._said.discard(key)
            return False
        since = self._since.setdefault(key, at)
        if key in self._said or at - since < lasting_ms:
            return False
        self._said.add(key)
        return True

    def _conditions(self, reading: FrameReading) -> dict[str, tuple[int, Finding | None]]:
        person = reading.faces[0] if reading.faces else None
        seen = person.quality if person else None
        others = [face for face in reading.faces[1:] if not face.on_document]
        printed = len(reading.faces) > 1 + len(others)
        at = reading.at
        dark = _hint("dark", at, seen.light, quality.FACE_LIGHT) if seen else None
        blurred = _hint("blurred", at, seen.sharpness, quality.FACE_SHARPNESS) if seen else None
        small = _hint("too_small", at, seen.width, quality.FACE_WIDTH) if seen else None
        still = self._last is not None and self._last.signature == reading.signature
        return {
            "absent": (ABSENT_MS, None if person else _hint("absent", at, 0, 1)),
            "dark": (POOR_MS, dark),
            "blurred": (POOR_MS, blurred),
            "too_small": (POOR_MS, small),
            "second": (SECOND_MS, _hint("second_face", at, len(others), 1, over=True)),
            "printed": (
                SECOND_MS,
                _hint("document_face", at, 1, 1, over=True) if printed else None,
            ),
            # A camera's noise changes every frame; not one bit changing means no new picture.
            "frozen": (FROZEN_MS, _hint("frozen", at, 0.0, 1.0) if still else None),
        }


def _hint(
    name: str, at: int, score: float, threshold: float, *, over: bool = False
) -> Finding | None:
    """A hint when `score` is below (or, `over`, at least) the threshold."""
    if (score >= threshold) is not over:
        return None
    return Finding(
        kind=name,
        level="info" if name == "document_face" else "attention",
        text_key=f"hint.{name}",
        at=at,
        score=round(float(score), 2),
        threshold=threshold,
        detail={"score": f"{score:.0f}", "threshold": f"{threshold:.0f}"},
    )


def _with(finding: Finding, evidence: Mapping[str, bytes]) -> Finding:
    return replace(finding, evidence=evidence)
