"""Typst at work: templates and data in, PDF/A and the places of its signature boxes out.

Data enters as JSON through `sys.inputs` and is never markup, so an applicant called `#panic("x")`
is printed as such. PDF/A is always asked for: then a glyph the fonts lack is an error instead of
a silent box. The bytes depend on template, data and fonts alone.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal

import typst

from server.documents.errors import GlyphsMissingError, RenderError
from server.documents.facts import texts
from server.documents.fonts import missing_glyphs, typst_fonts

Standard = Literal["a-2a", "a-3a"]

_TEMPLATES = Path(__file__).with_name("templates")
_PAGE_HEIGHT = 841.89


@dataclass(frozen=True, slots=True)
class Box:
    """Where a signature belongs: page (from 0) and rectangle in PDF points, origin bottom left."""

    name: str
    page: int
    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True, slots=True)
class Typeset:
    """A drawn document and its signature boxes."""

    pdf: bytes
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside a PDF/A-3; `relationship` is its AFRelationship: source, data, supplement."""

    name: str
    content: bytes
    media_type: str
    description: str
    relationship: str = "data"


def typeset(
    template: str,
    data: Mapping[str, Any],
    *,
    images: Mapping[str, str],
    day: date,
    standard: Standard,
    attachments: Sequence[Attachment] = (),
) -> Typeset:
    """Draw `template` with `data`; `images` are SVG texts by name, `day` dates the file.

    Raises GlyphsMissingError naming the characters the fonts lack, RenderError if typst refuses.
    """
    if missing := missing_glyphs(texts(data)):
        raise GlyphsMissingError(missing)
    listed = [
        {
            "name": one.name,
            "path": f"attachment-{number}",
            "media_type": one.media_type,
            "description": one.description,
            "relationship": one.relationship,
        }
        for number, one in enumerate(attachments)
    ]
    inputs = {
        "data": json.dumps(data, ensure_ascii=False),
        "images": json.dumps(dict(images), ensure_ascii=False),
        "attachments": json.dumps(listed, ensure_ascii=False),
    }
    with tempfile.TemporaryDirectory(prefix="farseal-") as name:
        room = Path(name)
        for source in _TEMPLATES.glob("*.typ"):
            shutil.copyfile(source, room / source.name)
        for number, one in enumerate(attachments):
            (room / f"attachment-{number}").write_bytes(one.content)
        return _compile(room, template, inputs, day=day, standard=standard)


def _compile(
    room: Path, template: str, inputs: dict[str, str], *, day: date, standard: Standard
) -> Typeset:
    compiler = typst.Compiler(
        str(room / f"{template}.typ"), root=str(room), font_paths=typst_fonts(), sys_inputs=inputs
    )
    try:
        pdf = compiler.compile(
            format="pdf",
            pdf_standards=[standard],
            timestamp=datetime.combine(day, time(), UTC),
        )
        anchors = json.loads(compiler.query("<anchor>", field="value"))
        if not isinstance(pdf, bytes):
            raise RenderError("typst gave no PDF")
    except typst.TypstError as failure:
        raise RenderError(f"the document cannot be drawn: {failure.message}") from failure
    return Typeset(pdf, tuple(_box(anchor) for anchor in anchors))


def _box(anchor: Mapping[str, Any]) -> Box:
    top = _PAGE_HEIGHT - anchor["y"]
    return Box(
        name=anchor["name"],
        page=anchor["page"] - 1,
        left=anchor["x"],
        bottom=top - anchor["h"],
        right=anchor["x"] + anchor["w"],
        top=top,
    )
