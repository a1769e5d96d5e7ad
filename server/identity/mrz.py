"""Machine readable zones: ICAO Doc 9303 parts 3 to 6, TD3, TD2 and TD1, with composite digits.

Lines come from a text reader, which takes O for 0 and miscounts fillers. So fields are found by
type and position, digits are made digits where only digits may stand, and the only repair is of
characters that look alike, accepted if exactly one variant passes its check digit.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from server.identity.findings import Check, Field

_DIGITS = str.maketrans("OQDILZSBG", "000112586")
_LETTERS = str.maketrans("01258", "OIZSB")
# Pairs a reader really confuses in OCR-B. With more pairs, more would pass by chance: one in ten.
_ALIKE = dict(zip("0O1I", "O0I1", strict=True))
_FILLERS = str.maketrans(
    {"«": "<<", "《": "<<", "〈": "<", "＜": "<", "≤": "<", "く": "<", "(": "<"}
)
_D, _A = "[0-9OQDILZSBG]", "[A-Z0-9<]"
_SECOND = re.compile(
    rf"(?P<number>{_A}{{9}})(?P<number_check>{_D})(?P<nationality>[A-Z<0]{{3}})"
    rf"(?P<birth>{_D}{{6}})(?P<birth_check>{_D})(?P<sex>[MFX<])"
    rf"(?P<valid_to>{_D}{{6}})(?P<valid_to_check>{_D})(?P<rest>{_A}*)$"
)
_TD1_FIRST = re.compile(
    rf"(?P<type>[ACI1L][A-Z<])(?P<issuer>[A-Z0<]{{3}})(?P<number>{_A}{{9}})(?P<number_check>{_D}|<)"
    rf"(?P<optional>{_A}*)$"
)
_TD1_SECOND = re.compile(
    rf"(?P<birth>{_D}{{6}})(?P<birth_check>{_D})(?P<sex>[MFX<])(?P<valid_to>{_D}{{6}})"
    rf"(?P<valid_to_check>{_D})(?P<nationality>[A-Z0<]{{3}})(?P<rest>{_A}*)$"
)


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: format "TD1", "TD2" or "TD3", and its fields; see findings.DocumentReading."""

    format: str
    fields: Mapping[str, Field]


def check_digit(text: str) -> str:
    """Computes the check digit of ICAO 9303-3 4.9 (weights 7, 3, 1; filler counts 0)."""
    values = (int(c) if c.isdigit() else 0 if c == "<" else ord(c) - 55 for c in text)
    return str(sum(v * (7, 3, 1)[i % 3] for i, v in enumerate(values)) % 10)


def clean(line: str) -> str:
    """Keeps what a zone may hold: capitals, digits, fillers."""
    return re.sub(r"[^A-Z0-9<]", "", line.upper().translate(_FILLERS))


def parse(lines: Sequence[tuple[str, float]], *, today: date) -> Zone | None:
    """Reads a zone out of lines of (text, confidence), other lines among them; None: no zone.

    `today` settles the century of two-digit years.
    """
    cleaned = [(clean(text), confidence) for text, confidence in lines]
    cleaned = [(text, confidence) for text, confidence in cleaned if len(text) >= 14]
    for position, (text, confidence) in enumerate(cleaned):
        if len(text) >= 30 and (found := _SECOND.search(text)):
            before = [other for other in cleaned[:position] if other[0][:1] in "PIACV"][-1:]
            return _two_lines(found, confidence, before, today)
    first = next(
        ((m, c) for text, c in cleaned if len(text) >= 20 and (m := _TD1_FIRST.match(text))), None
    )
    second = next(
        ((m, c) for text, c in cleaned if len(text) >= 18 and (m := _TD1_SECOND.match(text))), None
    )
    if first and second:
        names = [(text, c) for text, c in cleaned if "<<" in text and not re.search(r"\d{6}", text)]
        return _three_lines(first, second, names[-1:], today)
    return None


def _two_lines(
    found: re.Match[str], confidence: float, before: list[tuple[str, float]], today: date
) -> Zone:
    first, first_confidence = before[0] if before else ("", 0.0)
    td3 = first.startswith("P") or len(found["rest"]) > 12
    size = 14 if td3 else 7
    rest = found["rest"]
    # The fillers before the last one (TD2) or two (TD3) characters are what readers miscount.
    tail = rest[-2:] if td3 else rest[-1:]
    optional = rest[: -len(tail)].rstrip("<")[:size].ljust(size, "<") if tail else "<" * size
    fields, composed = _common(found, confidence, today)
    composite = tail[-1:].translate(_DIGITS)
    end = optional + (_optional_check(tail[0], optional) if td3 and len(tail) == 2 else "")
    fields["composite"] = _checked(composite, composed + end, confidence)
    if td3 and optional.strip("<"):
        digit = tail[0].translate(_DIGITS) if len(tail) == 2 else ""
        fields["personal_number"] = _alike(optional, digit, confidence)
    if first:
        fields["issuer"] = Field(
            value=_nation(first[2:5]), check="none", confidence=first_confidence
        )
        fields["name"] = _name(first[5:], first_confidence)
    else:
        fields["name"] = Field(value="", check="unread", confidence=0.0)
    return Zone("TD3" if td3 else "TD2", fields)


