"""Whether a face is a person's or the portrait on something they hold up."""

from __future__ import annotations

from collections.abc import Sequence

from server.identity import outline
from server.identity.faces import Detection
from server.identity.outline import Quad
from server.identity.picture import Image

_PORTRAIT = (0.05, 0.25)  # a face's width over its document's; a person before a window fills more


def documents(image: Image) -> tuple[Quad, ...]:
    """Outlines of everything card-shaped in a picture."""
    return (*outline.find_quads(image, "front"), *outline.find_quads(image, "passport"))


def is_printed(face: Detection, documents: Sequence[Quad]) -> bool:
    """Says whether a face lies in an outline and has a portrait's share of its width."""
    for quad in documents:
        across = max(x for x, _ in quad) - min(x for x, _ in quad)
        if _inside(face, quad) and _PORTRAIT[0] < face.box[2] / across < _PORTRAIT[1]:
            return True
    return False


def _inside(face: Detection, quad: Quad) -> bool:
    """Says whether the middle of a face lies in a convex quadrilateral given clockwise."""
    if len(quad) != 4:
        return False
    x, y = face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2
    sides = zip(quad, (*quad[1:], quad[0]), strict=True)
    return all((bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0 for (ax, ay), (bx, by) in sides)
