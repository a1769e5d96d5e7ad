"""Pages as pictures: both sides of a session look at the same pixels, whose digests are logged."""

import io
from threading import Lock

import pypdfium2

from server.documents.errors import RenderError

_MOST_PAGES = 100
_WIDEST = 4000
# PDFium is not safe in threads; one page at a time in this process.
_turn = Lock()


def page_images(pdf: bytes, *, width: int) -> list[bytes]:
    """Draw every page of a PDF as PNG, `width` pixels wide; the same bytes for the same PDF.

    Form fields, and so handwriting in signature boxes, are drawn too. Raises RenderError for a PDF
    that cannot be read or has more than 100 pages.
    """
    if not 0 < width <= _WIDEST:
        raise RenderError(f"a page is 1 to {_WIDEST} pixels wide")
    try:
        with _turn, pypdfium2.PdfDocument(pdf) as document:
            document.init_forms()
            if not 0 < len(document) <= _MOST_PAGES:
                raise RenderError(f"the document has more than {_MOST_PAGES} pages, or none")
            return [_draw(page, width) for page in document]
    except pypdfium2.PdfiumError as failure:
        raise RenderError("the document cannot be read as PDF") from failure


def _draw(page: pypdfium2.PdfPage, width: int) -> bytes:
    bitmap = page.render(scale=width / page.get_width(), may_draw_forms=True)
    picture = bitmap.to_pil().convert("RGB")
    output = io.BytesIO()
    picture.save(output, "PNG", optimize=False, compress_level=6)
    return output.getvalue()
