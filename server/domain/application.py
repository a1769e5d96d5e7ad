"""What the applicant does with a case: fill, add papers, submit, consent, book, check, withdraw."""

from collections.abc import Mapping
from dataclasses import replace

from server.domain.calendar import Calendar
from server.domain.case import (
    EDITABLE,
    OPEN,
    Booking,
    Case,
    CaseState,
    Change,
    Consent,
    Ending,
    Paper,
    Pause,
    Rating,
    happened,
    move,
    require_state,
)
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.fields import MissingGlyphs, clean, problems, unfilled
from server.domain.participant import Applicant
from server.domain.rules import LANGUAGES, RulePack

_S = CaseState
_CONSENTING = (_S.DRAFT, _S.SUBMITTED, _S.PRECHECK, _S.SUPPLEMENT, _S.ACCEPTED, _S.INFORMED)
_CONSENTING_LATER = (_S.SCHEDULED, _S.WAITING)


def create(
    case_id: str, act: Act, *, applicant: Applicant, pack: RulePack, language: str
) -> Change:
    """A new draft; refuses `matter-not-remote` when the pack does not allow the remote way."""
    if not pack.remote_allowed:
        raise DomainError("matter-not-remote", matter=pack.id)
    case = Case(
        id=case_id,
        matter=pack.id,
        language=language if language in LANGUAGES else LANGUAGES[0],
        applicant=applicant.id,
        phone=applicant.phone,
        state=_S.DRAFT,
        created_at=act.at,
    )
    public = {"matter": pack.id, "pack": pack.sha256, "pack_version": pack.version}
    return case, happened(case, act, "case-created", public=public)


def fill(case: Case, act: Act, *, pack: RulePack, key: str, value: object) -> Change:
    """One field filled; a value with a problem is kept (see `fields.problems`)."""
    require_state(case, *EDITABLE)
    field = pack.field(key)
    if field is None:
        raise DomainError("field-unknown", key=key)
    kept = clean(field, value)
    if case.form.get(key) == kept:
        return case, ()
    form = {**case.form, key: kept}
    facts = {"key": key, "value": list(kept) if isinstance(kept, tuple) else kept}
    return replace(case, form=form), happened(case, act, "field-filled", facts=facts)


def add_paper(case: Case, act: Act, *, pack: RulePack, paper: Paper) -> Change:
    """A paper whose bytes are already stored and durable."""
    require_state(case, *EDITABLE)
    if paper.kind not in {rule.kind for rule in pack.papers}:
        raise DomainError("paper-kind-unknown", kind=paper.kind)
    facts = {"paper": paper.id, "kind": paper.kind, "name": paper.name, "type": paper.media_type}
    events = happened(
        case, act, "paper-added", facts=facts, public={"size": paper.size},
        items={"paper": paper.sha256},
    )  # fmt: skip
    return replace(case, papers=(*case.papers, paper)), events


def submit(
    case: Case, act: Act, *, pack: RulePack, calendar: Calendar, missing_glyphs: MissingGlyphs
) -> Change:
    """The form and papers handed in, or handed in again after a supplement was asked for."""
    require_state(case, *EDITABLE)
    if missing := unfilled(pack, case.form):
        raise DomainError("form-incomplete", field=missing[0], fields=list(missing))
    wrong = problems(pack, case.form, day=calendar.day(act.at), missing_glyphs=missing_glyphs)
    if wrong:
        field, problem = next(iter(wrong.items()))
        raise DomainError(problem.code, field=field, **problem.params)
    have = {paper.kind for paper in case.papers}
    if lacking := [rule.kind for rule in pack.papers if rule.required and rule.kind not in have]:
        raise DomainError("paper-missing", kinds=lacking)
    facts = {"form": {k: list(v) if isinstance(v, tuple) else v for k, v in case.form.items()}}
    items = {f"paper/{paper.id}": paper.sha256 for paper in case.papers}
    if case.supplement is not None:
        moved = move(
            case, case.supplement.back_to, supplement=None, pauses=_resumed(case.pauses, act.at)
        )
        return moved, happened(case, act, "supplement-given", facts=facts, items=items)
    moved = move(case, _S.SUBMITTED, submitted_at=act.at)
    return moved, happened(case, act, "case-submitted", facts=facts, items=items)


