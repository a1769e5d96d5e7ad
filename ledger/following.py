"""The ledger as a process sees it that does not lead: it reads, checks, and remembers.

Every new checkpoint is checked as at a start: signed by this log, the root of the entries there
are, and not behind this process's guard. So a follower notices a database that was put back, and
will not lead it. Nobody outside is asked from here: witnesses and the timestamp authority are the
leader's to ask, and what they said is in the database.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ledger.errors import StoreError
from ledger.generations import Generation
from ledger.guard import Guard, Mark
from ledger.note import LogKeys
from ledger.policy import Policy
from ledger.postgres import Follower
from ledger.read import LogReader, Published, State
from ledger.recovery import recover
from ledger.sealing import Attested, Witnessed


@dataclass(frozen=True, slots=True)
class Seen:
    """The ledger at one look. witnessed: the newest checkpoint seen with a quorum's lines."""

    state: State
    generations: tuple[Generation, ...]
    witnessed: Witnessed | None = None


class Following:
    """What one process has seen of the ledger. `state` may be read by any thread."""

    def __init__(
        self,
        url: str,
        *,
        keys: LogKeys,
        guard: Guard,
        policy: Policy,
        timestamped: bool,
    ) -> None:
        self.store = Follower(url)
        self._keys = keys
        self._guard = guard
        self._policy = policy
        self._timestamped = timestamped
        self._looking = asyncio.Lock()
        self._seen: Seen | None = None
        self._believed = False
        self.reader = LogReader(self.store, lambda: self.seen.state)

    @property
    def knows(self) -> bool:
        """Whether it has seen the ledger."""
        return self._seen is not None

    @property
    def seen(self) -> Seen:
        if self._seen is None:
            raise StoreError("the ledger is between two leaders; ask again in a moment")
        return self._seen

    def adopt(self, state: State, generations: tuple[Generation, ...]) -> None:
        """Go on from where this process led; the next look is at all of it anew."""
        witnessed = self._seen.witnessed if self._seen else None
        self._seen, self._believed = Seen(state, generations, witnessed), False

    async def look(self) -> None:
        """See the newest checkpoint; raises StoreError, or RecoveryError when it is wrong."""
        async with self._looking:
            self._seen = await asyncio.to_thread(self._read, self._seen)
            self._believed = True

    def _read(self, known: Seen | None) -> Seen:
        self.store.open()
        stored = self.store.last_checkpoint()
        published = known.state.published if known else None
        same = published and stored and published.checkpoint.size == stored[0]
        if known and same and self._believed:
            state, generations = known.state, known.generations
        else:
            recovered = recover(self.store, keys=self._keys, guard=self._guard)
            state, generations = recovered.state, recovered.generations
        newest = self._cosigned(state.published)
        # The one before may have met its quorum after it was the newest.
        met = self._met(newest) or self._met(self._cosigned(published))
        met = met or (known.witnessed if known else None)
        return Seen(State(state.edge, newest), generations, met)

    def _cosigned(self, published: Published | None) -> Published | None:
        if published is None:
            return None
        lines = self.store.cosignatures(published.checkpoint.size)
        return replace(published, cosigned="".join(lines.values()))

    def _met(self, published: Published | None) -> Witnessed | None:
        if published is None or not self._policy.asks:
            return None
        note = published.note + published.cosigned
        if not self._policy.holds(note):
            return None
        size = published.checkpoint.size
        return Witnessed(size, note, " ".join(self.store.cosignatures(size)))

    def raise_guard(self) -> None:
        """Remember what was seen; never while this process's own Log may be writing the guard."""
        published = self.seen.state.published
        mark = self._guard.read()
        if published is None or (mark is not None and mark.size >= published.checkpoint.size):
            return
        seen = published.checkpoint
        try:
            self._guard.raise_to(Mark(seen.size, seen.root.hex()))
        except OSError as error:
            raise StoreError(f"the guard could not be written: {error}") from error

    # -- what the leader has gathered -----------------------------------------------------------

    @property
    def witnessed(self) -> Witnessed | None:
        """The newest checkpoint with the quorum's lines, or the newest without; None: no quorum."""
        published = self.seen.state.published
        if self.seen.witnessed is not None or published is None or not self._policy.asks:
            return self.seen.witnessed
        return Witnessed(published.checkpoint.size, published.note, "")

    def attested(self, index: int) -> Attested | None:
        """A checkpoint over an index that has all a seal needs, if there is one."""
        policy = self._policy
        if self._timestamped:
            row = self.store.timestamped(index, witnessed=policy.asks, enough=policy.holds)
            return None if row is None else Attested(*row)
        published = self.seen.state.published
        if published is None or published.checkpoint.size <= index:
            return None
        note = published.note + (published.cosigned if policy.asks else "")
        return Attested(published.checkpoint.size, note, None) if policy.holds(note) else None

    def lacks(self, index: int) -> str | None:
        """What the leader waits for, when nothing is attested over an index: as `Log.pending`."""
        published, met = self.seen.state.published, self.seen.witnessed
        if published is None or published.checkpoint.size <= index:
            return None
        if self._policy.asks and (met is None or met.size <= index):
            return "witnesses"
        return "timestamp" if self._timestamped else None
