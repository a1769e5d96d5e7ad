"""A case as JSON for its applicant, and the queue's line and the desk's parts for the office."""

from collections.abc import Mapping
from typing import Any

from server.domain import application
from server.domain import case as cases
from server.domain.case import Case, CaseState, Clock
from server.domain.fields import MissingGlyphs, Problem, problems, unfilled
from server.domain.handling import may_read
from server.domain.participant import Staff
from server.domain.rules import RulePack
from server.domain.session import Session
from server.services.workplace import Workplace
from server.storage.outbox import AnchorState

Json = dict[str, Any]
S = CaseState
_STAGES = ("apply", "check", "session", "approve", "deliver")
_STAGE_OF = {
    S.DRAFT: 0, S.SUBMITTED: 1, S.PRECHECK: 1, S.SUPPLEMENT: 1, S.ACCEPTED: 1, S.INFORMED: 2,
    S.SCHEDULED: 2, S.WAITING: 2, S.IN_SESSION: 2, S.CLOSED: 3, S.SEALED: 3, S.REVIEW: 3,
    S.DRAFTED: 3, S.PENDING_APPROVAL: 3, S.RETURNED: 3, S.APPROVED: 4, S.ISSUED: 4,
    S.DELIVERED: 5, S.ARCHIVED: 5, S.REVOKED: 5,
}  # fmt: skip
_NEXT: Mapping[CaseState, tuple[str, str | None]] = {
    S.DRAFT: ("fill", "form"),
    S.SUBMITTED: ("wait-check", None),
    S.PRECHECK: ("wait-check", None),
    S.SUPPLEMENT: ("supplement", "form"),
    S.ACCEPTED: ("consent", "consents"),
    S.INFORMED: ("book", "booking"),
    S.SCHEDULED: ("device", "device"),
    S.WAITING: ("wait-notary", "waiting"),
    S.IN_SESSION: ("session", "session"),
    S.CLOSED: ("wait-seal", "done"),
    S.SEALED: ("wait-approve", "done"),
    S.REVIEW: ("wait-approve", "done"),
    S.DRAFTED: ("wait-approve", "done"),
    S.PENDING_APPROVAL: ("wait-approve", "done"),
    S.RETURNED: ("wait-approve", "done"),
    S.APPROVED: ("wait-issue", None),
    S.ISSUED: ("wait-issue", None),
    S.DELIVERED: ("done", "certificate"),
    S.ARCHIVED: ("done", "certificate"),
}
_DESK_NEXT = {
    S.DRAFT: "wait-applicant",
    S.SUBMITTED: "precheck", S.PRECHECK: "accept", S.SUPPLEMENT: "wait-applicant",
    S.ACCEPTED: "wait-applicant", S.INFORMED: "wait-applicant", S.SCHEDULED: "wait-applicant",
    S.WAITING: "open", S.IN_SESSION: "continue", S.CLOSED: "wait-seal", S.SEALED: "draft",
    S.REVIEW: "draft", S.DRAFTED: "certify", S.PENDING_APPROVAL: "approve", S.RETURNED: "draft",
    S.APPROVED: "wait-issue", S.ISSUED: "wait-issue",
}  # fmt: skip
_ACTIONS: Mapping[CaseState, tuple[str, ...]] = {
    S.SUBMITTED: ("precheck",),
    S.PRECHECK: ("accept", "decline", "supplement"),
    S.ACCEPTED: ("refuse", "terminate"),
    S.INFORMED: ("refuse", "terminate"),
    S.SCHEDULED: ("refuse", "terminate"),
    S.WAITING: ("session", "refuse", "terminate"),
    S.IN_SESSION: ("session",),
    S.CLOSED: ("refuse", "terminate"),
    S.SEALED: ("draft", "refuse", "terminate"),
    S.REVIEW: ("draft", "supplement", "refuse", "terminate"),
    S.DRAFTED: ("draft", "certify", "refuse", "terminate"),
    S.RETURNED: ("draft", "refuse", "terminate"),
    S.PENDING_APPROVAL: ("approve",),
}
_NOTARY_ONLY = {"accept", "decline"}
_HANDLER_ONLY = {"session", "draft", "certify", "refuse", "terminate"}
_AFTER_CLOSE = frozenset(
    {S.CLOSED, S.SEALED, S.REVIEW, S.DRAFTED, S.PENDING_APPROVAL, S.RETURNED, S.APPROVED}
) | {S.ISSUED, S.DELIVERED, S.ARCHIVED, S.REVOKED}


