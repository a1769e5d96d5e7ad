"""The interview record 询问笔录: lines as spoken, corrections and disputes with their time.

A line is never changed or removed: a correction stands beside it. The final form is canonical JSON,
so its digest is what the applicant signs.
"""

from dataclasses import dataclass, replace
from typing import Literal

from server.domain.errors import DomainError

LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Correction:
    """What a line should say, and when that was noted."""

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who spoke, to which template question (or none), when (ms UTC)."""

    number: int
    who: Literal["notary", "applicant"]
    key: str | None
    text: str
    at: int
    corrections: tuple[Correction, ...] = ()
    disputed: Correction | None = None

    @property
    def is_disputed(self) -> bool:
        """Whether the applicant said it is wrong and nothing has been corrected since."""
        if self.disputed is None:
            return False
        return not any(each.at >= self.disputed.at for each in self.corrections)


Record = tuple[Line, ...]


def add(record: Record, *, who: str, key: str | None, text: str, at: int) -> Record:
    """The record with one more line."""
    line = Line(
        number=len(record) + 1,
        who="applicant" if who == "applicant" else "notary",
        key=key,
        text=_text(text),
        at=at,
    )
    return (*record, line)


def correct(record: Record, *, number: int, text: str, at: int) -> Record:
    """The record with a correction beside a line; refuses `record-line-unknown`."""
    line = _line(record, number)
    return _with(
        record, replace(line, corrections=(*line.corrections, Correction(_text(text), at)))
    )


def dispute(record: Record, *, number: int, text: str, at: int) -> Record:
    """The record with the applicant's "this line is wrong" beside a line."""
    line = _line(record, number)
    return _with(record, replace(line, disputed=Correction(text.strip()[:LONGEST], at)))


def final_form(record: Record, *, opened_at: int) -> list[dict[str, object]]:
    """The record as plain values, times as offsets (ms) from the opening of the session."""
    return [
        {
            "number": line.number,
            "who": line.who,
            "key": line.key,
            "text": line.text,
            "offset_ms": line.at - opened_at,
            "corrected": [
                {"text": each.text, "offset_ms": each.at - opened_at} for each in line.corrections
            ],
            "disputed": line.disputed.text if line.disputed else None,
        }
        for line in record
    ]


def _text(text: str) -> str:
    kept = text.encode("utf-8", "replace").decode("utf-8").strip()[:LONGEST]
    if not kept:
        raise DomainError("field-required", field="text")
    return kept


def _line(record: Record, number: int) -> Line:
    if not 1 <= number <= len(record):
        raise DomainError("record-line-unknown", number=number)
    return record[number - 1]


def _with(record: Record, line: Line) -> Record:
    return (*record[: line.number - 1], line, *record[line.number :])
