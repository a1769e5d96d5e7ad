"""What the opening words are drawn from: the newest checkpoint an outside party has signed.

Nobody, not the office either, can know a witness's signature before it is made. So words derived
from it date a recording in which they are read aloud: it is not older. Without an outside party
the words are read all the same and date nothing; where one is configured and has not signed, that
is written down.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from ledger.anchors import witness_times
from ledger.note import Checkpoint
from server.services.ledger_port import Ledger

Outside = Literal["signed", "unavailable", "none"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A checkpoint note, with the witnesses' lines the words depend on.

    outside: whether a quorum has signed it, is configured but has not, or none is configured.
    age_ms: how old the quorum's oldest signature is now; None without one.
    """

    note: str
    outside: Outside
    age_ms: int | None = None

    @property
    def seed(self) -> bytes:
        """SHA-256 of the note's bytes."""
        return sha256(self.note.encode()).digest()

    @property
    def public(self) -> dict[str, object]:
        """What the entry of the words says in clear: the log's own affairs, nobody's data."""
        told: dict[str, object] = {
            "checkpoint_sha256": self.seed.hex(),
            "checkpoint_size": Checkpoint.unverified(self.note).size,
            "outside": self.outside,
        }
        return told if self.age_ms is None else told | {"outside_age": self.age_ms}


Draw = Callable[[], Awaitable[Drawn]]


def drawing_from(ledger: Ledger, clock: Callable[[], int]) -> Draw:
    """Draw from this ledger; `clock`: ms UTC."""

    async def draw() -> Drawn:
        found = ledger.witnessed
        if found is None:
            return Drawn(await ledger.checkpoint(), "none")
        times = witness_times(found.note)
        if not times:
            return Drawn(found.note, "unavailable")
        return Drawn(found.note, "signed", max(0, clock() - min(times.values())))

    return draw