def case_view(
    workplace: Workplace,
    case: Case,
    *,
    session: Session | None,
    language: str,
    missing_glyphs: MissingGlyphs,
) -> Json:
    """The Case of the API."""
    pack = workplace.pack(case.matter)
    day = workplace.calendar.day(workplace.clock())
    erased = case.erased_at is not None
    found = {} if erased else problems(pack, case.form, day=day, missing_glyphs=missing_glyphs)
    return {
        **_head(workplace, case, pack, language),
        "language": case.language,
        "created_at": case.created_at,
        "form": form_view(case),
        "problems": problems_view(found),
        "papers": [paper_view(case, paper.id) for paper in case.papers],
        "consents": [{"id": each.id, "given": each.given, "at": each.at} for each in case.consents],
        "booking": _booking(workplace, case),
        "session": session_ref(session),
        "notary": _notary(case, language),
        "next": _next(workplace, case, language),
        "clock": clock_view(workplace, case, pack),
        "stages": _stages(workplace, case, language),
        "certificate": _certificate(case),
        "receipt_ready": case.state in _AFTER_CLOSE and not erased,
        "asked": {"text": case.supplement.text} if case.supplement else None,
        "refused": {"reason": case.ending.reason} if case.ending else None,
    }


def summary_view(
    workplace: Workplace, case: Case, *, session: Session | None, language: str
) -> Json:
    """One case in the applicant's list."""
    return {
        **_head(workplace, case, workplace.pack(case.matter), language),
        "created_at": case.created_at,
        "session": session_ref(session),
        "next": _next(workplace, case, language),
    }


def queue_line(workplace: Workplace, case: Case, *, session: Session | None, language: str) -> Json:
    """One case in the desk's queue."""
    pack = workplace.pack(case.matter)
    return {
        **_head(workplace, case, pack, language),
        "short": case.id[:8],
        "applicant_name": case.form.get("applicant_name", ""),
        "submitted_at": case.submitted_at,
        "clock": clock_view(workplace, case, pack),
        "booking_at": case.booking.at if case.booking else None,
        "waiting": case.state is S.WAITING,
        "session_id": session.id if session else None,
        "handler": _person(case.handler, language),
        "next": workplace.words.word("desk", _desk_next(workplace, case), language),
    }


def desk_parts(
    workplace: Workplace,
    case: Case,
    *,
    session: Session | None,
    anchors: AnchorState,
    staff: Staff,
    language: str,
    missing_glyphs: MissingGlyphs,
) -> Json:
    """What the case file adds to the Case (the timeline comes from elsewhere)."""
    document = session.document if session else None
    phone = case.phone
    return {
        "short": case.id[:8],
        "applicant": {
            "name": case.form.get("applicant_name", ""),
            "phone_masked": phone[:3] + "****" + phone[-4:] if phone else "",
        },
        "handler": _person(case.handler, language),
        "to_do": workplace.words.word("desk", _desk_next(workplace, case), language),
        "checks": _checks(workplace, case, session, anchors, language, missing_glyphs)
        if case.erased_at is None
        else [],
        "document": {"pages": len(document.page_sha256), "sha256": document.sha256}
        if document
        else None,
        "authorisations": [each.record() for each in case.authorisations],
        "returned": {"reasons": case.returned} if case.returned else None,
        "claims": [
            {"number": c.number, "key": c.key, "verdict": c.verdict, "reason": c.reason}
            for c in case.claims
        ],
        "allowed_actions": list(allowed_actions(case, staff)),
        "may_read": may_read(case, staff),
    }


def allowed_actions(case: Case, staff: Staff) -> tuple[str, ...]:
    """What this person may do with the case now."""
    if case.erased_at is not None:
        return ()
    handles = case.handler is not None and case.handler.id == staff.id

    def may(action: str) -> bool:
        if action == "approve":
            return staff.role == "approver" and not handles
        if action in _HANDLER_ONLY:
            return handles
        return staff.role == "notary" or (staff.role == "assistant" and action not in _NOTARY_ONLY)

    return tuple(action for action in _ACTIONS.get(case.state, ()) if may(action))


def form_view(case: Case) -> Json:
    """The form as plain values."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in case.form.items()}


def problems_view(found: Mapping[str, Problem]) -> Json:
    """Problems by field; the border adds the sentences."""
    return {
        field: {"code": problem.code, "field": field, "params": dict(problem.params)}
        for field, problem in found.items()
    }


def paper_view(case: Case, paper_id: str) -> Json:
    """One paper; `StopIteration` cannot be: the caller has it from the case."""
    paper = next(each for each in case.papers if each.id == paper_id)
    return {
        "id": paper.id,
        "kind": paper.kind,
        "name": paper.name,
        "size": paper.size,
        "media_type": paper.media_type,
        "at": paper.at,
        "sha256": paper.sha256,
        "url": f"/api/cases/{case.id}/papers/{paper.id}",
    }


def clock_view(workplace: Workplace, case: Case, pack: RulePack) -> Json | None:
    """The statutory clock, if it has begun."""
    now = cases.clock(case, pack=pack, calendar=workplace.calendar, at=workplace.clock())
    if now is None:
        return None
    return {"days_left": now.days_left, "paused": now.paused, "reason": now.reason}


def session_ref(session: Session | None) -> Json | None:
    """The case's newest session, in short."""
    if session is None:
        return None
    return {"id": session.id, "state": session.state.value, "step": session.step}


