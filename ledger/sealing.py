"""What the outside must say before an entry is sealed: the witnesses' quorum, then a timestamp.

    published -> cosigned by a quorum -> timestamped, cosignatures and all -> kept

Nothing here is on an append's way. A seal waits for all of it and fails closed: while the outside
is down it is pending, and everybody is asked again, at growing intervals, one flight at a time.
With no witnesses configured there is only the timestamp, with no authority only the checkpoint.

An authority that is not ours is asked once in so many seconds on the whole (`Paced`); what is
sealed while it must be left alone shares the next token.

By the clock, without any seal: a token each hour if the log has grown, and once a day a heartbeat,
which has everything logged back and asks everybody anew (`ledger.anchors`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ledger.anchors import TIMESTAMP
from ledger.cosigning import Witnesses
from ledger.errors import LedgerError, NotFoundError
from ledger.merkle import EMPTY_ROOT
from ledger.note import LogKeys, Signature, sign_checkpoint
from ledger.policy import NO_WITNESSES
from ledger.read import Published
from ledger.sequencer import Sequencer
from ledger.store import Store

TOKEN_DEADLINE_S = 10.0
RETRY_S = (0.1, 10.0)
"""The first and the longest wait before a failing timestamp authority is asked again."""

PULSE_S = 60.0
"""How often it is looked whether something is due by the clock."""
HOUR_MS, DAY_MS = 3_600_000, 86_400_000

Timestamp = Callable[[bytes], Awaitable[bytes]]
"""Data to an RFC 3161 token (DER) over it."""

_log = logging.getLogger("ledger")


class Paced:
    """An authority that is not ours to load: asked once in `pace_s` on the whole, whoever asks.

    After it was left alone it may be asked up to `at_once` times without waiting: what one act
    seals, one entry after the other, is not kept up by what nobody else asks for.
    """

    def __init__(
        self,
        ask: Timestamp,
        *,
        pace_s: float,
        at_once: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._pace_s = pace_s
        self._ahead_s = pace_s * (at_once - 1)
        self._monotonic = monotonic
        self._paid_until = -math.inf

    @property
    def wait_s(self) -> float:
        """How long until it may be asked again, seconds."""
        return max(0.0, self._paid_until - self._ahead_s - self._monotonic())

    async def turn(self) -> None:
        """Wait until it may be asked."""
        while self.wait_s > 0:  # noqa: ASYNC110 - nobody tells that time has passed
            await asyncio.sleep(self.wait_s)

    async def __call__(self, data: bytes) -> bytes:
        await self.turn()
        self._paid_until = max(self._paid_until, self._monotonic()) + self._pace_s
        return await self._ask(data)


_T = TypeVar("_T")


class Run(Protocol):
    """Runs work in one of the log's own threads; raises ClosedError once the log is closed."""

    async def __call__(self, work: Callable[[], _T], /) -> _T: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """What anyone needs to check one entry offline.

    inclusion: lowercase hex, leaf's sibling first. checkpoint: the signed note, with the lines of
    the witnesses' quorum where there are any. timestamp: RFC 3161 token (DER) over that note's
    UTF-8 bytes, None without an authority.
    """

    index: int
    leaf: bytes
    inclusion: tuple[str, ...]
    tree_size: int
    checkpoint: str
    timestamp: bytes | None


