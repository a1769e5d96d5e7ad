"""What the services ask to be drawn: documents, pages, the round seal, a notary's handwriting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

from server.documents import (
    FactsError,
    GlyphsMissingError,
    missing_glyphs,
    page_images,
    render_certificate,
    render_document,
    serif,
)
from server.domain.errors import DomainError
from server.domain.fields import glyph_missing
from server.services.assemble import Drawing
from signing.seal import office_seal_svg

_SLANT = 0.22


def drawing(*, seal_name: str, seal_line: str) -> Drawing:
    """Return the one value; the seal bears `seal_name` around its star and `seal_line` below."""
    return Drawing(
        document=_document,
        certificate=render_certificate,
        pages=page_images,
        missing_glyphs=missing_glyphs,
        seal_svg=lambda: office_seal_svg(seal_name, font=serif(), line=seal_line),
        notary_svg=lambda _, name: name_svg(name),
    )


def _document(facts: Mapping[str, Any], *, language: Any, specimen: bool) -> bytes:
    """Draw the document; a form that is not ready for it is the applicant's to complete."""
    try:
        return render_document(facts, language=language, specimen=specimen)
    except GlyphsMissingError as error:
        raise glyph_missing(error.characters) from error
    except FactsError as error:
        raise DomainError("document-missing") from error


def name_svg(name: str) -> str:
    """Draw a name slanted, as vectors: a demo office's stand-in for the notary's handwriting."""
    with TTFont(serif(), lazy=True) as font:
        glyphs, characters = font.getGlyphSet(), font.getBestCmap()
        ascent, descent = font["hhea"].ascent, font["hhea"].descent
        paths, left = [], 0.0
        for character in name:
            glyph = glyphs[characters.get(ord(character), ".notdef")]
            pen = SVGPathPen(glyphs)
            slanted = (1, 0, _SLANT, -1, left - _SLANT * descent, ascent)
            glyph.draw(TransformPen(pen, slanted))
            paths.append(f'<path d="{pen.getCommands()}"/>')
            left += glyph.width
    width, height = round(left + _SLANT * (ascent - descent)), ascent - descent
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" fill="#1b2a4a">{"".join(paths)}</svg>'
    )
