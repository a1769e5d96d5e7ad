"""The course of a session: opened, interrupted, resumed or broken off, closed, sealed."""

from collections.abc import Mapping
from dataclasses import replace

from server.domain.errors import DomainError
from server.domain.events import Act
from server.domain.evidence import RECHECK
from server.domain.participant import Staff
from server.domain.rules import RulePack
from server.domain.session import (
    LIVE,
    SIGNED_IN,
    Change,
    Session,
    SessionState,
    Signing,
    StepRun,
    flagged,
    happened,
    mark,
    needed_now,
    require_nothing_missing,
    require_open,
    require_reason,
)


def open_session(
    session_id: str,
    act: Act,
    *,
    case_id: str,
    number: int,
    linked_to: str | None,
    language: str,
    document_type: str,
    notary: Staff,
    applicant: str,
    applicant_name: str,
    pack: RulePack,
) -> Change:
    """A session begins at step 1; `linked_to` names the one it takes the place of."""
    steps = tuple(StepRun(rule.number, rule.key) for rule in pack.steps)
    session = Session(
        id=session_id,
        case_id=case_id,
        number=number,
        linked_to=linked_to,
        language=language,
        document_type=document_type,
        notary=notary,
        applicant=applicant,
        applicant_name=applicant_name,
        state=SessionState.OPEN,
        step=1,
        steps=(replace(steps[0], state="running", started_at=act.at), *steps[1:]),
        opened_at=act.at,
    )
    facts = {"participants": {"notary": notary.id, "applicant": applicant}}
    public: dict[str, object] = {"session": session_id, "number": number}
    if linked_to is not None:
        public["linked_to"] = linked_to
    return session, happened(session, act, "session-opened", facts=facts, public=public)


def interrupt(session: Session, act: Act, *, pack: RulePack, reason: str, since: int) -> Change:
    """The call is broken (ms UTC since when); grace runs from that moment."""
    require_open(session)
    changed = replace(
        session,
        state=SessionState.INTERRUPTED,
        interrupted_at=since,
        grace_ends_at=since + pack.grace_ms,
        reason=reason,
    )
    public = {"since": since, "step": session.step}
    return changed, happened(
        session, act, "session-interrupted", facts={"reason": reason}, public=public
    )


def resume(session: Session, act: Act, *, pack: RulePack) -> Change:
    """Within grace: the current step starts again from nothing, identity re-checked."""
    if session.state is not SessionState.INTERRUPTED:
        raise DomainError("session-state", state=session.state.value)
    if session.grace_ends_at is None or act.at > session.grace_ends_at:
        raise DomainError("grace-over")
    number = session.step
    again = replace(session.steps[number - 1], state="repeated", started_at=act.at)
    steps = (*session.steps[: number - 1], again, *session.steps[number:])
    undone = {each.key for each in needed_now(session, pack)} | {RECHECK}
    reading = session.steps[number - 1].key == "read"
    changed = replace(
        session,
        state=SessionState.OPEN,
        steps=steps,
        marks=tuple(each for each in session.marks if each.key not in undone),
        recheck=number > 2,
        decision=None if number == 2 else session.decision,
        key=None,  # the key lives in the applicant's page, and that page is gone
        signings=tuple(each for each in session.signings if _stands(each, number)),
        interrupted_at=None,
        grace_ends_at=None,
        reason="",
        page=None,
        pages_shown=() if reading else session.pages_shown,
    )
    public = {"since": session.interrupted_at, "until": act.at, "step": number}
    return changed, happened(session, act, "session-resumed", public=public)


def _stands(signing: Signing, number: int) -> bool:
    """A signature done in an earlier step stands; one of the repeated step is asked for again."""
    return signing.done_at is not None and SIGNED_IN[signing.act] < number


def abort(session: Session, act: Act, *, reason: str, replaced_by: str | None = None) -> Change:
    """Broken off for good; nothing is deleted. `replaced_by` names a session linked to it."""
    if session.state not in LIVE:
        raise DomainError("session-state", state=session.state.value)
    changed = replace(
        session,
        state=SessionState.ABORTED,
        reason=require_reason(reason),
        closed_at=act.at,
        replaced_by=replaced_by,
    )
    facts = {"reason": reason, **flagged(session)}
    return changed, happened(session, act, "session-aborted", facts=facts)


def flag(session: Session, act: Act) -> Change:
    """The notary's silent flag; the applicant never learns of it, nor whoever stands behind.

    So it has no entry of its own, which the ledger, the receipt and the manifest would show by its
    kind: it stands among the facts, committed to by digest, with which the step or the session ends
    (`flagged`). An entry without a flag looks the same.
    """
    if session.state not in LIVE:
        raise DomainError("session-state", state=session.state.value)
    return replace(session, flags=(*session.flags, act.at)), ()


def close(
    session: Session, act: Act, *, pack: RulePack, authorisation: Mapping[str, object]
) -> Change:
    """The notary signs the manifest and ends the call; the ninth step is done."""
    require_open(session)
    if session.step != 9 or session.manifest is None:
        raise DomainError("step-not-current", step=session.step, asked=9)
    signed, events = mark(
        session,
        act,
        pack=pack,
        key="manifest_signed_notary",
        facts={"authorisation": dict(authorisation)},
        items={"manifest": session.manifest.sha256},
    )
    require_nothing_missing(signed, pack)
    last = replace(signed.steps[8], state="done", completed_at=act.at)
    closed = replace(
        signed,
        state=SessionState.CLOSED,
        steps=(*signed.steps[:8], last),
        closed_at=act.at,
        manifest=replace(session.manifest, notary=dict(authorisation)),
    )
    public = {"session": session.id, "duration_ms": act.at - session.opened_at}
    ended = happened(
        session,
        act.then(),
        "session-closed",
        facts=flagged(session),
        public=public,
        items={"manifest": session.manifest.sha256},
    )
    return closed, events + ended


def seal(session: Session, act: Act, *, first: int, last: int) -> Change:
    """The seal entry: the case's entries `first` to `last` are all there is of this session."""
    if session.state is not SessionState.CLOSED or session.manifest is None:
        raise DomainError("session-state", state=session.state.value)
    public = {
        "session": session.id,
        "first_case_seq": first,
        "last_case_seq": last,
        "count": last - first + 1,
    }
    return replace(session, seal_event=act.event), happened(
        session, act, "session-seal", public=public, items={"manifest": session.manifest.sha256}
    )


def sealed(session: Session, act: Act, *, index: int, tree_size: int) -> Change:
    """The seal entry rests in a signed and timestamped tree: SEALED."""
    if session.state is not SessionState.CLOSED or session.seal_event is None:
        raise DomainError("session-state", state=session.state.value)
    public = {"seal_index": index, "tree_size": tree_size}
    return replace(session, state=SessionState.SEALED), happened(
        session, act, "session-sealed", public=public
    )
