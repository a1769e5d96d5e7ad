"""What the approver sees: each claim with its interval, record lines, evidence and gaps."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.domain.case import Claim
from server.domain.evidence import Gap
from server.domain.rules import ClaimRule, RulePack
from server.domain.session import Session, needed_now
from server.services.session_view import gap_view, record_view
from server.storage.recordings import TakeRow

Json = dict[str, Any]


def review_view(
    *,
    case: Json,
    claims: Sequence[Claim],
    session: Session,
    pack: RulePack,
    takes: Sequence[TakeRow],
    segments: int,
    gaps: Sequence[Gap],
    indexes: Mapping[str, int],
    draft: Json,
    language: str,
) -> Json:
    """The approver's file of one case."""
    ended = session.closed_at or session.opened_at
    shown = [gap_view(gap, opened_at=session.opened_at) for gap in gaps]
    return {
        "case": case,
        "claims": [
            _claim(claim, rule, session, pack, shown, indexes, language)
            for claim, rule in zip(claims, pack.claims, strict=True)
        ],
        "session": {
            "id": session.id,
            "number": session.number,
            "linked_to": session.linked_to,
            "started_at": session.opened_at,
            "duration_ms": ended - session.opened_at,
            "segments": segments,
            "gaps": shown,
            "flagged": bool(session.flags),
            "steps": [
                {
                    "number": run.number,
                    "key": run.key,
                    "title": pack.step(run.number).title[language],
                    "state": run.state,
                    "started_at": run.started_at,
                    "completed_at": run.completed_at,
                    "from_ms": (run.started_at or ended) - session.opened_at,
                    "to_ms": (run.completed_at or ended) - session.opened_at,
                }
                for run in session.steps
            ],
        },
        "recordings": [
            {
                "participant": take.participant,
                "role": take.participant,
                "take": take.take,
                "url": f"/api/recordings/{session.id}/{take.participant}/{take.take}.webm",
                "offset_ms": take.started_at - session.opened_at,
            }
            for take in takes
        ],
        "record": record_view(session),
        "draft": draft,
    }


def _claim(
    claim: Claim,
    rule: ClaimRule,
    session: Session,
    pack: RulePack,
    gaps: Sequence[Json],
    indexes: Mapping[str, int],
    language: str,
) -> Json:
    runs = [run for run in session.steps if run.key in rule.steps]
    ended = session.closed_at or session.opened_at
    since = min((run.started_at or ended) for run in runs) - session.opened_at
    until = max((run.completed_at or ended) for run in runs) - session.opened_at
    titles = {
        each.key: each.title[language]
        for run in runs
        for each in needed_now(session, pack, run.number)
    }
    return {
        "number": claim.number,
        "key": claim.key,
        "title": rule.title[language],
        "interval": [since, until],
        "basis": rule.basis[language],
        "verdict": claim.verdict,
        "reason": claim.reason,
        "record_lines": [
            line for line in record_view(session) if since <= line["offset_ms"] <= until
        ],
        "evidence": [
            {
                "key": mark.key,
                "title": titles.get(mark.key, mark.key),
                "at": mark.at,
                "offset_ms": mark.at - session.opened_at,
                "index": indexes.get(mark.event),
                "unavailable": mark.unavailable,
                "detail": mark.words,
            }
            for mark in session.marks
            if mark.key in rule.evidence
        ],
        "gaps": [gap for gap in gaps if gap["from_ms"] <= until and gap["to_ms"] >= since],
    }
