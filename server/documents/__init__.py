"""Paper: the power of attorney, the certificate volume, and their pages as pictures.

    render_document     委托书 from its facts, as PDF/A, with an empty field to sign in
    render_certificate  the volume: the document's pages, then the 公证书 with seal, handwriting, QR
    page_images         pages as PNG, the same bytes on every side of a session
    missing_glyphs      the characters of a text that cannot be printed, before anything is drawn

Facts are data (`facts` says which), templates are typst files in `templates/`, and every word a
lawyer may want to change stands there. This package knows no cases, no keys and no databases.
"""

from server.documents.errors import FactsError, GlyphsMissingError, RenderError
from server.documents.fonts import missing_glyphs, serif
from server.documents.mandate import render_document
from server.documents.pages import page_images
from server.documents.typeset import Attachment
from server.documents.volume import render_certificate

__all__ = [
    "Attachment",
    "FactsError",
    "GlyphsMissingError",
    "RenderError",
    "missing_glyphs",
    "page_images",
    "render_certificate",
    "render_document",
    "serif",
]
