"""What a log tells everybody of itself: how it grew, and how far each witness has followed.

All of it is read off published checkpoints and the cosignatures kept beside them, so whoever keeps
a mirror can hold it against the truth; but that a witness is silent, and since when, is the log's
word alone. There is nothing of anybody's case in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.cosigning import Peer, Witnesses
from ledger.errors import NoteError
from ledger.note import Verifier, split_note
from ledger.store import Store

STEPS_MS = (60_000, 600_000, 3_600_000, 86_400_000, 604_800_000, 2_419_200_000)
"""A minute, ten, an hour, a day, a week, four weeks: how wide a step of `Growth` may be."""
MOST_STEPS = 60
_TIMED_BYTES = 8 + 2420
"""An ML-DSA-44 line: seconds since epoch, then the signature (C2SP tlog-cosignature)."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How many entries the newest checkpoint had at the end of each step of time.

    start: when the first step began, ms since epoch. before: entries there were by then. sizes:
    one for each step; the last step is under way.
    """

    start: int
    step_ms: int
    before: int
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Follower:
    """One witness: the keys it has at one address, or a key that is asked nowhere.

    keys: as verifier keys. size: of the newest checkpoint that any of them signed; note: that
    checkpoint with their lines. failing_since: ms since epoch, when it is asked in vain. answers:
    whether it does, though it does not sign.
    """

    name: str
    keys: tuple[str, ...]
    asked: bool
    size: int | None
    note: str | None
    failing_since: int | None
    answers: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A log as it stands. size: of the newest checkpoint. policy: who has to cosign it, as text.

    seals_waiting: those that are not done yet.
    """

    size: int
    policy: str | None
    followers: tuple[Follower, ...]
    growth: Growth | None
    seals_waiting: int


class Survey:
    """Reads a log's standing off the disk: for any thread but the event loop's.

    What is past does not change, so it is looked up once. `waiting` counts seals. Since when a
    witness is silent only the process knows that asks it.
    """

    def __init__(
        self, store: Store, witnesses: Witnesses | None, *, waiting: Callable[[], int]
    ) -> None:
        self._store = store
        self._witnesses = witnesses
        self._waiting = waiting
        self._lock = threading.Lock()
        self._signed: dict[str, int] = {}
        self._ends: dict[int, int] = {}

    def standing(self, *, now: int, zone_ms: int = 0) -> Standing:
        """The standing at `now`, ms since epoch. zone_ms: how far local midnight is ahead of UTC's.

        Raises StoreError.
        """
        with self._lock:
            newest = self._store.last_checkpoint()
            size = newest[0] if newest else 0
            growth = self._growth(size, now, zone_ms)
            policy = self._witnesses.policy.text if self._witnesses else None
            return Standing(size, policy, self._followers(), growth, self._waiting())

    # -- witnesses ----------------------------------------------------------------------------

    def _followers(self) -> tuple[Follower, ...]:
        if self._witnesses is None:
            return ()
        # Who signed in former lives of this process, and at the bidding of one that leads now.
        since = max(self._signed.values(), default=0)
        self._signed |= self._store.newest_cosignatures(since)
        asked = [self._follower(peer.verifiers, peer) for peer in self._witnesses.peers]
        unasked = [each for each in self._witnesses.policy.witnesses if each.url is None]
        return (*asked, *(self._follower((each.verifier,), None) for each in unasked))

    def _follower(self, verifiers: Sequence[Verifier], peer: Peer | None) -> Follower:
        known = tuple(f"{each.name}+{each.key_id.hex()}" for each in verifiers)
        sizes = [self._signed[who] for who in known if who in self._signed]
        if peer is not None and peer.cosigned >= 0:
            sizes.append(peer.cosigned)
        size = max(sizes, default=None)
        return Follower(
            name=verifiers[0].name,
            keys=tuple(each.vkey for each in verifiers),
            asked=peer is not None,
            size=size,
            note=self._note(size, known),
            failing_since=peer.failing_since if peer else None,
            answers=peer.answers if peer else True,
        )

    def _note(self, size: int | None, known: Sequence[str]) -> str | None:
        if size is None:
            return None
        found = self._store.checkpoint_from(size)
        if found is None or found[0] != size:
            return None
        lines = self._store.cosignatures(size)
        return found[1] + "".join(lines[who] for who in known if who in lines)

    # -- growth -------------------------------------------------------------------------------

    def _growth(self, size: int, now: int, zone_ms: int) -> Growth | None:
        first = self._store.checkpoint_from(1)
        began = _signed_at(first[1]) if first else None
        if began is None:
            return None
        now = max(now, began)

        def step_of(at: int, wide: int) -> int:
            return (at + zone_ms) // wide

        fits = [w for w in STEPS_MS if step_of(now, w) - step_of(began, w) < MOST_STEPS]
        step_ms = fits[0] if fits else STEPS_MS[-1]
        last = step_of(now, step_ms)
        start = max(step_of(began, step_ms), last - MOST_STEPS + 1)
        edges = [step * step_ms - zone_ms for step in range(start, last + 1)]
        before = self._size_at(edges[0], size)
        return Growth(
            start=edges[0],
            step_ms=step_ms,
            before=before,
            sizes=(*(self._size_at(edge, size) for edge in edges[1:]), size),
        )

    def _size_at(self, at: int, newest: int) -> int:
        """The size of the newest checkpoint signed before `at`, by halving; 0 before the first."""
        if at in self._ends:
            return self._ends[at]
        low, high = 0, newest  # low is the size of one signed before `at`, or 0
        while low < high:
            found = self._store.checkpoint_from((low + high) // 2 + 1)
            if found is None:
                high = (low + high) // 2
                continue
            signed = _signed_at(found[1])
            if signed is not None and signed < at:
                low = found[0]
            else:
                high = (low + high) // 2
        self._ends[at] = low
        if len(self._ends) > 4 * MOST_STEPS * len(STEPS_MS):
            self._ends.clear()
        return low


def _signed_at(note: str) -> int | None:
    """When a log has signed its checkpoint, ms, by the timestamped line that its name stands at."""
    try:
        text, lines = split_note(note)
    except NoteError:
        return None
    origin = text.split("\n", 1)[0]
    for name, _, signature in lines:
        if name == origin and len(signature) == _TIMED_BYTES:
            return int.from_bytes(signature[:8], "big") * 1000
    return None
