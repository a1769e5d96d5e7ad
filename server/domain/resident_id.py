"""Numbers of identity documents: what their digits promise, and nothing more.

GB 11643: 17 digits and a check character (ISO 7064 MOD 11-2). A right check digit says that the
number was copied well, not that the card is genuine.
"""

import re
from datetime import date

from server.domain.errors import DomainError

_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")
_PASSPORT = re.compile(r"[A-Z0-9]{6,9}")
_CHECK = "10X98765432"


def check_character(digits: str) -> str:
    """The 18th character for 17 digits (GB 11643, ISO 7064 MOD 11-2). ValueError unless 17."""
    if not re.fullmatch(r"[0-9]{17}", digits):
        raise ValueError("seventeen digits are needed")
    total = sum(int(digit) * (1 << (17 - place)) for place, digit in enumerate(digits))
    return _CHECK[total % 11]


def require_resident_id(number: str) -> date:
    """The birth date a resident identity number states; refuses `id-number-*`."""
    if not _SHAPE.fullmatch(number):
        raise DomainError("id-number-shape", length=len(number))
    if check_character(number[:17]) != number[17]:
        raise DomainError("id-number-check-digit")
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise DomainError("id-number-birth-date") from None


def require_passport_number(number: str) -> None:
    """Refuses `passport-number-shape`; a passport number alone carries no check digit."""
    if not _PASSPORT.fullmatch(number):
        raise DomainError("passport-number-shape")


def age_on(born: date, day: date) -> int:
    """Completed years of life on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
