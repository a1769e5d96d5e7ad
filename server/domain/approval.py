"""From the sealed session to the delivered certificate: draft, certify, claims, approve, issue."""

from dataclasses import replace

from server.domain.calendar import Calendar
from server.domain.case import (
    Case,
    CaseState,
    Change,
    Claim,
    happened,
    move,
    require_state,
    require_time_left,
    today,
)
from server.domain.certificate import (
    Authorisation,
    CertificateNumber,
    CertificateRef,
    Draft,
    authorised_digest,
    intent_digest,
    intent_facts,
)
from server.domain.errors import DomainError
from server.domain.events import Act, Event
from server.domain.handling import require_handler
from server.domain.participant import Staff, require_licence, require_role
from server.domain.rules import RulePack

_S = CaseState


def review(case: Case, act: Act, *, staff: Staff) -> Change:
    """The handler takes a sealed case up for drafting."""
    require_handler(case, staff)
    return move(case, _S.REVIEW), happened(case, act, "review-begun")


def draft(case: Case, act: Act, *, staff: Staff, draft: Draft) -> Change:
    """What the certificate will say is written down; drafting again replaces it."""
    require_handler(case, staff)
    require_state(case, _S.REVIEW, _S.DRAFTED, _S.RETURNED)
    moved = move(case, _S.DRAFTED, draft=draft, authorisations=(), claims=(), returned=None)
    items = {"draft": draft.facts_sha256, "manifest": draft.session_manifest_sha256}
    return moved, happened(case, act, "certificate-drafted", items=items)


def certify(
    case: Case,
    act: Act,
    *,
    staff: Staff,
    pack: RulePack,
    calendar: Calendar,
    facts_sha256: str,
) -> Change:
    """The notary authorises the draft and the session manifest; the approver is next."""
    require_handler(case, staff)
    require_licence(staff, day=today(calendar, act).isoformat())
    require_time_left(case, pack=pack, calendar=calendar, at=act.at)
    require_state(case, _S.DRAFTED)
    authorisation = _authorise(case, act, staff=staff, role="notary", facts_sha256=facts_sha256)
    claims = tuple(
        Claim(number, rule.key, None, "", None, None)
        for number, rule in enumerate(pack.claims, start=1)
    )
    moved = move(case, _S.PENDING_APPROVAL, authorisations=(authorisation,), claims=claims)
    facts = {"authorisation": authorisation.record()}
    return moved, happened(case, act, "certificate-certified", facts=facts)


def judge(case: Case, act: Act, *, staff: Staff, number: int, verdict: str, reason: str) -> Change:
    """The approver finds one claim true, or returns it with a reason."""
    require_approver(case, staff)
    require_state(case, _S.PENDING_APPROVAL)
    if verdict not in ("accepted", "returned") or not 1 <= number <= len(case.claims):
        raise DomainError("claim-unknown", number=number)
    words = reason.strip()[:2000]
    if verdict == "returned" and not words:
        raise DomainError("reason-required")
    judged = replace(case.claims[number - 1], verdict=verdict, reason=words, at=act.at, by=staff.id)
    claims = (*case.claims[: number - 1], judged, *case.claims[number:])
    facts = {"claim": judged.key, "verdict": verdict, "reason": words}
    return replace(case, claims=claims), happened(
        case, act, "claim-judged", facts=facts, public={"claim": number}
    )


def return_with_reasons(case: Case, act: Act, *, staff: Staff, reasons: str) -> Change:
    """The approver returns the case to its handler."""
    require_approver(case, staff)
    words = reasons.strip()[:4000]
    if not words:
        raise DomainError("reason-required")
    moved = move(case, _S.RETURNED, returned=words)
    return moved, happened(case, act, "case-returned", facts={"reasons": words})


def require_approvable(
    case: Case, *, act: Act, staff: Staff, pack: RulePack, calendar: Calendar
) -> None:
    """Every guard of approval that the case itself can answer."""
    require_approver(case, staff)
    require_state(case, _S.PENDING_APPROVAL)
    if case.handler is not None:
        require_licence(case.handler, day=today(calendar, act).isoformat())
    require_time_left(case, pack=pack, calendar=calendar, at=act.at)
    if any(claim.verdict is None for claim in case.claims):
        raise DomainError("claims-open", open=sum(c.verdict is None for c in case.claims))
    if any(claim.verdict == "returned" for claim in case.claims):
        raise DomainError("claim-returned")


