"""The session manifest: what happened in a session, as canonical JSON both parties sign.

It lists every event of the session with its ledger index and the salted commitments of its leaf,
the recorded segments with their digests, the gaps, the steps with their evidence, and the digests
of record and document. It holds names, so only its commitment goes into the ledger.
"""

import json
from collections.abc import Sequence
from typing import Any

from server.domain.case import Case
from server.domain.evidence import Gap
from server.domain.rules import RulePack
from server.domain.session import Session
from server.domain.steps import record_digest
from server.storage.outbox import WrittenEvent
from server.storage.recordings import SegmentRow

Json = dict[str, Any]


def session_manifest(
    case: Case,
    session: Session,
    *,
    pack: RulePack,
    events: Sequence[WrittenEvent],
    segments: Sequence[SegmentRow],
    gaps: Sequence[Gap],
    at: int,
) -> Json:
    """The manifest as the ninth step begins (recording goes on; the seal covers the rest)."""
    document = session.document
    signed = {each.act: each.result_sha256 for each in session.signings if each.done_at is not None}
    return {
        "v": 1,
        "kind": "session-manifest",
        "case": case.id,
        "session": session.id,
        "number": session.number,
        "linked_to": session.linked_to,
        "matter": case.matter,
        "rules_sha256": pack.sha256,
        "language": session.language,
        "opened_at": session.opened_at,
        "made_at": at,
        "notary": {
            "id": session.notary.id,
            "name": session.notary.name_zh,
            "licence": session.notary.licence,
        },
        "applicant": {"id": session.applicant, "name": session.applicant_name},
        "steps": [
            {
                "number": run.number,
                "key": run.key,
                "state": run.state,
                "started_at": run.started_at,
                "completed_at": run.completed_at,
            }
            for run in session.steps
        ],
        "evidence": [
            {
                "key": mark.key,
                "at": mark.at,
                "event": mark.event,
                "unavailable": mark.unavailable,
            }
            for mark in session.marks
        ],
        "segments": [
            {
                "participant": row.segment.participant,
                "take": row.segment.take,
                "number": row.segment.number,
                "start_at": row.segment.start_at,
                "end_at": row.segment.end_at,
                "sha256": row.segment.plaintext_sha256,
                "chain": row.segment.chain,
                "event": row.event,
            }
            for row in segments
        ],
        "gaps": [
            {
                "participant": gap.participant,
                "take": gap.take,
                "kind": gap.kind,
                "start_at": gap.start_at,
                "end_at": gap.end_at,
            }
            for gap in gaps
        ],
        "record": {
            "sha256": record_digest(session),
            "lines": len(session.record),
            "signed_sha256": signed.get("record"),
        },
        "document": {
            "sha256": document.sha256 if document else None,
            "pages": list(document.page_sha256) if document else [],
            "signed_sha256": signed.get("document"),
        },
        "events": [
            {
                "event": event.id,
                "kind": event.kind,
                "at": event.at,
                "index": event.index,
                "leaf_hash": event.leaf_hash,
                "items": json.loads(event.body)["items"],
            }
            for event in events
            if event.index is not None
        ],
        "counts": {
            "events": sum(event.index is not None for event in events),
            "segments": len(segments),
            "gaps": len(gaps),
            "lines": len(session.record),
        },
    }