def consent(
    case: Case, act: Act, *, pack: RulePack, consent_id: str, given: bool, text_sha256: str
) -> Change:
    """One consent given or refused; with every required one given, an accepted case is INFORMED."""
    require_state(case, *_CONSENTING, *_CONSENTING_LATER)
    rule = pack.consent(consent_id)
    if rule is None:
        raise DomainError("consent-unknown", consent=consent_id)
    if text_sha256 not in {rule.text_sha256(language) for language in LANGUAGES}:
        raise DomainError("consent-text-changed", consent=consent_id)
    if case.state in _CONSENTING_LATER and rule.required and not given:
        # taking back what the call rests on is withdrawing, and is asked for by that name
        raise DomainError("case-state", state=case.state.value)
    consents = tuple(each for each in case.consents if each.id != consent_id)
    consents += (Consent(consent_id, given, act.at, text_sha256),)
    facts = {"consent": consent_id, "given": given, "text_sha256": text_sha256}
    changed = replace(case, consents=consents)
    events = happened(case, act, "consent-given" if given else "consent-refused", facts=facts)
    if changed.state is _S.INFORMED and missing_consents(changed, pack):
        return move(changed, _S.ACCEPTED), events
    if changed.state is _S.ACCEPTED:
        changed, informed = informed_if_consenting(changed, act.then(), pack=pack)
        events += informed
    return changed, events


def informed_if_consenting(case: Case, act: Act, *, pack: RulePack) -> Change:
    """An accepted case with every required consent is INFORMED; otherwise nothing happens."""
    if case.state is not _S.ACCEPTED or missing_consents(case, pack):
        return case, ()
    given = sum(each.given for each in case.consents)
    events = happened(case, act, "applicant-informed", public={"consents": given})
    return move(case, _S.INFORMED), events


def missing_consents(case: Case, pack: RulePack) -> tuple[str, ...]:
    """Required consents that are not given."""
    given = {each.id for each in case.consents if each.given}
    return tuple(rule.id for rule in pack.consents if rule.required and rule.id not in given)


def consented(case: Case, consent_id: str) -> bool:
    """Whether the applicant gave that consent."""
    return any(each.id == consent_id and each.given for each in case.consents)


def book(case: Case, act: Act, *, booking: Booking) -> Change:
    """A time chosen; choosing again replaces it and its invitation."""
    require_state(case, _S.INFORMED, _S.SCHEDULED, _S.WAITING)
    moved = move(case, _S.SCHEDULED, booking=booking, device=None)
    facts = {"at": booking.at, "notary": booking.notary}
    return moved, happened(case, act, "session-booked", facts=facts)


def check_device(case: Case, act: Act, *, report: Mapping[str, object]) -> Change:
    """Camera, microphone and network looked at; refuses `device-unfit` without camera or sound."""
    require_state(case, _S.SCHEDULED, _S.WAITING)
    lacking = [part for part in ("camera", "microphone") if not report.get(part)]
    if lacking:
        raise DomainError("device-unfit", lacking=lacking)
    moved = move(case, _S.WAITING, device=dict(report))
    return moved, happened(case, act, "device-checked", facts={"report": dict(report)})


def withdraw(case: Case, act: Act, *, reason: str) -> Change:
    """The applicant takes the application back, any time before it is approved."""
    require_state(case, *(state for state in OPEN if state is not _S.IN_SESSION))
    moved = move(case, _S.WITHDRAWN, ending=Ending(reason, act.at, act.actor))
    return moved, happened(case, act, "case-withdrawn", facts={"reason": reason})


def rate(case: Case, act: Act, *, stars: int, words: str) -> Change:
    """One rating of a finished matter; rating again replaces it."""
    require_state(case, _S.ISSUED, _S.DELIVERED, _S.ARCHIVED)
    if not 1 <= stars <= 5:
        raise DomainError("stars-invalid", stars=stars)
    rating = Rating(stars, words[:1000], act.at)
    facts = {"stars": stars, "words": rating.words}
    return replace(case, rating=rating), happened(case, act, "matter-rated", facts=facts)


def _resumed(pauses: tuple[Pause, ...], at: int) -> tuple[Pause, ...]:
    return tuple(replace(each, until=at) if each.until is None else each for each in pauses)
