"""What happens in the nine steps 环节: confirmations, record lines, pages, identity decided."""

from dataclasses import replace
from hashlib import sha256

from server.domain import record as interview
from server.domain.canonical import canonical
from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.evidence import Mark
from server.domain.rules import RulePack
from server.domain.session import (
    Change,
    Decision,
    PageShown,
    Session,
    flagged,
    happened,
    mark,
    needed_now,
    require_nothing_missing,
    require_open,
    require_reason,
)


def confirm(session: Session, act: Act, *, pack: RulePack, key: str, words: str) -> Change:
    """The notary confirms what only a person can see or hear, in words."""
    found = next((each for each in needed_now(session, pack) if each.key == key), None)
    if found is not None and found.by != "notary":
        raise DomainError("evidence-not-confirmable", key=key)
    return mark(session, act, pack=pack, key=key, words=require_reason(words))


def complete_step(session: Session, act: Act, *, pack: RulePack, number: int) -> Change:
    """The current step is done and the next begins; the ninth is done by `close`."""
    require_open(session)
    if number != session.step or number == 9:
        raise DomainError("step-not-current", step=session.step, asked=number)
    require_nothing_missing(session, pack)
    done = replace(session.steps[number - 1], state="done", completed_at=act.at)
    following = replace(session.steps[number], state="running", started_at=act.at)
    steps = (*session.steps[: number - 1], done, following, *session.steps[number + 1 :])
    changed = replace(
        session, steps=steps, step=number + 1, recheck=False, instruction=None, page=None
    )
    public = {"step": number, "started_at": done.started_at, "completed_at": act.at}
    return changed, happened(session, act, "step-completed", facts=flagged(session), public=public)


def instruct(session: Session, act: Act, *, text: str | None) -> Change:
    """What the applicant is told now in large type; `None` is the step's own instruction."""
    require_open(session)
    changed = replace(session, instruction=text)
    return changed, happened(session, act, "instruction-given", facts={"text": text or ""})


def speak(
    session: Session, act: Act, *, pack: RulePack, who: str, key: str | None, text: str
) -> Change:
    """One line of the interview record; an answer to a template question is its evidence."""
    _require_record_open(session)
    if key is not None and key not in {question.key for question in pack.questions}:
        raise DomainError("evidence-unknown", key=key)
    lines = interview.add(session.record, who=who, key=key, text=text, at=act.at)
    line = lines[-1]
    facts = {"number": line.number, "who": line.who, "key": line.key, "text": line.text}
    public = {"line": line.number, "offset_ms": act.at - session.opened_at}
    changed = replace(session, record=lines)
    events = happened(session, act, "record-line", facts=facts, public=public)
    wanted = f"question_{key}"
    if key and who == "applicant" and wanted in {n.key for n in needed_now(session, pack)}:
        seen = Mark(wanted, act.at, act.actor, act.event)
        marks = tuple(each for each in session.marks if each.key != wanted)
        changed = replace(changed, marks=(*marks, seen))
    return changed, events


def correct(session: Session, act: Act, *, number: int, text: str) -> Change:
    """A correction beside a line; a final record is final again only after this."""
    _require_record_open(session)
    lines = interview.correct(session.record, number=number, text=text, at=act.at)
    public = {"line": number, "offset_ms": act.at - session.opened_at}
    return _reopened(replace(session, record=lines)), happened(
        session, act, "record-corrected", facts={"number": number, "text": text}, public=public
    )


def dispute(session: Session, act: Act, *, number: int, text: str) -> Change:
    """The applicant says a line is wrong."""
    _require_record_open(session)
    lines = interview.dispute(session.record, number=number, text=text, at=act.at)
    return _reopened(replace(session, record=lines)), happened(
        session,
        act,
        "record-disputed",
        facts={"number": number, "text": text},
        public={"line": number},
    )


def record_digest(session: Session) -> str:
    """Digest of the record as it stands."""
    return sha256(final_record(session)).hexdigest()


def final_record(session: Session) -> bytes:
    """The record as it stands, in its one form: what is digested and signed."""
    return canonical(interview.final_form(session.record, opened_at=session.opened_at))


def finalise_record(session: Session, act: Act, *, pack: RulePack) -> Change:
    """The record is final: its digest is what will be signed; refuses while a line is disputed."""
    if any(line.is_disputed for line in session.record):
        raise DomainError("record-disputed")
    return mark(
        session, act, pack=pack, key="record_final", items={"record": record_digest(session)}
    )


def lock_page(session: Session, act: Act, *, number: int) -> Change:
    """The notary turns both screens to a page."""
    require_open(session)
    if session.document is None:
        raise DomainError("document-missing")
    if not 1 <= number <= len(session.document.page_sha256):
        raise DomainError("page-unknown", number=number)
    if session.page == number:
        return session, ()
    items = {"page": session.document.page_sha256[number - 1]}
    return replace(session, page=number), happened(
        session, act, "page-turned", public={"page": number}, items=items
    )


def see_page(session: Session, act: Act, *, pack: RulePack, role: str, number: int) -> Change:
    """A page is on somebody's screen; once both have seen it, it counts as read together.

    Only the page both screens are locked to counts: what a screen says of another one came late,
    or was made up.
    """
    require_open(session)
    if session.document is None or not 1 <= number <= len(session.document.page_sha256):
        raise DomainError("page-unknown", number=number)
    if number != session.page:
        return session, ()
    if any(each.number == number and each.role == role for each in session.pages_shown):
        return session, ()
    shown = (*session.pages_shown, PageShown(number, role, act.at))
    items = {"page": session.document.page_sha256[number - 1]}
    changed = replace(session, pages_shown=shown)
    events = happened(session, act, "page-seen", public={"page": number, "role": role}, items=items)
    roles = {each.role for each in shown if each.number == number}
    if pack.step(session.step).key == "read" and roles >= {"notary", "applicant"}:
        changed, more = mark(changed, act.then(), pack=pack, key=f"page_{number}", items=items)
        events += more
    return changed, events


def decide_identity(
    session: Session, act: Act, *, pack: RulePack, accepted: bool, reason: str
) -> Change:
    """The notary decides who this is, with a reason; only an acceptance lets the step be done."""
    words = require_reason(reason)
    decided = replace(session, decision=Decision(accepted, words, act.at))
    facts = {"accepted": accepted, "reason": words}
    if accepted:
        return mark(decided, act, pack=pack, key="identity_decision", words=words, facts=facts)
    require_open(session)
    without = tuple(each for each in session.marks if each.key != "identity_decision")
    return replace(decided, marks=without), happened(
        session, act, "identity-not-accepted", facts=facts
    )


def _require_record_open(session: Session) -> None:
    require_open(session)
    signed = session.signing("record")
    if signed is not None and signed.done_at is not None:
        raise DomainError("record-final")


def _reopened(session: Session) -> Session:
    """A change after `record_final` takes that mark and any unfinished signature back."""
    return replace(
        session,
        marks=tuple(each for each in session.marks if each.key != "record_final"),
        signings=tuple(
            each for each in session.signings if each.act != "record" or each.done_at is not None
        ),
    )
