"""Documents in a picture: find the card, lay it flat, cut the portrait out, read the fields.

Works on an upload and on a raw video frame alike. What is printed is parsed by resident_id.py and
mrz.py; this module owns geometry and the findings about what could not be seen.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from server.identity import faces, mrz, picture, quality, resident_id
from server.identity.consistency import judge
from server.identity.findings import DocumentReading, Field, Finding, Level, Quality, Side
from server.identity.models import Models
from server.identity.ocr import Line, Reader
from server.identity.picture import Image

Quad = tuple[tuple[float, float], ...]

WIDTH = 1100  # px of a rectified card: the number's digits are then some 30 px high
_ID1, _TD3 = 85.60 / 53.98, 125.0 / 88.0  # ISO/IEC 7810
_LOOK = 640
_LARGEST = 1600


def read_document(
    reader: Reader, models: Models | None, data: bytes, side: Side, *, at: int, today: date
) -> DocumentReading:
    """Reads one side of a document. Raises PictureRefused; everything else is a finding.

    Looks for a card's outline first and reads what lies in it; without an outline, or without a
    word of the document in it, reads the whole picture, as for a scan that fills the frame.
    """
    image = _within(picture.decode(data), _LARGEST)
    height, width = image.shape[:2]
    whole = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    best: DocumentReading | None = None
    for quad in (*find_quads(image, side)[:2], whole):
        flat = image if quad is whole else rectify(image, quad)
        for turned in _upright(models, flat, side, turn=quad is not whole):
            lines = reader.lines(turned)
            kind, fields = _fields(lines, side, today=today)
            if kind == "unknown":
                continue
            reading = _reading(models, turned, lines, side, kind, fields, at=at, quad=quad)
            if best is None or _legible(reading) > _legible(best):
                best = reading
            if _complete(best):
                break
        if best is not None and _complete(best):
            break
    if best is None:
        return _nothing(image, side, at)
    judged = judge(best.fields, crop=best.crop or b"", today=today, at=at)
    return replace(best, findings=(*judged, *best.findings))


def agree(first: DocumentReading, second: DocumentReading) -> DocumentReading:
    """Joins two frames' readings of one side: a field stands when both read the same.

    A field the frames disagree on is "unread"; one that only one frame could read is kept, noted as
    seen once. Portrait and crop are of the sharper frame.
    """
    sharper = max(
        first, second, key=lambda reading: reading.quality.sharpness if reading.quality else 0
    )
    fields: dict[str, Field] = {}
    for name in {**first.fields, **second.fields}:
        one, two = first.fields.get(name), second.fields.get(name)
        seen = [field for field in (one, two) if field is not None and field.value]
        if len(seen) == 2 and seen[0].value == seen[1].value:
            surer = max(seen, key=lambda field: field.confidence)
            fields[name] = surer
        elif len(seen) == 2:
            fields[name] = _settled(seen[0], seen[1])
        elif seen:
            fields[name] = replace(seen[0], note=seen[0].note or "note.one_frame")
        else:
            fields[name] = Field(value="", check="unread", confidence=0.0)
    return replace(sharper, fields=fields)


def _settled(one: Field, two: Field) -> Field:
    """Between two values only a check that holds for exactly one of them can decide."""
    ok = [field for field in (one, two) if field.check == "ok"]
    if len(ok) == 1:
        return replace(ok[0], note="note.one_frame")
    return Field(value="", check="unread", confidence=0.0, note="note.frames_differ")


def find_quads(image: Image, side: Side) -> list[Quad]:
    """Finds outlines of cards, likeliest first: four corners in pixels, clockwise from top left."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    scale = min(1.0, _LOOK / max(height, width))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    area = small.shape[0] * small.shape[1]
    found: list[tuple[float, Any]] = []
    for channel in cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2LAB)):
        low, high = int(channel.min()), int(channel.max())
        stretched = ((channel.astype(np.float32) - low) * (255 / max(1, high - low))).astype(
            np.uint8
        )
        smooth = cv2.GaussianBlur(stretched, (5, 5), 0)
        for mask in _masks(smooth):
            contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            for contour in contours:
                hull = cv2.convexHull(contour)
                covered = cv2.contourArea(hull)
                if not 0.05 * area < covered < 0.97 * area:
                    continue
                corners = cv2.approxPolyDP(hull, 0.025 * cv2.arcLength(hull, True), True)
                if len(corners) != 4:
                    continue
                quad = _clockwise(corners[:, 0].astype(np.float32))
                fit = _fit(quad, side)
                if fit > 0:
                    found.append((fit * covered, quad / scale))
    found.sort(key=lambda item: -item[0])
    distinct: list[Any] = []
    for _, quad in found:
        if all(np.abs(quad - other).max() > 0.06 * width for other in distinct):
            distinct.append(quad)
    return [tuple((float(x), float(y)) for x, y in quad) for quad in distinct]


