"""The round office seal and handwriting, as vectors.

Outlines need no font where they are shown. The picture proves nothing: the seal's proof is the
electronic signature, the handwriting's is the stroke data (x, y, t, pressure) in the evidence.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from signing.errors import SigningError

SEAL_RED = "#c8102e"
INK = "#14181f"

_MOST_POINTS = 20_000
_PEN = 0.016


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of the pen: position in pad units, time in ms since the first, pressure 0..1."""

    x: float
    y: float
    t: float
    pressure: float


@dataclass(frozen=True, slots=True)
class Strokes:
    """Handwriting as it was drawn on a pad of `width` x `height` units, y downwards."""

    width: float
    height: float
    strokes: tuple[tuple[Point, ...], ...]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Strokes":
        """Read {"width": w, "height": h, "strokes": [[[x, y, t, pressure], ...], ...]}.

        A pen that left the pad is drawn as far as the pad's edge. Raises SigningError if it is not
        that form, empty, or over 20,000 points.
        """
        try:
            width, height = float(data["width"]), float(data["height"])
            strokes = tuple(
                tuple(Point(*(float(value) for value in point)) for point in stroke)
                for stroke in data["strokes"]
                if stroke
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise SigningError("the handwriting is not in the expected form") from failure
        points = [point for stroke in strokes for point in stroke]
        numbers = [number for p in points for number in (p.x, p.y, p.t, p.pressure)]
        if not points or len(points) > _MOST_POINTS or not all(map(math.isfinite, numbers)):
            raise SigningError("the handwriting is empty or too long; please sign again")
        if not (0 < width <= 10_000 and 0 < height <= 10_000):
            raise SigningError("the pad's size is out of range")
        kept = tuple(
            tuple(
                replace(p, x=min(max(p.x, 0.0), width), y=min(max(p.y, 0.0), height))
                for p in stroke
            )
            for stroke in strokes
        )
        return cls(width, height, kept)

    def pdf_operators(self, width: float, height: float) -> bytes:
        """Draw the handwriting into a box of `width` x `height` points, as PDF operators."""
        fit = _Fit.into(self, width, height)
        pen = _PEN * max(self.width, self.height) * fit.scale
        # Clipped to the pad, as an SVG is clipped to its view box.
        pad = (fit.left, fit.top, self.width * fit.scale, self.height * fit.scale)
        lines = [
            b"q",
            f"{' '.join(map(_number, pad))} re W n".encode(),
            b"0.078 0.094 0.122 RG",
            b"1 J 1 j",
            b"%s w" % _number(pen).encode(),
        ]
        for curve in map(_curve, self.strokes):
            (x, y), *rest = curve
            lines.append(f"{_number(fit.x(x))} {_number(height - fit.y(y))} m".encode())
            for start in range(0, len(rest), 3):
                corners = (
                    f"{_number(fit.x(x))} {_number(height - fit.y(y))}"
                    for x, y in rest[start : start + 3]
                )
                lines.append(" ".join(corners).encode() + b" c")
            lines.append(b"S")
        return b"\n".join([*lines, b"Q"])

    def svg(self, width: float, height: float, *, title: str) -> str:
        """Draw the handwriting into a box of `width` x `height`, as SVG."""
        fit = _Fit.into(self, width, height)
        pen = _PEN * max(self.width, self.height) * fit.scale
        commands = []
        for curve in map(_curve, self.strokes):
            (x, y), *rest = curve
            commands.append(f"M{_number(fit.x(x))} {_number(fit.y(y))}")
            for start in range(0, len(rest), 3):
                corners = (
                    f"{_number(fit.x(x))} {_number(fit.y(y))}" for x, y in rest[start : start + 3]
                )
                commands.append("C" + " ".join(corners))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(width)} '
            f'{_number(height)}"><title>{escape(title)}</title><path d="{"".join(commands)}" '
            f'fill="none" stroke="{INK}" stroke-width="{_number(pen)}" stroke-linecap="round" '
            f'stroke-linejoin="round"/></svg>'
        )


