"""Dates as the two languages of a certificate write them."""

from datetime import date

_DIGITS = "〇一二三四五六七八九"
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def chinese_date(day: date) -> str:
    """Write a date in Chinese numerals: 二〇二六年十一月二十三日."""
    year = "".join(_DIGITS[int(digit)] for digit in f"{day.year:04d}")
    return f"{year}年{_count(day.month)}月{_count(day.day)}日"


def english_date(day: date) -> str:
    """Write a date in English, the month in words: 23 November 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def written_date(day: date, *, language: str) -> str:
    """Write a date in the given language ("zh-CN" or "en")."""
    return chinese_date(day) if language == "zh-CN" else english_date(day)


def _count(number: int) -> str:
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十"
    return head + (_DIGITS[ones] if ones else "")
