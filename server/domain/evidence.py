"""Evidence 证据 of a session: what each step needs, what has been seen, what the recorder tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from server.domain.rules import By, RulePack, StepRule, Words

RECHECK = "identity_recheck"
_RECHECK_TITLE: Words = {"zh-CN": "中断后重新核对身份", "en": "Identity checked again"}


@dataclass(frozen=True, slots=True)
class Mark:
    """Evidence that has been seen. `unavailable`: the machine could not tell.

    `words` are the notary's. `event` carries it into the ledger.
    """

    key: str
    at: int
    by: str
    event: str
    unavailable: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Needed:
    """One piece of evidence a running step needs, with its title in both languages."""

    key: str
    by: By
    title: Words


@dataclass(frozen=True, slots=True)
class Segment:
    """One recorded cluster: times in ms UTC, offset and length in bytes of the take's file."""

    session_id: str
    participant: str
    take: int
    number: int
    start_at: int
    end_at: int
    offset: int
    length: int
    plaintext_sha256: str
    ciphertext_sha256: str
    chain: str
    keyframe: bool
    frames: int


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval the recording does not cover, or covers badly, and why."""

    session_id: str
    participant: str
    take: int
    kind: str  # loss, freeze, mute, stall, reconnect, clock, lag
    start_at: int
    end_at: int
    detail: Mapping[str, object] = field(default_factory=dict)


def needed(
    rule: StepRule, pack: RulePack, *, document_type: str, pages: int, recheck: bool
) -> tuple[Needed, ...]:
    """Everything a step needs for this applicant: patterns like `page_*` are spelled out."""
    found: list[Needed] = []
    for each in rule.evidence:
        if each.document not in (None, document_type):
            continue
        if each.key == "question_*":
            found += [Needed(f"question_{q.key}", each.by, q.text) for q in pack.questions]
        elif each.key == "page_*":
            found += [
                Needed(f"page_{n}", each.by, {k: v.format(n=n) for k, v in each.title.items()})
                for n in range(1, pages + 1)
            ]
        else:
            found.append(Needed(each.key, each.by, each.title))
    if recheck:
        found.append(Needed(RECHECK, "notary", _RECHECK_TITLE))
    return tuple(found)
