"""The ledger as a process sees it that does not lead: it reads, checks, and remembers.

Every new checkpoint is checked as at a start: signed by this log, the root of the entries there
are, and not behind this process's guard. So a follower notices a database that was put back, and
will not lead it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ledger.errors import StoreError
from ledger.guard import Guard, Mark
from ledger.note import LogKeys
from ledger.policy import Policy
from ledger.postgres import Follower
from ledger.read import LogReader, State
from ledger.recovery import recover


class Following:
    """What one process knows of a ledger that another writes. Methods are for threads, but `look`.

    policy, timestamped: what a seal needs.
    """

    def __init__(
        self, url: str, *, keys: LogKeys, guard: Guard, policy: Policy, timestamped: bool
    ) -> None:
        self.store = Follower(url)
        self._keys = keys
        self._guard = guard
        self._policy = policy
        self._timestamped = timestamped
        self._looking = asyncio.Lock()
        self._state: State | None = None
        self.reader = LogReader(self.store, lambda: self.state)

    @property
    def knows(self) -> bool:
        """Whether it has seen the ledger."""
        return self._state is not None

    @property
    def state(self) -> State:
        if self._state is None:
            raise StoreError("the ledger is between two leaders; ask again in a moment")
        return self._state

    def forget(self) -> None:
        """Look at all of it anew: this process has led, and does not any more."""
        self._state = None

    async def look(self) -> None:
        """See the newest checkpoint; raises StoreError, or RecoveryError when it is wrong."""
        async with self._looking:
            self._state = await asyncio.to_thread(self._read, self._state)

    def _read(self, known: State | None) -> State:
        self.store.open()
        stored, published = self.store.last_checkpoint(), known and known.published
        if known and published and stored and published.checkpoint.size == stored[0]:
            cosigned = "".join(self.store.cosignatures(stored[0]).values())
            return State(known.edge, replace(published, cosigned=cosigned))
        return recover(self.store, keys=self._keys, guard=self._guard).state

    def raise_guard(self) -> None:
        """Remember what was seen; never while this process's own Log may be writing the guard."""
        published = self.state.published
        mark = self._guard.read()
        if published is None or (mark is not None and mark.size >= published.checkpoint.size):
            return
        seen = published.checkpoint
        try:
            self._guard.raise_to(Mark(seen.size, seen.root.hex()))
        except OSError as error:
            raise StoreError(f"the guard could not be written: {error}") from error

    def attested(self, index: int) -> tuple[int, str, bytes | None] | None:
        """Size, note and token of a checkpoint over an index that has all a seal needs, if any."""
        policy = self._policy
        if self._timestamped:
            return self.store.timestamped(index, witnessed=policy.asks, enough=policy.holds)
        published = self.state.published
        if published is None or published.checkpoint.size <= index:
            return None
        note = published.note + (published.cosigned if policy.asks else "")
        return (published.checkpoint.size, note, None) if policy.holds(note) else None