def rectify(image: Image, quad: Quad) -> Image:
    """Lays a quadrilateral flat, WIDTH px wide, in the proportions of the nearer card format."""
    import cv2
    import numpy as np

    source = np.array(quad, np.float32)
    ratio = _TD3 if _ratio(source) < (_ID1 + _TD3) / 2 else _ID1
    width, height = WIDTH, round(WIDTH / ratio)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC)


def _masks(channel: Image) -> list[Image]:
    import cv2
    import numpy as np

    kernel = np.ones((3, 3), np.uint8)
    return [
        cv2.dilate(cv2.Canny(channel, 20, 60), kernel),
        cv2.dilate(cv2.Canny(channel, 50, 150), kernel),
        cv2.threshold(channel, 0, 255, cv2.THRESH_OTSU)[1],
        cv2.threshold(channel, 0, 255, cv2.THRESH_OTSU | cv2.THRESH_BINARY_INV)[1],
    ]


def _clockwise(corners: Any) -> Any:
    import numpy as np

    centre = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    ordered = corners[np.argsort(angles)]
    return np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0)


def _ratio(quad: Any) -> float:
    import numpy as np

    sides = [float(np.linalg.norm(quad[i] - quad[(i + 1) % 4])) for i in range(4)]
    return (sides[0] + sides[2]) / max(1.0, sides[1] + sides[3])


def _fit(quad: Any, side: Side) -> float:
    """1 for the wanted proportions, falling to 0 at 30 % off; perspective explains less."""
    wanted = _TD3 if side == "passport" else _ID1
    return max(0.0, 1.0 - abs(_ratio(quad) / wanted - 1.0) / 0.3)


def _within(image: Image, longest: int) -> Image:
    import cv2

    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _upright(models: Models | None, flat: Image, side: Side, *, turn: bool) -> list[Image]:
    """The picture, and upside down when a face says so or nothing can say."""
    import cv2

    if not turn:
        return [flat]
    over = cv2.rotate(flat, cv2.ROTATE_180)
    if models is not None and side != "back":
        ahead, behind = (faces.detect(models, image, longest=480) for image in (flat, over))
        if ahead or behind:
            score = max((face.score for face in ahead), default=0.0)
            return [flat] if score >= max((f.score for f in behind), default=0.0) else [over]
    return [flat]


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
    import cv2
    import numpy as np

    corners = np.array(quad, np.float32)
    across = max(1, int(np.linalg.norm(corners[0] - corners[1])))
    size = {"width": across, "height": int(cv2.contourArea(corners)) // across}
    measured = replace(quality.measure(flat), **size)
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
        ("document.too_small", measured.width, quality.CARD_WIDTH),
        ("document.dark", measured.light, quality.CARD_LIGHT),
        ("document.blurred", measured.sharpness, quality.CARD_SHARPNESS),
    )
    return [
        _finding("attention", key, at, crop=crop, score=score, threshold=threshold)
        for key, score, threshold in shortfalls
        if score < threshold
    ]


def _nothing(image: Image, side: Side, at: int) -> DocumentReading:
    """The reading of a picture in which no document could be read, with advice why not."""
    measured = quality.measure(image)
    crop = picture.encode(_within(image, 640))
    key = "document.dark" if measured.light < quality.CARD_LIGHT else "document.not_found"
    score, threshold = (measured.light, quality.CARD_LIGHT) if key == "document.dark" else (0, 1)
    finding = _finding("attention", key, at, crop=crop, score=score, threshold=threshold)
    return DocumentReading(
        kind="unknown", side=side, fields={}, portrait=None, crop=crop, quality=measured,
        findings=(finding,),
    )  # fmt: skip


def _finding(
    level: Level,
    text_key: str,
    at: int,
    *,
    crop: bytes,
    score: float | None = None,
    threshold: float | None = None,
) -> Finding:
    return Finding(
        kind="document",
        level=level,
        text_key=text_key,
        at=at,
        score=None if score is None else round(float(score), 1),
        threshold=threshold,
        evidence={"document": crop},
    )