def approve(
    case: Case,
    act: Act,
    *,
    staff: Staff,
    pack: RulePack,
    calendar: Calendar,
    facts_sha256: str,
    number: CertificateNumber,
    status_index: int,
    code: str,
    verify_url: str,
) -> tuple[Case, tuple[Event, ...], dict[str, object]]:
    """Approved: number and date stand, the intent is written; returns the intent's facts too.

    The caller has allocated the number in the same transaction and has checked that every event of
    the case is anchored and the session sealed.
    """
    require_approvable(case, act=act, staff=staff, pack=pack, calendar=calendar)
    authorisation = _authorise(case, act, staff=staff, role="approver", facts_sha256=facts_sha256)
    authorisations = (*case.authorisations, authorisation)
    day = today(calendar, act).isoformat()
    assert case.draft is not None  # _authorise has refused otherwise
    facts = intent_facts(
        case.draft,
        number=number,
        status_index=status_index,
        date=day,
        code=code,
        authorisations=authorisations,
    )
    intent = intent_digest(facts)
    intended = act.then()
    reference = CertificateRef(
        number=number.text,
        status_index=status_index,
        date=day,
        code=code,
        verify_url=verify_url,
        intent=intent,
        intent_event=intended.event,
    )
    moved = move(case, _S.APPROVED, authorisations=authorisations, certificate=reference)
    approved = happened(case, act, "case-approved", facts={"authorisation": authorisation.record()})
    intention = Event(
        id=intended.event,
        case_id=case.id,
        kind="act-intended",
        at=act.at,
        actor=act.actor,
        public={"number": number.text, "status_index": status_index},
        items={"intent": intent, "session": case.draft.session_manifest_sha256},
        chain="register",
    )
    return moved, (*approved, intention), facts


def require_two_people(case: Case) -> None:
    """Refuse to sign unless a notary and an approver, two people, authorised the same thing.

    Said once more where the signature is made, whatever led there.
    """
    by_role = {each.role: each for each in case.authorisations}
    notary, approver = by_role.get("notary"), by_role.get("approver")
    if notary is None or approver is None or notary.over != approver.over:
        raise DomainError("draft-changed")
    if notary.staff == approver.staff:
        raise DomainError("approver-is-handler")


def complete(case: Case, act: Act, *, pdf_sha256: str) -> Change:
    """The one signed PDF of the intent is stored: ISSUED, and the register says so in clear."""
    reference = case.certificate
    if reference is None:
        raise DomainError("certificate-not-ready")
    moved = move(
        case,
        _S.ISSUED,
        certificate=replace(reference, pdf_sha256=pdf_sha256, issued_at=act.at),
    )
    completed = Event(
        id=act.event,
        case_id=case.id,
        kind="act-completed",
        at=act.at,
        actor=act.actor,
        public={
            "number": reference.number,
            "status_index": reference.status_index,
            "pdf_sha256": pdf_sha256,
        },
        items={"intent": reference.intent},
        chain="register",
    )
    issued = happened(case, act.then(), "certificate-issued", facts={"pdf_sha256": pdf_sha256})
    return moved, (completed, *issued)


def deliver(case: Case, act: Act, *, bundle_sha256: str) -> Change:
    """The certificate and its bundle are there for the applicant: DELIVERED."""
    moved = move(case, _S.DELIVERED)
    items = {"bundle": bundle_sha256}
    return moved, happened(case, act, "certificate-delivered", items=items)


def require_approver(case: Case, staff: Staff) -> None:
    """Refuse unless an approver who is not the handler (nobody approves their own)."""
    if case.handler is not None and case.handler.id == staff.id:
        raise DomainError("approver-is-handler")
    require_role(staff, "approver")


def _authorise(
    case: Case, act: Act, *, staff: Staff, role: str, facts_sha256: str
) -> Authorisation:
    if case.draft is None or case.draft.facts_sha256 != facts_sha256:
        raise DomainError("draft-changed")
    over = authorised_digest(case.draft.facts, case.draft.session_manifest_sha256)
    return Authorisation(
        v=1,
        kind="totp",
        role="notary" if role == "notary" else "approver",
        staff=staff.id,
        at=act.at,
        over=over,
    )
