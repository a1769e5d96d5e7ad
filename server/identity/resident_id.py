"""What is printed on a Chinese resident ID card, parsed from lines a text reader found. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from server.identity import cn_id
from server.identity.findings import Check, Field
from server.identity.ocr import Line

_DIGIT_LIKE = str.maketrans("OoQDIlLBSZ", "0000111852")
_LIKE = "0-9OoQDIlLBSZ"
_NUMBER = re.compile(rf"[{_LIKE}]{{17}}[{_LIKE}Xx]")
_DAY = r"(\d{4})[.．。,，·]?(\d{2})[.．。,，·]?(\d{2})"
_PERIOD = re.compile(rf"{_DAY}[-—–一－~]*(?:(长期)|{_DAY})")
_BIRTH = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})")
_UNREAD = Field(value="", check="unread", confidence=0.0)


def front(lines: Sequence[Line]) -> dict[str, Field]:
    """Reads name, sex, ethnicity, birth, address and number; {} when this is no such card.

    Checks: the number by its check character, birth and sex against the number.
    """
    text = "".join(line.text for line in lines)
    marks = sum(mark in text for mark in ("姓名", "性别", "民族", "住址", "公民身份", "身份号码"))
    number = _number(lines)
    if marks < 2 and not (marks == 1 and number.value):
        return {}
    fields = dict.fromkeys(("name", "sex", "ethnicity", "birth", "address"), _UNREAD)
    for position, line in enumerate(lines):
        # 民族 shares a line with 性别; labels may be glued to their values or read as 姓 名.
        for name, pattern in (
            ("name", r"姓名[:：]?([\u3400-\u9fff·•A-Za-z]{1,24})"),
            ("sex", r"性别?[:：]?([男女])"),
            ("ethnicity", r"民族?[:：]?([\u4e00-\u9fff]{1,5})"),
        ):
            found = re.search(pattern, line.text)
            if found and not fields[name].value:
                value = found[1].replace("漢", "汉")  # the reader sees both forms of one word
                fields[name] = Field(value=value, check="none", confidence=line.confidence)
        if (born := _BIRTH.search(line.text)) and not fields["birth"].value:
            value = f"{born[1]}-{int(born[2]):02d}-{int(born[3]):02d}"
            fields["birth"] = Field(value=value, check="none", confidence=line.confidence)
        if "住址" in line.text and not fields["address"].value:
            fields["address"] = _address(lines, position)
    fields["number"] = number
    return _against_number(fields)


def back(lines: Sequence[Line]) -> dict[str, Field]:
    """Reads authority, valid_from and valid_to; {} when this is no such card."""
    text = "".join(line.text for line in lines)
    if not any(mark in text for mark in ("签发", "机关", "有效期", "居民身份证")):
        return {}
    fields = dict.fromkeys(("authority", "valid_from", "valid_to"), _UNREAD)
    for line in lines:
        if found := re.search(r"机关[:：]?([\u4e00-\u9fff]{4,20})", line.text):
            fields["authority"] = Field(value=found[1], check="none", confidence=line.confidence)
        if period := _PERIOD.search(line.text):
            start = "-".join(period.group(1, 2, 3))
            end = cn_id.LONG_TERM if period[4] else "-".join(period.group(5, 6, 7))
            fields["valid_from"] = _day(start, line.confidence)
            fields["valid_to"] = _day(end, line.confidence)
    return _period_against_itself(fields)


def _number(lines: Sequence[Line]) -> Field:
    best = _UNREAD
    for line in lines:
        for found in _NUMBER.finditer(line.text):
            value = found[0].upper().translate(_DIGIT_LIKE)
            if cn_id.adds_up(value):
                return Field(value=value, check="ok", confidence=line.confidence)
            best = Field(
                value=value, check="failed", confidence=line.confidence, note="note.check_digit"
            )
    return best


def _address(lines: Sequence[Line], start: int) -> Field:
    first = lines[start]
    value, confidence = first.text.split("住址", 1)[1].lstrip(":："), first.confidence
    for line in lines[start + 1 : start + 4]:
        if re.search(r"公民|身份|号码|\d{12}|SPECIMEN|样本", line.text):
            break
        value, confidence = value + line.text, min(confidence, line.confidence)
    return Field(value=value, check="none" if value else "unread", confidence=confidence)


def _against_number(fields: dict[str, Field]) -> dict[str, Field]:
    """Birth and sex are printed twice on the card; the two must say the same."""
    facts = cn_id.facts(fields["number"].value)
    if facts is None:
        return fields
    for name, said in (("birth", facts.birth.isoformat()), ("sex", facts.sex)):
        field = fields[name]
        if field.value:
            check: Check = "ok" if field.value == said else "failed"
            note = "" if check == "ok" else "note.differs_from_number"
            fields[name] = Field(
                value=field.value, check=check, confidence=field.confidence, note=note
            )
    return fields


def _day(text: str, confidence: float) -> Field:
    legible = text == cn_id.LONG_TERM or cn_id.parse_day(text) is not None
    if not legible:
        return Field(value="", check="unread", confidence=confidence, note="note.no_date")
    return Field(value=text, check="none", confidence=confidence)


def _period_against_itself(fields: dict[str, Field]) -> dict[str, Field]:
    start, end = fields["valid_from"], fields["valid_to"]
    first, last = cn_id.parse_day(start.value), cn_id.parse_day(end.value)
    if first is not None and (last is not None or end.value == cn_id.LONG_TERM):
        # The Act knows periods of 5, 10 and 20 years and for ever (art. 5).
        usual = last is None or _whole_years(first, last) in (5, 10, 20)
        check: Check = "ok" if usual else "failed"
        note = "" if usual else "note.unusual_period"
        for name, field in (("valid_from", start), ("valid_to", end)):
            fields[name] = Field(
                value=field.value, check=check, confidence=field.confidence, note=note
            )
    return fields


def _whole_years(first: date, last: date) -> int | None:
    same_day = (first.month, first.day) == (last.month, last.day)
    leap = (first.month, first.day) == (2, 29) and (last.month, last.day) in ((2, 28), (3, 1))
    return last.year - first.year if same_day or leap else None
