"""A card's outline in a picture, and the card laid flat. Geometry only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from server.identity.findings import Quality, Side
from server.identity.picture import Image

Quad = tuple[tuple[float, float], ...]
"""Four corners in pixels, clockwise from top left."""

WIDTH = 1100  # px of a rectified card: the number's digits are then some 30 px high
_ID1, _TD3 = 85.60 / 53.98, 125.0 / 88.0  # ISO/IEC 7810
_LOOK = 640


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


def _sides(quad: Any) -> list[float]:
    import numpy as np

    return [float(np.linalg.norm(quad[i] - quad[(i + 1) % 4])) for i in range(4)]


def _ratio(quad: Any) -> float:
    sides = _sides(quad)
    return (sides[0] + sides[2]) / max(1.0, sides[1] + sides[3])


def _fit(quad: Any, side: Side) -> float:
    """1 for the wanted proportions and equal opposite sides, less for others, 0 for no card.

    A card in a hand may lean, so opposite sides may differ by a quarter.
    """
    wanted = _TD3 if side == "passport" else _ID1
    top, right, bottom, left = _sides(quad)
    lean = max(abs(top - bottom) / max(top, bottom), abs(left - right) / max(left, right))
    stretch = abs(_ratio(quad) / wanted - 1.0)
    return max(0.0, 1.0 - stretch / 0.25) * max(0.0, 1.0 - lean / 0.25)


def sized(measured: Quality, quad: Quad) -> Quality:
    """The same measures with the size the card really has in the picture."""
    import cv2
    import numpy as np

    corners = np.array(quad, np.float32)
    across = max(1, int(np.linalg.norm(corners[0] - corners[1])))
    return replace(measured, width=across, height=int(cv2.contourArea(corners)) // across)
