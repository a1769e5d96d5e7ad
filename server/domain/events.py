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


Events = tuple[Event, ...]
