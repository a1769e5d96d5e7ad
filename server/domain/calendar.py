"""The office's days: its time zone, and which days are working days (data: rules/calendar.toml)."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

BUILT_IN = Path(__file__).parent / "rules" / "calendar.toml"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days and the day a moment falls on. Offsets in minutes east of UTC."""

    utc_offset_minutes: int
    weekend: frozenset[int]
    holidays: frozenset[date]
    workdays: frozenset[date]

    def day(self, at: int) -> date:
        """The office's day of a moment (ms UTC)."""
        zone = timezone(timedelta(minutes=self.utc_offset_minutes))
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()

    def is_working(self, day: date) -> bool:
        """Whether the office works that day."""
        if day in self.workdays:
            return True
        return day.weekday() not in self.weekend and day not in self.holidays

    def working_days_after(self, start: date, end: date) -> int:
        """Working days later than `start` up to and including `end`; 0 when end is not later."""
        return sum(
            self.is_working(start + timedelta(days=offset))
            for offset in range(1, (end - start).days + 1)
        )


def load_calendar(path: Path = BUILT_IN) -> Calendar:
    """Read a calendar; `ValueError` when it cannot be read as one."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))

    def days(values: Iterable[str]) -> frozenset[date]:
        return frozenset(date.fromisoformat(value) for value in values)

    return Calendar(
        utc_offset_minutes=int(data["utc_offset_minutes"]),
        weekend=frozenset(data["weekend"]),
        holidays=days(data["holidays"]),
        workdays=days(data["workdays"]),
    )
