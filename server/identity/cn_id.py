"""What the number of a Chinese resident ID card says of its holder (GB 11643-1999).

Seventeen digits (region 6, birth 8, sequence 3) and a check character, whose rule is the domain's.
A number that adds up is consistent with itself; whether such a card was issued only the registry
knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from server.domain.resident_id import check_character

LONG_TERM = "长期"


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What a well-formed number says of its holder; `sex` is 男 or 女."""

    region: str
    birth: date
    sex: str


def adds_up(number: str) -> bool:
    """Says whether the check character fits the other seventeen."""
    return bool(re.fullmatch(r"[0-9]{17}[0-9X]", number)) and (
        check_character(number[:17]) == number[17]
    )


def facts(number: str) -> NumberFacts | None:
    """Reads region, birth and sex out of a number of the right shape; None when it has not, or when
    the birth date is no date. Does not ask for the check character."""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return None
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return NumberFacts(number[:6], birth, "男" if int(number[16]) % 2 else "女")


def parse_day(text: str) -> date | None:
    """Reads an ISO day; None for anything else, 长期 included."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
