"""Documents in a picture: find the card, lay it flat, cut the portrait out, read the fields.

Works on an upload and on a raw video frame alike. outline.py finds the card, resident_id.py and
mrz.py parse what is printed; this module puts them together and says what could not be seen.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from server.identity import faces, mrz, outline, picture, quality, resident_id
from server.identity.consistency import judge
from server.identity.findings import DocumentReading, Field, Finding, Level, Quality, Side
from server.identity.models import Models
from server.identity.ocr import Line, Reader
from server.identity.outline import Quad
from server.identity.picture import Image

_LARGEST = 1600


def read_document(
    reader: Reader, models: Models | None, data: bytes, side: Side, *, at: int, today: date
) -> DocumentReading:
    """Reads one side of a document. Raises PictureRefused; everything else is a finding.

    Looks for a card's outline first and reads what lies in it; without an outline, or without a
    word of the document in it, reads the whole picture, as for a scan that fills the frame.
    """
    image = _within(picture.decode(data), _LARGEST)
    best = _look(reader, models, image, side, at=at, today=today)
    if best is None:
        return _nothing(image, side, at)
    judged = judge(best.fields, crop=best.crop or b"", today=today, at=at)
    return replace(best, findings=(*judged, *best.findings))


def _look(
    reader: Reader, models: Models | None, image: Image, side: Side, *, at: int, today: date
) -> DocumentReading | None:
    """The best reading among the outlines and the whole picture; None when none makes sense."""
    best: DocumentReading | None = None
    for quad in (*outline.find_quads(image, side)[:2], ()):
        flat = outline.rectify(image, quad) if quad else image
        if models is not None and side != "back":
            flat = _upright(models, flat)
        lines = reader.lines(flat)
        kind, fields = _fields(lines, side, today=today)
        if kind == "unknown":
            continue
        reading = _reading(models, flat, lines, side, kind, fields, at=at, quad=quad)
        if best is None or _legible(reading) > _legible(best):
            best = reading
        if _complete(best):
            break
    return best


def _within(image: Image, longest: int) -> Image:
    import cv2

    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _upright(models: Models, image: Image) -> Image:
    """The picture turned by quarters until its face stands upright.

    The text reader copes with lines on their side, so only the face tells how a card lies.
    """
    import cv2

    turns = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
    pictures = [image, *(cv2.rotate(image, turn) for turn in turns)]
    return max(pictures, key=lambda turned: _face_score(models, turned))


def _face_score(models: Models, image: Image) -> float:
    return max((face.score for face in faces.detect(models, image, longest=480)), default=0.0)


def _fields(lines: list[Line], side: Side, *, today: date) -> tuple[str, dict[str, Field]]:
    if side == "passport":
        zone = mrz.parse([(line.text, line.confidence) for line in lines], today=today)
        if zone is None:
            return "unknown", {}
        return ("passport" if zone.format == "TD3" else "card"), dict(zone.fields)
    parsed = resident_id.front(lines) if side == "front" else resident_id.back(lines)
    return ("resident_id", parsed) if parsed else ("unknown", {})


def _legible(reading: DocumentReading) -> float:
    return sum(1.0 + (field.check == "ok") for field in reading.fields.values() if field.value) + (
        reading.portrait is not None
    )


def _complete(reading: DocumentReading) -> bool:
    """Says whether another look at the picture could hardly bring more."""
    key = "valid_from" if reading.side == "back" else "number"
    field = reading.fields.get(key)
    return field is not None and field.check in ("ok", "failed") and field.value != ""


def _reading(
    models: Models | None,
    flat: Image,
    lines: list[Line],
    side: Side,
    kind: str,
    fields: dict[str, Field],
    *,
    at: int,
    quad: Quad,
) -> DocumentReading:
    measured = quality.measure(flat)
    measured = outline.sized(measured, quad) if quad else measured
    crop, portrait = picture.encode(flat), None
    findings = list(_seen(measured, crop, at))
    if side != "back":
        portrait = _portrait(models, flat, lines)
        if portrait is None:
            level: Level = "unavailable" if models is None else "attention"
            findings.append(_finding(level, "document.no_portrait", at, crop=crop))
    return DocumentReading(
        kind=kind, side=side, fields=fields, portrait=portrait, crop=crop, quality=measured,
        findings=tuple(findings), quad=quad,
    )  # fmt: skip


def _portrait(models: Models | None, flat: Image, lines: list[Line]) -> bytes | None:
    """The largest face among the document's own lines, never the person holding it up."""
    if models is None:
        return None
    words = [word for line in lines for word in line.words]
    left, right = min(w.left for w in words), max(w.left + w.width for w in words)
    top, bottom = min(w.middle - w.height for w in words), max(w.middle for w in words)
    for face in faces.detect(models, flat, longest=640):
        x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
        if left <= x <= right and top <= y <= bottom:
            return picture.encode(faces.crop(flat, face), quality=95)
    return None


def _seen(measured: Quality, crop: bytes, at: int) -> list[Finding]:
    """What the person holding the document could do to show it better."""
    shortfalls = (
        ("document.dark", measured.light, quality.CARD_LIGHT),
        ("document.too_small", measured.width, quality.CARD_WIDTH),
        ("document.blurred", measured.sharpness, quality.CARD_SHARPNESS),
    )
    return [
        _short(key, score, threshold, crop, at)
        for key, score, threshold in shortfalls
        if score < threshold
    ]


def _nothing(image: Image, side: Side, at: int) -> DocumentReading:
    """The reading of a picture in which nothing could be read, with the likeliest advice."""
    measured = quality.measure(image)
    crop = picture.encode(_within(image, 640))
    said = [_finding("attention", "document.not_found", at, crop=crop)]
    if measured.light < quality.CARD_LIGHT:
        said.insert(0, _short("document.dark", measured.light, quality.CARD_LIGHT, crop, at))
    elif measured.sharpness < quality.FRAME_SHARPNESS:
        score = measured.sharpness
        said.insert(0, _short("document.blurred", score, quality.FRAME_SHARPNESS, crop, at))
    return DocumentReading(
        kind="unknown", side=side, fields={}, portrait=None, crop=crop, quality=measured,
        findings=tuple(said),
    )  # fmt: skip


def _short(text_key: str, score: float, threshold: float, crop: bytes, at: int) -> Finding:
    finding = _finding("attention", text_key, at, crop=crop)
    return replace(finding, score=round(float(score), 1), threshold=float(threshold))


def _finding(level: Level, text_key: str, at: int, *, crop: bytes) -> Finding:
    return Finding(
        kind="document", level=level, text_key=text_key, at=at, evidence={"document": crop}
    )
