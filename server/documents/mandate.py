"""The power of attorney 委托书 that the applicant reads and signs."""

from collections.abc import Mapping
from typing import Any

from server.documents.boxes import place_fields
from server.documents.facts import DocumentFacts, Language, as_data, iso_date
from server.documents.typeset import typeset

# signing.pades looks for this field.
APPLICANT_FIELD = "ApplicantSig"
_LABELS: dict[Language, str] = {"zh-CN": "委托人签名", "en": "Signature of the principal"}


def render_document(facts: Mapping[str, Any], *, language: Language, specimen: bool) -> bytes:
    """Draw the power of attorney (PDF/A-2a) with an empty field where the applicant signs.

    The same facts give the same bytes. Raises FactsError, GlyphsMissingError or RenderError.
    """
    parsed = DocumentFacts.parse(facts, language=language)
    data = {"language": language, "specimen": specimen, "document": as_data(parsed)}
    drawn = typeset("document", data, images={}, day=iso_date(facts, "signed_on"), standard="a-2a")
    return place_fields(drawn.pdf, drawn.boxes, labels={APPLICANT_FIELD: _LABELS[language]})
