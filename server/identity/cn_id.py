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


def in_validity(valid_from: str, valid_to: str, *, today: date) -> bool | None:
    """Says whether `today` lies in the printed period (ISO days, `valid_to` may be 长期).

    None when either end cannot be read.
    """
    start = parse_day(valid_from)
    if start is None:
        return None
    if valid_to == LONG_TERM:
        return start <= today
    end = parse_day(valid_to)
    return None if end is None else start <= today <= end


def period_fits_age(birth: date, valid_from: date, valid_to: str) -> bool:
    """Says whether the period is one the Resident ID Card Act art. 5 knows for that age.

    Under 16: 5 years; 16 to 25: 10; 26 to 45: 20; from 46: long term. The day of application is
    not printed, so the age on the first day of validity stands for it, with a year's slack.
    """
    months = (valid_from.year - birth.year) * 12 + valid_from.month - birth.month
    ages = {max(0, months - 12) // 12, max(0, months) // 12}
    wanted = {5 if age < 16 else 10 if age <= 25 else 20 if age <= 45 else 0 for age in ages}
    if valid_to == LONG_TERM:
        return 0 in wanted
    end = parse_day(valid_to)
    return end is not None and end.year - valid_from.year in wanted