def _head(workplace: Workplace, case: Case, pack: RulePack, language: str) -> Json:
    return {
        "id": case.id,
        "matter": case.matter,
        "matter_title": pack.title[language],
        "state": case.state.value,
        "state_title": workplace.words.word("state", case.state.value, language)
        if case.erased_at is None
        else workplace.words.word("desk", "erased", language),
        "erased": {"at": case.erased_at} if case.erased_at is not None else None,
    }


def _booking(workplace: Workplace, case: Case) -> Json | None:
    if case.booking is None:
        return None
    url = f"{workplace.office.public_url}/join/{case.booking.token}"
    return {"at": case.booking.at, "invitation_url": url}


def _notary(case: Case, language: str) -> Json | None:
    if case.handler is None:
        return None
    return {"name": case.handler.name(language), "licence": case.handler.licence}


def _person(staff: Staff | None, language: str) -> Json | None:
    return {"id": staff.id, "name": staff.name(language)} if staff else None


def _next(workplace: Workplace, case: Case, language: str) -> Json:
    key, action = _NEXT.get(case.state, ("ended", None))
    text = ""
    if case.erased_at is not None:
        key, action = "erased", "certificate" if case.certificate else None
        text = workplace.calendar.day(case.erased_at).isoformat()
    elif case.supplement is not None and key == "supplement":
        text = case.supplement.text
    elif case.ending is not None:
        text = case.ending.reason
    word = _held_up(workplace, key)
    title, _, detail = workplace.words.word("next", word, language).partition("|")
    return {"key": key, "title": title, "detail": detail.replace("{text}", text), "action": action}


def _desk_next(workplace: Workplace, case: Case) -> str:
    if case.erased_at is not None:
        return "erased"
    return _held_up(workplace, _DESK_NEXT.get(case.state, "done"))


def _held_up(workplace: Workplace, key: str) -> str:
    """What to say while a seal is waited for: also of what, when it is known."""
    what = workplace.seals_wait_for() if key in ("wait-seal", "wait-issue") else None
    return f"wait-{what}" if what else key


def _stages(workplace: Workplace, case: Case, language: str) -> list[Json]:
    now = _STAGE_OF.get(case.state, -1)
    return [
        {
            "key": key,
            "title": workplace.words.word("stage", key, language),
            "done": place < now,
            "current": place == now,
        }
        for place, key in enumerate(_STAGES)
    ]


def _certificate(case: Case) -> Json | None:
    reference = case.certificate
    if reference is None or reference.issued_at is None or case.state is S.ISSUED:
        return None  # issued, and not yet sealed: there is nothing to hand out
    return {
        "number": reference.number,
        "issued_at": reference.issued_at,
        "code": reference.code,
        "verify_url": reference.verify_url,
        "pdf_sha256": reference.pdf_sha256,
    }


def _checks(
    workplace: Workplace,
    case: Case,
    session: Session | None,
    anchors: AnchorState,
    language: str,
    missing_glyphs: MissingGlyphs,
) -> list[Json]:
    pack = workplace.pack(case.matter)
    at = workplace.clock()
    day = workplace.calendar.day(at)
    wrong = problems(pack, case.form, day=day, missing_glyphs=missing_glyphs)
    empty = unfilled(pack, case.form)
    have = {paper.kind for paper in case.papers}
    lacking = [rule.kind for rule in pack.papers if rule.required and rule.kind not in have]
    consents = application.missing_consents(case, pack)
    running = cases.clock(case, pack=pack, calendar=workplace.calendar, at=at)
    stopped = None if running else cases.stopped_clock(case, pack=pack, calendar=workplace.calendar)
    clock = running or stopped
    handler = case.handler
    licensed = handler and handler.licensed_from <= day.isoformat() <= handler.licensed_until
    refused = [each for each in case.consents if each.id in consents and not each.given]
    sealed = {"SEALED": True, "ABORTED": False}.get(session.state.value) if session else None
    outcomes: list[tuple[str, bool | None, str]] = [
        ("form", not empty, ", ".join(empty)),
        ("numbers", not wrong, ", ".join(wrong)),
        ("papers", not lacking, ", ".join(lacking)),
        ("consents", False if refused else not consents or None, ", ".join(consents)),
        ("conflict", case.conflict_checked_at is not None if handler else None, ""),
        ("licence", bool(licensed) if handler else None, handler.licence if handler else ""),
        ("clock", clock.days_left >= 0 if clock else None, str(clock.days_left) if clock else ""),
        ("anchored", anchors.pending == 0 or None, str(anchors.pending)),
        ("sealed", sealed, ""),
    ]
    return [
        {
            "key": key,
            "title": workplace.words.word("check", key, language),
            "outcome": "pending" if good is None else "ok" if good else "failed",
            "detail": detail,
            "note": _took(workplace, pack, stopped, language) if key == "clock" else "",
        }
        for key, good, detail in outcomes
    ]


def _took(workplace: Workplace, pack: RulePack, stopped: Clock | None, language: str) -> str:
    """How long a case that has ended took, in words; nothing of one that runs."""
    if stopped is None:
        return ""
    words = workplace.words.word("check", "clock-took", language)
    used = str(pack.working_days - stopped.days_left)
    return words.replace("{used}", used).replace("{term}", str(pack.working_days))
