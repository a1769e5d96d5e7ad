"""Empty signature fields over the boxes a template left for them.

The field is where a reader's program shows who signed; the picture below it (seal, handwriting) is
part of the page.
"""

import io
from collections.abc import Sequence
from hashlib import sha256

from pyhanko.pdf_utils.generic import ArrayObject, ByteStringObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from server.documents.typeset import Box


class _Writer(IncrementalPdfFileWriter):
    """Adds a revision whose bytes follow from its content alone.

    pyHanko would draw half of the file's ID at random and date the revision by the wall clock.
    """

    def _update_meta(self) -> None:
        """Leave the dates as typst wrote them."""


def place_fields(pdf: bytes, boxes: Sequence[Box], *, labels: dict[str, str]) -> bytes:
    """Add an empty signature field for each box, named as the box; `labels` are shown to people."""
    if not boxes:
        return pdf
    writer = _Writer(io.BytesIO(pdf))
    for box in boxes:
        edges = tuple(round(edge, 2) for edge in (box.left, box.bottom, box.right, box.top))
        append_signature_field(
            writer,
            SigFieldSpec(
                box.name,
                on_page=box.page,
                box=edges,  # type: ignore[arg-type] # pyHanko writes fractions as they are
                readable_field_name=labels.get(box.name, box.name),
            ),
        )
    first, _ = writer.document_id
    changing = ByteStringObject(sha256(pdf).digest()[:16])
    writer._document_id = ArrayObject([ByteStringObject(first), changing])
    output = io.BytesIO()
    writer.write(output)  # type: ignore[no-untyped-call]
    return output.getvalue()