def strokes_svg(strokes: Strokes, *, title: str = "签名") -> str:
    """Draw handwriting as an SVG of the pad's own proportions."""
    return strokes.svg(strokes.width, strokes.height, title=title)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Pad units to a box: one scale for both axes, centred."""

    scale: float
    left: float
    top: float

    @classmethod
    def into(cls, strokes: Strokes, width: float, height: float) -> "_Fit":
        scale = min(width / strokes.width, height / strokes.height)
        return cls(
            scale, (width - strokes.width * scale) / 2, (height - strokes.height * scale) / 2
        )

    def x(self, value: float) -> float:
        return self.left + value * self.scale

    def y(self, value: float) -> float:
        return self.top + value * self.scale


def _curve(stroke: Sequence[Point]) -> list[tuple[float, float]]:
    """Turn samples into cubic Bezier points through all of them (Catmull-Rom, uniform)."""
    samples = [(point.x, point.y) for point in stroke]
    if len(samples) == 1:
        samples *= 2
    padded = [samples[0], *samples, samples[-1]]
    curve = [samples[0]]
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        curve += [
            (start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6),
            (end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6),
            end,
        ]
    return curve


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


@lru_cache(maxsize=8)
def office_seal_svg(name: str, *, font: Path, line: str = "") -> str:
    """Draw a round seal: rim, five-pointed star, the office's name around it, `line` below.

    `font` is an OpenType file whose outlines are used. 200 x 200 units, to be shown at 42 mm.
    Raises SigningError naming the characters the font lacks.
    """
    outlines = _Outlines(font, name + line)
    count = len(name)
    span = math.radians(min(268.0, 20.5 * max(count, 2)))
    radius = 74.5
    size = min(31.0, span * radius / max(count, 1) * 1.16)
    glyphs = []
    for index, character in enumerate(name):
        angle = -span / 2 + span * (index + 0.5) / count
        centre = (100 + radius * math.sin(angle), 100 - radius * math.cos(angle))
        glyphs.append(outlines.draw(character, size, centre, angle, squeeze=0.7))
    for index, character in enumerate(line):
        centre = (100 + (index - (len(line) - 1) / 2) * 16.5, 151.0)
        glyphs.append(outlines.draw(character, 15, centre, 0.0, squeeze=1.0))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
        f"<title>{escape(name)}</title>"
        f'<circle cx="100" cy="100" r="95.5" fill="none" stroke="{SEAL_RED}" stroke-width="5"/>'
        f'<path d="{_star(100, 100, 27)}" fill="{SEAL_RED}"/>'
        f'<path d="{"".join(glyphs)}" fill="{SEAL_RED}" stroke="{SEAL_RED}" stroke-width="1.1" '
        'stroke-linejoin="round"/></svg>'
    )


def _star(x: float, y: float, radius: float) -> str:
    corners = []
    for index in range(10):
        reach = radius if index % 2 == 0 else radius * 0.381966
        angle = math.pi * index / 5
        corners.append(
            f"{_number(x + reach * math.sin(angle))} {_number(y - reach * math.cos(angle))}"
        )
    return "M" + "L".join(corners) + "Z"


class _Outlines:
    """The outlines of a text's characters in one font file."""

    def __init__(self, path: Path, text: str) -> None:
        # The base install verifies and draws no seals; only the office needs the font library.
        from fontTools.pens.recordingPen import DecomposingRecordingPen
        from fontTools.ttLib import TTFont

        with TTFont(path, lazy=True) as font:
            names, glyphs = font.getBestCmap(), font.getGlyphSet()
            missing = [one for one in dict.fromkeys(text) if ord(one) not in names]
            if missing:
                raise SigningError(f"the seal's font lacks: {' '.join(missing)}")
            self._em = font["head"].unitsPerEm
            self._widths: dict[str, float] = {}
            self._pens: dict[str, Any] = {}
            for character in dict.fromkeys(text):
                glyph = glyphs[names[ord(character)]]
                self._widths[character] = glyph.width
                self._pens[character] = DecomposingRecordingPen(glyphs)
                glyph.draw(self._pens[character])

    def draw(
        self,
        character: str,
        size: float,
        centre: tuple[float, float],
        angle: float,
        *,
        squeeze: float,
    ) -> str:
        """Return path commands of a glyph, its em box centred at `centre` and turned."""
        from fontTools.pens.svgPathPen import SVGPathPen
        from fontTools.pens.transformPen import TransformPen

        pen = SVGPathPen(None, ntos=_number)
        scale = size / self._em
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        # The em box of a CJK glyph spans -0.12..0.88 em: its middle is 0.38 em above the baseline.
        half, middle = self._widths[character] / 2, 0.38 * self._em
        x = centre[0] - (cos * squeeze * half + sin * middle)
        y = centre[1] - (sin * squeeze * half - cos * middle)
        turn = (cos * squeeze, sin * squeeze, sin, -cos, x, y)
        self._pens[character].replay(TransformPen(pen, turn))
        return str(pen.getCommands())