def _three_lines(
    first: tuple[re.Match[str], float],
    second: tuple[re.Match[str], float],
    names: list[tuple[str, float]],
    today: date,
) -> Zone:
    top, top_confidence = first
    low, low_confidence = second
    number = _alike(top["number"], top["number_check"].translate(_DIGITS), top_confidence)
    optional = top["optional"].rstrip("<")[:15].ljust(15, "<")
    birth, born = _date(low, "birth", low_confidence, today=today, ahead=0)
    valid_to, valid = _date(low, "valid_to", low_confidence, today=today, ahead=60)
    rest = low["rest"]
    lower = rest[:-1].rstrip("<")[:11].ljust(11, "<")
    composed = number.value.ljust(9, "<") + top["number_check"].translate(_DIGITS) + optional
    composite = rest[-1:].translate(_DIGITS)
    fields = {
        "number": number,
        "birth": birth,
        "sex": _sex(low["sex"], low_confidence),
        "valid_to": valid_to,
        "nationality": Field(
            value=_nation(low["nationality"]), check="none", confidence=low_confidence
        ),
        "issuer": Field(value=_nation(top["issuer"]), check="none", confidence=top_confidence),
        "composite": _checked(composite, composed + born + valid + lower, low_confidence),
        "name": _name(*names[0]) if names else Field(value="", check="unread", confidence=0.0),
    }
    return Zone("TD1", fields)


def _common(found: re.Match[str], confidence: float, today: date) -> tuple[dict[str, Field], str]:
    number_check = found["number_check"].translate(_DIGITS)
    number = _alike(found["number"], number_check, confidence)
    birth, born = _date(found, "birth", confidence, today=today, ahead=0)
    valid_to, valid = _date(found, "valid_to", confidence, today=today, ahead=60)
    nation = _nation(found["nationality"])
    fields = {
        "number": number,
        "nationality": Field(value=nation, check="none", confidence=confidence),
        "birth": birth,
        "sex": _sex(found["sex"], confidence),
        "valid_to": valid_to,
    }
    return fields, number.value.ljust(9, "<") + number_check + born + valid


def _alike(text: str, digit: str, confidence: float) -> Field:
    """A field with its check digit; repaired if exactly one look-alike variant passes."""
    value = text.rstrip("<")
    if check_digit(text) == digit:
        return Field(value=value, check="ok", confidence=confidence)
    places = [i for i, c in enumerate(text) if c in _ALIKE][:6]
    passing = []
    for count in range(1, len(places) + 1):
        for chosen in itertools.combinations(places, count):
            variant = "".join(_ALIKE[c] if i in chosen else c for i, c in enumerate(text))
            if check_digit(variant) == digit:
                passing.append(variant)
    if len(passing) == 1:
        return Field(
            value=passing[0].rstrip("<"), check="ok", confidence=confidence, note="note.repaired"
        )
    if passing:
        return Field(value="", check="unread", confidence=confidence, note="note.ambiguous")
    return Field(value=value, check="failed", confidence=confidence, note="note.check_digit")


def _optional_check(printed: str, optional: str) -> str:
    """An empty personal number may carry a filler for its check digit (ICAO 9303-4 4.2.2.2)."""
    return printed if printed == "<" and not optional.strip("<") else printed.translate(_DIGITS)


def _checked(digit: str, content: str, confidence: float) -> Field:
    if not digit.isdigit():
        return Field(value="", check="unread", confidence=confidence)
    check: Check = "ok" if check_digit(content) == digit else "failed"
    note = "" if check == "ok" else "note.check_digit"
    return Field(value=digit, check=check, confidence=confidence, note=note)


def _date(
    found: re.Match[str], name: str, confidence: float, *, today: date, ahead: int
) -> tuple[Field, str]:
    """A six-digit date and its check digit; `ahead` is how many years it may lie in the future."""
    text, digit = found[name].translate(_DIGITS), found[f"{name}_check"].translate(_DIGITS)
    year = 2000 + int(text[:2])
    if year > today.year + ahead:
        year -= 100
    try:
        value = date(year, int(text[2:4]), int(text[4:])).isoformat()
    except ValueError:
        unread = Field(value="", check="unread", confidence=confidence, note="note.no_date")
        return unread, text + digit
    check: Check = "ok" if check_digit(text) == digit else "failed"
    note = "" if check == "ok" else "note.check_digit"
    return Field(value=value, check=check, confidence=confidence, note=note), text + digit


def _sex(printed: str, confidence: float) -> Field:
    value = {"M": "男", "F": "女"}.get(printed, "X")
    return Field(value=value, check="none", confidence=confidence)


def _nation(printed: str) -> str:
    return printed.translate(_LETTERS).rstrip("<")


def _name(printed: str, confidence: float) -> Field:
    family, _, given = printed.translate(_LETTERS).rstrip("<").partition("<<")
    words = " ".join(part for part in (family, given) if part).replace("<", " ")
    value = re.sub(r" +", " ", words).strip()
    return Field(value=value, check="none" if value else "unread", confidence=confidence)
