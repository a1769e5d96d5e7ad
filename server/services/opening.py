"""What the opening words are drawn from: the newest checkpoint an outside party has signed.

Nobody, not the office either, can know a witness's signature or an authority's token before it is
made. So words derived from it date a recording in which they are read aloud: it is not older.
Without an outside party the words are read all the same and date nothing; where one is configured
and has not signed, that is written down.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol

from ledger.anchors import witness_times
from ledger.note import Checkpoint
from server.services.ledger_port import Ledger

Outside = Literal["signed", "unavailable", "none"]


class Stamped(Protocol):
    """A note, an outside authority's token over its bytes, and the time that tells (ms)."""

    @property
    def note(self) -> str: ...
    @property
    def token(self) -> bytes: ...
    @property
    def at(self) -> int: ...


Stamp = Callable[[str], Awaitable[Stamped | None]]
"""A token over a note, or over an earlier one if none can be had now."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A checkpoint note, with the witnesses' lines the words depend on, and so with the token.

    outside: whether an outside party has signed it, is configured but has not, or none is
    configured. age_ms: how old the oldest of what they signed is now; None without any.
    """

    note: str
    outside: Outside
    age_ms: int | None = None
    token: bytes = b""

    @property
    def seed(self) -> bytes:
        """SHA-256 of the note's bytes and the token's behind them."""
        return sha256(self.note.encode() + self.token).digest()

    @property
    def digest(self) -> str:
        """SHA-256 of the note's bytes, hex."""
        return sha256(self.note.encode()).hexdigest()

    @property
    def kept(self) -> dict[str, object]:
        """What the case keeps of it, for its bundle."""
        told: dict[str, object] = {"checkpoint": self.note}
        return told | {"token": b64encode(self.token).decode()} if self.token else told

    @property
    def public(self) -> dict[str, object]:
        """What the entry of the words says in clear: the log's own affairs, nobody's data."""
        told: dict[str, object] = {
            "checkpoint_sha256": self.digest,
            "checkpoint_size": Checkpoint.unverified(self.note).size,
            "outside": self.outside,
        }
        if self.token:
            told["token_sha256"] = sha256(self.token).hexdigest()
        return told if self.age_ms is None else told | {"outside_age": self.age_ms}


Draw = Callable[[], Awaitable[Drawn]]


def drawing_from(ledger: Ledger, clock: Callable[[], int], stamp: Stamp | None = None) -> Draw:
    """Draw from this ledger, and from outside authorities if there are any; `clock`: ms UTC."""

    async def draw() -> Drawn:
        found = ledger.witnessed
        note = found.note if found else await ledger.checkpoint()
        stamped = await stamp(note) if stamp else None
        if stamped is not None:
            note = stamped.note
        times = list(witness_times(note).values()) if found else []
        if stamped is not None:
            times.append(stamped.at)
        if not times:
            return Drawn(note, "unavailable" if found or stamp else "none")
        age = max(0, clock() - min(times))
        return Drawn(note, "signed", age, stamped.token if stamped else b"")

    return draw
