"""The two fonts every document is set in, and which characters they lack."""

from functools import lru_cache
from pathlib import Path

import pylopdf_fonts_zh_cn as fonts
import typst
from fontTools.ttLib import TTFont

# Layout, not print: these never need a glyph.
_INVISIBLE = frozenset("\n\r\t ")


def serif() -> Path:
    """Return the file of Noto Serif SC, the office's voice; the seal takes its outlines from it."""
    return Path(fonts.serif_path())


@lru_cache(maxsize=1)
def typst_fonts() -> typst.Fonts:
    """Load the fonts for typst; nothing of the machine is used, so bytes are the same anywhere."""
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(serif().parent)],
    )


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    with TTFont(serif(), lazy=True) as font:
        return frozenset(font.getBestCmap())


def missing_glyphs(text: str) -> tuple[str, ...]:
    """Name the characters of a text that cannot be printed, each once, in order of appearance."""
    known = _characters()
    return tuple(
        one for one in dict.fromkeys(text) if one not in _INVISIBLE and ord(one) not in known
    )
