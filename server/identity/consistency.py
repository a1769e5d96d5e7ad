"""What a document's fields say together: findings about checks, periods and what was not read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from server.identity import cn_id
from server.identity.findings import Detail, Field, Finding, Level


def judge(fields: Mapping[str, Field], *, crop: bytes, today: date, at: int) -> tuple[Finding, ...]:
    """Lists what the notary should look at in one side's fields; `crop` is the evidence.

    "problem" for a check that does not hold or a period that is over, "attention" for fields that
    could not be read, "info" when every check that there is holds. None of them rejects anybody.
    """
    said: list[tuple[Level, str, Detail]] = []
    number = fields.get("number")
    if number is not None and number.check == "failed":
        key = "document.number_check" if "address" in fields else "document.zone_check"
        said.append(("problem", key, {"number": number.value}))
    for name in ("birth", "sex"):
        if (field := fields.get(name)) is not None and field.check == "failed":
            key = "document.differs_from_number" if "address" in fields else "document.zone_check"
            said.append(("problem", key, {"field": name, "value": field.value}))
    if any(_failed(fields.get(name)) for name in ("composite", "personal_number")):
        said.append(("problem", "document.zone_check", {"field": "composite"}))
    said.extend(_period(fields, today))
    repaired = sorted(name for name, field in fields.items() if field.note == "note.repaired")
    if repaired:
        said.append(("attention", "document.repaired", {"fields": ", ".join(repaired)}))
    unread = sorted(name for name, field in fields.items() if field.check == "unread")
    if unread:
        said.append(("attention", "document.unread", {"fields": ", ".join(unread)}))
    if not said:
        said.append(("info", "document.consistent", {}))
    return tuple(
        Finding(
            kind="document", level=level, text_key=key, at=at, detail=detail,
            evidence={"document": crop},
        )
        for level, key, detail in said
    )  # fmt: skip


def _failed(field: Field | None) -> bool:
    return field is not None and field.check == "failed"


def _period(fields: Mapping[str, Field], today: date) -> list[tuple[Level, str, Detail]]:
    start, end = fields.get("valid_from"), fields.get("valid_to")
    if end is None or not end.value:
        return []
    if _failed(end) and start is not None:
        value = f"{start.value} - {end.value}"
        return [("attention", "document.unusual_period", {"value": value})]
    last = cn_id.parse_day(end.value)
    if last is not None and last < today:
        return [("problem", "document.expired", {"value": end.value})]
    first = cn_id.parse_day(start.value) if start is not None else None
    if first is not None and first > today:
        return [("problem", "document.not_yet_valid", {"value": first.isoformat()})]
    return []