@dataclass(frozen=True, slots=True)
class Attested:
    """A checkpoint and what others said of it. `note` has the cosignatures the token is over."""

    size: int
    note: str
    token: bytes | None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The newest checkpoint that a quorum has signed. who: the keys, as the store names them."""

    size: int
    note: str
    who: str


class Sealer:
    """Gathers what seals need. Owned by a Log, which runs `run` and tells it of new checkpoints."""

    def __init__(
        self,
        store: Store,
        sequencer: Sequencer,
        *,
        write: Run,
        read: Run,
        clock: Callable[[], int],
        timestamp: Timestamp | None,
        witnesses: Witnesses | None,
    ) -> None:
        self._store = store
        self._sequencer = sequencer
        self._write = write
        self._read = read
        self._clock = clock
        self._timestamp = timestamp
        self._witnesses = witnesses
        self._policy = witnesses.policy if witnesses else NO_WITNESSES
        self._flight = asyncio.Lock()
        self._news = asyncio.Event()
        self._met = asyncio.Event()
        self._witnessed: Witnessed | None = None
        self._closed: BaseException | None = None
        self.pending: str | None = None
        """What a seal is waiting for: "witnesses", "timestamp", or None."""
        self.waiting = 0
        """How many seals wait for the outside."""

    # -- sealing ------------------------------------------------------------------------------

    async def attested(self, index: int) -> Attested:
        """The first checkpoint over an index that has all the policy asks for; waits for one.

        A checkpoint over the index must have been published.
        """
        found = await self._stored(index)
        if found is not None:
            return found
        self.waiting += 1
        try:
            async with self._flight:  # others may have waited for the same
                found = await self._stored(index)
                if found is not None:
                    return found
                try:
                    return await self._attest(index)
                finally:
                    self.pending = None
        finally:
            self.waiting -= 1

    async def _stored(self, index: int) -> Attested | None:
        row = await self._read(
            lambda: self._store.timestamped(
                index, witnessed=self._policy.asks, enough=self._policy.holds
            )
        )
        return None if row is None else Attested(*row)

    async def _attest(self, index: int) -> Attested:
        ready = await self._ready(index)
        if self._timestamp is None:
            return Attested(ready.size, ready.note, None)
        if await self._waited():  # one token for all that was sealed meanwhile
            ready = await self._ready(index)
        token = await self._request_token(self._timestamp, ready.note.encode())
        await self._keep_token(ready, token)
        return Attested(ready.size, ready.note, token)

    async def _waited(self) -> bool:
        """Wait for the authority's turn; whether that took a while."""
        if not isinstance(self._timestamp, Paced) or self._timestamp.wait_s <= 0:
            return False
        self.pending = "timestamp"
        await self._timestamp.turn()
        self._require_open()
        return True

    async def _keep_token(self, ready: Witnessed, token: bytes) -> None:
        await self._write(lambda: self._sequencer.attest(ready.size, TIMESTAMP, token, ready.who))

    def _newest(self) -> Witnessed | None:
        """What a token may be over now: the newest of the quorum's, or simply the newest."""
        published = self._sequencer.state.published
        if self._policy.asks or published is None:
            return self._witnessed
        return Witnessed(published.checkpoint.size, published.note, "")

    async def _ready(self, index: int) -> Witnessed:
        """A checkpoint over the index that the quorum has signed, or simply the newest."""
        if not self._policy.asks:
            newest = self._newest()
            if newest is None:
                raise NotFoundError("no checkpoint has been published")
            return newest
        while self._witnessed is None or self._witnessed.size <= index:
            self.pending = "witnesses"
            met = self._met
            self._require_open()
            await met.wait()
        return self._witnessed

    async def _request_token(self, timestamp: Timestamp, note: bytes) -> bytes:
        wait, longest = RETRY_S
        while True:
            try:
                return await self._token(timestamp, note)
            except Exception as error:  # noqa: BLE001 - an authority may fail in any way
                _log.warning("no timestamp, asking again in %.1f s: %s", wait, error)
            self.pending = "timestamp"
            self._require_open()
            await asyncio.sleep(wait)
            self._require_open()
            await self._waited()
            wait = min(wait * 2, longest)

    async def _token(self, timestamp: Timestamp, note: bytes) -> bytes:
        """One token over the note, whose time can be."""
        async with asyncio.timeout(TOKEN_DEADLINE_S):
            token = await timestamp(note)
        credible, now = self._sequencer.anchoring.require_credible, self._clock()
        await self._read(lambda: credible(token, note, clock=now))
        return token

    def _require_open(self) -> None:
        if self._closed is not None:
            raise self._closed

    # -- by the clock -------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """Do what is due, until closed."""
        while self._closed is None:
            await asyncio.sleep(PULSE_S)
            try:
                await self.pulse()
            except (LedgerError, OSError, TimeoutError) as error:
                _log.warning("what is due by the clock is tried again: %s", error)

    async def pulse(self) -> None:
        """Do what is due now. Raises LedgerError, or what the authority raises."""
        anchoring, now = self._sequencer.anchoring, self._clock()
        if anchoring.waits and now - (anchoring.heard_at or now) >= DAY_MS:
            await self._write(self._sequencer.beat)
            await self._write(self._sequencer.publish)
            self.published()
        if self._timestamp is None or now - (anchoring.timed_at or 0) < HOUR_MS:
            return
        async with self._flight:
            await self._waited()
            ready = self._newest()
            if ready is not None and ready.size > anchoring.timed:
                token = await self._token(self._timestamp, ready.note.encode())
                await self._keep_token(ready, token)

    # -- witnesses ----------------------------------------------------------------------------

    @property
    def witnessed(self) -> Witnessed | None:
        """The newest checkpoint with the quorum's lines, or the newest without any; None when no
        witness is asked for."""
        published = self._sequencer.state.published
        if self._witnessed is not None or published is None or not self._policy.asks:
            return self._witnessed
        note = published.note + published.cosigned
        enough = self._policy.holds(note)
        return Witnessed(published.checkpoint.size, note if enough else published.note, "")

    async def require_known(self, keys: LogKeys, *, at: int) -> None:
        """Before the log signs anything: raise HistoryError if a witness knows another history.

        A log that has published nothing asks about the empty tree, of which it may sign as much
        as it likes; `at` is now, in ms.
        """
        if self._witnesses is None:
            return
        published = self._sequencer.state.published
        note = published.note if published else _nothing(keys, at)
        keep = self._keeper(published) if published else _forget
        await self._witnesses.require_known(note, self, keep)

    async def run(self) -> None:
        """Have every new checkpoint cosigned, until closed. Raises HistoryError, with proof."""
        while self._witnesses is not None and self._closed is None:
            self._news.clear()
            published = self._sequencer.state.published
            pause = self._witnesses.pause(published.checkpoint.size) if published else None
            if published is not None and pause == 0:
                await self._witnesses.round(published.note, self, self._keeper(published))
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._news.wait()
            except TimeoutError:
                continue

    def published(self) -> None:
        """There is a new checkpoint."""
        self._news.set()

    def close(self, why: BaseException) -> None:
        """Let nobody wait any more; they are told why."""
        self._closed = why
        self._news.set()
        self._met.set()

    def _keeper(self, published: Published) -> Callable[[tuple[Signature, ...]], Awaitable[None]]:
        size = published.checkpoint.size

        async def keep(signatures: tuple[Signature, ...]) -> None:
            lines = await self._write(lambda: self._sequencer.cosign(size, signatures))
            note = published.note + "".join(lines.values())
            if self._policy.holds(note):
                self._meet(Witnessed(size, note, " ".join(lines)))

        return keep

    def _meet(self, witnessed: Witnessed) -> None:
        if self._witnessed is None or self._witnessed.size <= witnessed.size:
            self._witnessed = witnessed
            self._met.set()
            self._met = asyncio.Event()

    # -- the tree, for proofs to witnesses ----------------------------------------------------

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        """The proof that the tree of `old` leaves is a prefix of that of `new`, lowercase hex."""
        reader = self._sequencer.reader
        return await self._read(lambda: reader.consistency(old, new))

    async def root(self, size: int) -> bytes:
        """The root of the tree of `size` leaves."""
        return await self._read(lambda: self._sequencer.reader.root(size))


def _nothing(keys: LogKeys, at: int) -> str:
    return sign_checkpoint(keys, size=0, root=EMPTY_ROOT, at=at)


async def _forget(signatures: tuple[Signature, ...]) -> None:
    """What is signed about the empty tree is of no use to anybody."""
