"""Matters as JSON: what the finder, the form and the session pages need of a rule pack."""

from collections.abc import Iterable, Mapping
from typing import Any

from server.domain.rules import LANGUAGES, Option, RulePack

Json = dict[str, Any]


def matter_summary(pack: RulePack) -> Json:
    """One matter in the list."""
    return {
        "id": pack.id,
        "title": dict(pack.title),
        "summary": dict(pack.summary),
        "fee_yuan": pack.fee_yuan,
        "minutes": pack.minutes,
        "remote": {
            "allowed": pack.remote_allowed,
            "not_for": [dict(each) for each in pack.not_for],
            "instead": dict(pack.instead),
        },
    }


def matter_view(pack: RulePack) -> Json:
    """One matter with everything its pages need."""
    return {
        **matter_summary(pack),
        "fields": [
            {
                "key": field.key,
                "kind": field.kind,
                "label": dict(field.label),
                "desk_label": dict(field.desk_label),
                "help": dict(field.help),
                "required": field.required,
                "options": _options(field.options),
                "section": field.section,
            }
            for field in pack.fields
        ],
        "papers": [
            {
                "kind": paper.kind,
                "label": dict(paper.label),
                "help": dict(paper.help),
                "required": paper.required,
            }
            for paper in pack.papers
        ],
        "consents": [
            {
                "id": consent.id,
                "title": dict(consent.title),
                "text": dict(consent.text),
                "refusal": dict(consent.refusal),
                "required": consent.required,
                "text_sha256": {each: consent.text_sha256(each) for each in LANGUAGES},
            }
            for consent in pack.consents
        ],
        "finder": [
            {
                "key": question.key,
                "question": dict(question.text),
                "options": _options(question.options),
            }
            for question in pack.finder
        ],
        "questions": [{"key": each.key, "text": dict(each.text)} for each in pack.questions],
        "explanation": dict(pack.explanation),
        "steps": [
            {
                "number": step.number,
                "key": step.key,
                "title": dict(step.title),
                "applicant_line": dict(step.instruction),
            }
            for step in pack.steps
        ],
        "grace_ms": pack.grace_ms,
    }


def matters_view(packs: Mapping[str, RulePack]) -> Json:
    """Every matter."""
    return {"matters": [matter_summary(pack) for pack in packs.values()]}


def _options(options: Iterable[Option]) -> list[Json]:
    return [
        {"value": each.value, "label": dict(each.label)}
        | ({"outcome": each.outcome} if each.outcome else {})
        for each in options
    ]
