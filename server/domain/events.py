"""What happened: the events that commands return, and the act that caused them.

An event becomes one entry of the ledger. `public` holds what may stand there in clear (counts,
intervals, step names: nothing personal); `facts` and `items` reach it only as salted commitments
(LEDGER.md 7).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Chain = Literal["case", "register"]
ERASED = "erased"
"""The kind of the one event of a case's own chain that is written when its evidence key is gone."""

KINDS = frozenset(
    {
        # the application
        *("case-created", "field-filled", "paper-added", "case-submitted", "supplement-given"),
        *("consent-given", "consent-refused", "applicant-informed", "session-booked"),
        *("device-checked", "case-withdrawn", "matter-rated"),
        # its handling
        *("precheck-begun", "supplement-asked", "case-accepted", "case-declined", "case-refused"),
        *("case-terminated", "session-void", "legal-hold-set", "legal-hold-lifted", ERASED),
        # the session
        *("session-opened", "session-interrupted", "session-resumed", "session-aborted"),
        *("session-closed", "session-seal", "session-sealed", "step-completed", "evidence-seen"),
        *("instruction-given", "record-line", "record-corrected", "record-disputed"),
        *("page-turned", "page-seen", "finding", "identity-not-accepted"),
        *("take-started", "take-ended", "segment", "gap", "key-certified", "signing-prepared"),
        # the certificate
        *("review-begun", "certificate-drafted", "certificate-certified", "claim-judged"),
        *("case-returned", "case-approved", "act-intended", "act-completed", "certificate-issued"),
        *("certificate-delivered", "status-list"),
    }
)
"""Every kind of event there is. Each has its words (rules/words.toml): an event of any other kind
would be shown to people as its key, so there can be none."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, when (ms UTC), and the id (32 hex) its event will bear."""

    actor: str
    at: int
    event: str

    def then(self) -> "Act":
        """The same act's next event; its id follows from this one, so a repeat is the same.

        What the id begins with, the time, stays.
        """
        derived = hashlib.sha256(f"{self.event}/then".encode()).hexdigest()
        return replace(self, event=self.event[:12] + derived[:20])


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a case.

    `facts`: private plain values, canonical JSON; `items`: name -> SHA-256 (hex) of content kept
    elsewhere; `public`: plain values that stand in the ledger in clear. Events of the chain
    "register" issue or change a certificate and go to the office's public register.
    """

    id: str
    case_id: str
    kind: str
    at: int
    actor: str
    facts: Mapping[str, object] = field(default_factory=dict)
    public: Mapping[str, object] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    session_id: str | None = None
    chain: Chain = "case"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"an event of a kind that has no words: {self.kind}")


Events = tuple[Event, ...]
