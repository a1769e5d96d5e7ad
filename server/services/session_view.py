"""A session as JSON, filtered by role: the applicant sees no opinions, no findings, no flags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.domain.evidence import Gap
from server.domain.participant import SessionRole
from server.domain.rules import RulePack
from server.domain.session import Session, SessionState, needed_now
from server.storage.findings import FindingRow
from server.storage.outbox import AnchorState

Json = dict[str, Any]
Presence = Callable[[str], Mapping[str, Mapping[str, Any]]]
"""Session id -> role -> {connected, take, quality}: what the live room knows now."""
Say = Callable[[str, Mapping[str, Any], str], str]
"""(text key, detail, language) -> a finding's sentence."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Everything a view is made of, read in one go."""

    session: Session
    pack: RulePack
    anchors: AnchorState
    indexes: Mapping[str, int]
    segments: int
    gaps: Sequence[Gap]
    findings: Sequence[FindingRow]
    presence: Mapping[str, Mapping[str, Any]]
    failed: str | None
    fingerprint: tuple[str, ...]
    say: Say
    now: int


def session_view(facts: SessionFacts, *, role: SessionRole, language: str) -> Json:
    """The SessionView of the API."""
    session, pack = facts.session, facts.pack
    return {
        "id": session.id,
        "case_id": session.case_id,
        "number": session.number,
        "linked_to": session.linked_to,
        "state": session.state.value,
        "role": role,
        "started_at": session.opened_at,
        "elapsed_ms": (session.closed_at or facts.now) - session.opened_at,
        "language": session.language,
        "steps": [_step(facts, number, language) for number in range(1, 10)],
        "step": session.step,
        "instruction": {
            "title": pack.step(session.step).title[language],
            "detail": session.instruction or pack.step(session.step).instruction[language],
        },
        "participants": _participants(facts, language),
        "recording": {
            "on": session.state is SessionState.OPEN and facts.segments > 0,
            "segments": facts.segments,
            "gaps": [gap_view(gap, opened_at=session.opened_at) for gap in facts.gaps],
            "failed": facts.failed,
        },
        "anchored": {
            "index": facts.anchors.index,
            "leaf_hash": facts.anchors.leaf_hash,
            "pending": facts.anchors.pending,
        },
        "fingerprint": list(facts.fingerprint),
        "opening_words": list(session.opening_words) or None,
        "not_before": False,
        "record": record_view(session),
        "explanation": {
            "text": pack.explanation[session.language],
            "sha256": pack.explanation_sha256(session.language),
        }
        if session.step >= 4
        else None,
        "document": _document(session),
        "signing": _signing(session),
        "identity": _identity(facts, language) if role == "notary" else None,
        "flagged": bool(session.flags) if role == "notary" else None,
        "grace_ends_at": session.grace_ends_at,
        "replaced_by": session.replaced_by,
        "reason": session.reason or None,
    }


def record_view(session: Session) -> list[Json]:
    """The interview record with offsets from the opening."""
    return [
        {
            "number": line.number,
            "who": line.who,
            "key": line.key,
            "text": line.text,
            "at": line.at,
            "offset_ms": line.at - session.opened_at,
            "corrected": [{"text": each.text, "at": each.at} for each in line.corrections],
            "disputed": line.disputed.text if line.disputed else None,
        }
        for line in session.record
    ]


def gap_view(gap: Gap, *, opened_at: int) -> Json:
    """A gap, as an interval from the opening of the session (ms)."""
    return {
        "from_ms": gap.start_at - opened_at,
        "to_ms": gap.end_at - opened_at,
        "kind": gap.kind,
        "participant": gap.participant,
        "detail": dict(gap.detail),
    }


def _step(facts: SessionFacts, number: int, language: str) -> Json:
    session = facts.session
    run = session.steps[number - 1]
    evidence = []
    for each in needed_now(session, facts.pack, number):
        mark = session.marked(each.key)
        evidence.append(
            {
                "key": each.key,
                "by": each.by,
                "title": each.title[language],
                "done": mark is not None,
                "unavailable": mark.unavailable if mark else False,
                "index": facts.indexes.get(mark.event) if mark else None,
                "detail": mark.words if mark else "",
            }
        )
    current = number == session.step and session.state is not SessionState.CLOSED
    return {
        "number": number,
        "key": run.key,
        "title": facts.pack.step(number).title[language],
        "state": run.state,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "evidence": evidence,
        "missing": [e["title"] for e in evidence if not e["done"]] if current else [],
    }


def _participants(facts: SessionFacts, language: str) -> list[Json]:
    session = facts.session
    people = (
        ("notary", session.notary.id, session.notary.name(language)),
        ("applicant", session.applicant, session.applicant_name),
    )
    silent: Json = {"connected": False, "take": None, "picture": True, "quality": None}
    return [
        {"id": person, "role": role, "name": name} | silent | dict(facts.presence.get(role, {}))
        for role, person, name in people
    ]


def _document(session: Session) -> Json | None:
    document = session.document
    if document is None:
        return None
    return {
        "pages": len(document.page_sha256),
        "page": session.page,
        "sha256": document.sha256,
        "page_sha256": list(document.page_sha256),
    }


def _signing(session: Session) -> Json | None:
    waiting = next((each for each in reversed(session.signings) if each.done_at is None), None)
    if waiting is None:
        return None
    return {"act": waiting.act, "id": waiting.id, "content_sha256": waiting.content_sha256}


def _sentence(say: Say, hint: Json, language: str) -> str:
    """A hint in the reader's language; one kept before its numbers were has only its sentence."""
    if "detail" not in hint:
        return str(hint["text"])
    return say(hint["text_key"], hint["detail"], language)


def _identity(facts: SessionFacts, language: str) -> Json:
    session = facts.session
    pictures = f"/api/sessions/{session.id}/pictures/"

    def url(picture: str | None) -> str | None:
        return pictures + picture if picture else None

    newest: dict[str, Json] = {}
    comparison, live = None, None
    hints = []
    for row in facts.findings:
        body = row.body
        if row.sort == "reading":
            newest[body["side"]] = {
                "side": body["side"],
                "kind": body["kind"],
                "unavailable": body["unavailable"],
                "fields": body["fields"],
                "crop_url": url(body["crop"]),
                "portrait_url": url(body["portrait"]),
            }
        elif row.sort == "comparison":
            comparison = {
                "score": body["score"],
                "band": body["band"],
                "unavailable": body["unavailable"],
            }
            live = url(body["picture"]) or live
        elif row.sort == "face":
            live = url(body["picture"])
        elif row.sort == "hint":
            hints.append(
                {
                    "id": row.id,
                    "kind": body["kind"],
                    "level": body["level"],
                    "text": _sentence(facts.say, body, language),
                    "text_key": body["text_key"],
                    "at": row.at,
                    "offset_ms": row.at - session.opened_at,
                    "score": body["score"],
                    "threshold": body["threshold"],
                    "picture_url": url(body["picture"]),
                }
            )
    decision = session.decision
    return {
        "readings": list(newest.values()),
        "comparison": comparison,
        "live_url": live,
        "findings": hints,
        "registry": dict(session.registry) if session.registry else None,
        "decision": {"accepted": decision.accepted, "reason": decision.reason, "at": decision.at}
        if decision
        else None,
    }
