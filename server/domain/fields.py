"""One field of a form: what may stand in it, and what is wrong with what does.

A value with a problem is kept and told, never thrown away (a wrong check digit is often a typing
error seen only later); only `submit` insists.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from server.domain.errors import DomainError
from server.domain.resident_id import age_on, require_passport_number, require_resident_id
from server.domain.rules import Field, RulePack

_PHONE = re.compile(r"1[0-9]{10}")
_LONGEST = {"text": 200, "name": 60, "id_number": 18, "phone": 11, "date": 10, "textarea": 2000}
_NUMBERS = ("id_number", "phone", "date")
_UNSEEN = ("Cc", "Cf")  # Unicode's control characters and format characters (marks of direction)
FormValue = str | bool | tuple[str, ...]
MissingGlyphs = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field, as a code of `errors.CODES` and its parameters."""

    code: str
    params: Mapping[str, object]


def clean(field: Field, value: object) -> FormValue:
    """The value as it is kept: trimmed, typed; refuses `field-type` and `field-too-long`."""
    if field.kind == "bool":
        if not isinstance(value, bool):
            raise DomainError("field-type", field=field.key)
        return value
    if field.kind == "multi":
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise DomainError("field-type", field=field.key)
        return tuple(dict.fromkeys(str(each)[:60] for each in value))[:50]
    if not isinstance(value, str):
        raise DomainError("field-type", field=field.key)
    text = _visible(value, lines=field.kind == "textarea").strip()
    if field.kind in _NUMBERS:  # as Chinese keyboards and copied cards write them: １１０ 101
        text = "".join(unicodedata.normalize("NFKC", text).split())
    longest = _LONGEST.get(field.kind, 200)
    if len(text) > longest:
        raise DomainError("field-too-long", field=field.key, longest=longest)
    return text.upper() if field.kind == "id_number" else text


def _visible(value: str, *, lines: bool) -> str:
    """What of a text can be seen: nobody could find, or mean, a mark that turns a name around.

    Only where there are `lines` do line ends stay; any other white space is a space.
    """
    # a lone surrogate has no UTF-8 form, so it could never be stored, drawn or digested
    text = value.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    spaced = (" " if each.isspace() and not (lines and each == "\n") else each for each in text)
    kept = (each for each in spaced if each == "\n" or unicodedata.category(each) not in _UNSEEN)
    return "".join(kept)


def glyph_missing(characters: Sequence[str]) -> DomainError:
    """The refusal of characters no font has, each by itself and by its code point: what cannot be
    printed may not be shown on a screen either."""
    named = [f"{each} (U+{ord(each):04X})" for each in characters]
    return DomainError("glyph-missing", glyphs="".join(characters), named=named)


def problems(
    pack: RulePack, form: Mapping[str, FormValue], *, day: date, missing_glyphs: MissingGlyphs
) -> dict[str, Problem]:
    """What is wrong with the filled fields of a form on a day, by field key."""
    found: dict[str, Problem] = {}
    for field in pack.fields:
        value = form.get(field.key)
        if value in (None, "", ()):
            continue
        try:
            _check(field, value, form=form, day=day)
            if isinstance(value, str) and (missing := missing_glyphs(value)):
                raise glyph_missing(missing)
        except DomainError as error:
            found[field.key] = Problem(error.code, error.params)
    return found


def unfilled(pack: RulePack, form: Mapping[str, FormValue]) -> tuple[str, ...]:
    """Keys of required fields that are empty."""
    return tuple(
        field.key
        for field in pack.fields
        if field.required and form.get(field.key) in (None, "", ())
    )


def _check(field: Field, value: FormValue, *, form: Mapping[str, FormValue], day: date) -> None:
    known = {option.value for option in field.options}
    if field.kind == "choice" and value not in known:
        raise DomainError("field-choice-unknown")
    if field.kind == "multi" and not set(value if isinstance(value, tuple) else ()) <= known:
        raise DomainError("field-choice-unknown")
    if field.kind == "phone" and not _PHONE.fullmatch(str(value)):
        raise DomainError("field-phone-invalid")
    if field.kind == "date":
        try:
            until = date.fromisoformat(str(value))
        except ValueError:
            raise DomainError("field-date-invalid") from None
        if until < day:
            raise DomainError("field-date-past", day=day.isoformat())
    if field.kind == "id_number":
        _check_number(field, str(value), form=form, day=day)


def _check_number(field: Field, number: str, *, form: Mapping[str, FormValue], day: date) -> None:
    applicant = field.key == "document_number"
    if applicant and form.get("document_type") == "passport":
        require_passport_number(number)
        return
    if not applicant and len(number) <= 9:
        require_passport_number(number)  # the attorney may hold either document
        return
    born = require_resident_id(number)
    if born > day:
        raise DomainError("id-number-birth-date")
    if applicant and age_on(born, day) < 18:
        raise DomainError("applicant-under-age")
