"""Faces in a picture: where they are (YuNet) and what they look like as numbers (SFace)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.identity.models import Models
from server.identity.picture import Image


@dataclass(frozen=True, slots=True)
class Detection:
    """One face: box (x, y, width, height) in pixels, YuNet's score, its raw row of 15 numbers."""

    box: tuple[float, float, float, float]
    score: float
    row: Any


def detect(models: Models, image: Image, *, longest: int = 640) -> list[Detection]:
    """Finds faces, largest first, looking at a copy whose longest side is at most `longest` px."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    small = image
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    models.detector.setInputSize((small.shape[1], small.shape[0]))
    _, rows = models.detector.detect(small)
    found = []
    for row in rows if rows is not None else ():
        row = np.array(row, np.float32)
        row[:14] /= scale
        x, y, w, h = (float(value) for value in row[:4])
        found.append(Detection((x, y, w, h), float(row[14]), row))
    return sorted(found, key=lambda face: -face.box[2] * face.box[3])


def embed(models: Models, image: Image, face: Detection) -> Any:
    """The unit vector SFace gives for one face: 128 float32. The only place the recogniser is
    used; another model goes here. Vectors stay in memory and are dropped after the comparison."""
    import numpy as np

    aligned = models.recogniser.alignCrop(image, face.row)
    vector = models.recogniser.feature(aligned).ravel().copy()
    return vector / (np.linalg.norm(vector) or 1.0)


def crop(image: Image, face: Detection, *, margin: float = 0.45) -> Image:
    """Cuts out a face with `margin` of its size on each side, inside the picture."""
    x, y, w, h = face.box
    height, width = image.shape[:2]
    left, right = max(0, int(x - margin * w)), min(width, int(x + w * (1 + margin)))
    top, bottom = max(0, int(y - margin * h)), min(height, int(y + h * (1 + margin)))
    return image[top:bottom, left:right]
