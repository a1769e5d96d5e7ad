"""The log as its callers see it: two promises, kept apart.

`append` promises that an entry survives a crash. It waits for nothing but the disk. `seal`
promises that others can check it: an inclusion proof, a signed checkpoint and, where they were
handed in, the cosignatures of witnesses and a token of a timestamp authority. It stays pending
until it has them all (`ledger.sealing`).

A Log owns two threads, one that writes (`ledger.writer`) and one that reads, and three tasks: the
supervisor has the tree signed when that is due; two ask witnesses and the clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ledger.anchors import ReadToken
from ledger.clock import monotonic_ms
from ledger.cosigning import Witnesses
from ledger.entry import Receipt, Submission
from ledger.errors import ClosedError, HistoryError, LedgerError
from ledger.generations import Generation
from ledger.guard import Guard
from ledger.note import LogKeys
from ledger.read import LogReader, State
from ledger.reading import Reading
from ledger.sealing import Sealed, Sealer, Timestamp, Witnessed
from ledger.sequencer import Sequencer, draft_of
from ledger.standing import Survey
from ledger.store import Store
from ledger.writer import Writer

_log = logging.getLogger("ledger")
_T = TypeVar("_T")


class Log(Reading):
    """An open ledger. Make one with `await Log.open(...)`; close it with `await close()`."""

    def __init__(
        self,
        store: Store,
        sequencer: Sequencer,
        *,
        clock: Callable[[], int],
        timestamp: Timestamp | None,
        witnesses: Witnesses | None,
        tick_s: float,
    ) -> None:
        self._store = store
        self._sequencer = sequencer
        self._writer = Writer(sequencer, answered=self._set_tick, broken=self._stop)
        self._sealer = Sealer(
            store,
            sequencer,
            write=self._writer.run,
            read=self._read,
            clock=clock,
            timestamp=timestamp,
            witnesses=witnesses,
        )
        self.survey = Survey(store, witnesses, waiting=lambda: self.waiting)
        """What the log tells everybody of itself; not for the event loop."""
        self._tick_s = tick_s
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
        self._loop = asyncio.get_running_loop()
        self._sealing: list[tuple[int, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._tick: asyncio.TimerHandle | None = None
        self._due = False
        self._closing = False
        self._trouble: LedgerError | None = None
        """Why nothing more is taken, signed or sealed."""
        self._supervisor: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls,
        store: Store,
        *,
        keys: LogKeys | Sequence[LogKeys],
        guard: Path,
        clock: Callable[[], int],
        timestamp: Timestamp | None = None,
        read_token: ReadToken | None = None,
        witnesses: Witnesses | None = None,
        monotonic: Callable[[], int] = monotonic_ms,
        tick_s: float = 1.0,
    ) -> Log:
        """Recover what is in the store and begin to write.

        keys: every generation at hand, the oldest first. clock: ms since epoch.
        guard: a file, best on another volume than the store.
        timestamp: data -> RFC 3161 token (DER) over it. read_token: what a token says; without it
        tokens are neither checked nor logged back. witnesses: asked about each checkpoint,
        and before the first. tick_s: a grown log is signed at most this often, in seconds, unless
        a seal waits. Raises RecoveryError, StoreError.
        """
        held = (keys,) if isinstance(keys, LogKeys) else tuple(keys)
        guarded = Guard(guard, held[0].origin)
        sequencer = Sequencer(
            store, keys=held, guard=guarded, clock=clock, monotonic=monotonic, read_token=read_token
        )
        log = cls(
            store, sequencer, clock=clock, timestamp=timestamp, witnesses=witnesses, tick_s=tick_s
        )
        try:
            await log._writer.run(sequencer.recover)
            await log._sealer.require_known(held[0], at=clock())
            await log._writer.run(sequencer.publish)
        except BaseException:
            await log._release()
            raise
        loop = asyncio.get_running_loop()
        log._supervisor = loop.create_task(log._supervise(), name="ledger supervisor")
        log._beside = [
            loop.create_task(log._cosign(), name="ledger cosigner"),
            loop.create_task(log._sealer.keep_time(), name="ledger timekeeper"),
        ]
        return log

    @property
    def size(self) -> int:
        """How many entries are durable."""
        return self._sequencer.state.edge.size

    @property
    def pending(self) -> str | None:
        """What a seal waits for now: "witnesses", "timestamp", or None."""
        return self._sealer.pending

    @property
    def witnessed(self) -> Witnessed | None:
        """The newest checkpoint with the quorum's lines, or the newest without; None: no quorum."""
        return self._sealer.witnessed

    async def pulse(self) -> None:
        """Do what is due by the clock, as the log does by itself every minute."""
        await self._sealer.pulse()

    @property
    def waiting(self) -> int:
        """How many seals wait, be it for a checkpoint or for the outside."""
        return self._sealer.waiting + len(self._sealing)

    @property
    def state(self) -> State:
        """What is committed and published."""
        return self._sequencer.state

    @property
    def reader(self) -> LogReader:
        return self._sequencer.reader

    # -- promises -----------------------------------------------------------------------------

    async def append(self, submission: Submission) -> Receipt:
        """Record a fact. When this returns, it survives a crash; repeating it changes nothing.

        Raises EntryError, ConflictError, and StoreError or ClockError, after which the same
        submission may be tried again: it will be recorded once.
        """
        self._require_open()
        draft = draft_of(submission)
        del submission  # or the garbage collector looks through it while it waits
        return await self._writer.append(draft)

    async def seal(self, index: int) -> Sealed:
        """Wait until an entry can be proven to others, and return the proof.

        The same entry is always sealed under the same checkpoint, the first one that has all the
        policy asks for. Raises NotFoundError for an entry that is not there, ClosedError.
        """
        self._require_open()
        leaf = await self.leaf(index)
        await self._published(index)
        found = await self._sealer.attested(index)
        path = await self.inclusion(index, found.size)
        return Sealed(index, leaf, path, found.size, found.note, found.token)

    async def accept_clock(self, reason: str) -> Receipt:
        """After a ClockError: the clock is right as it is. The decision is recorded."""
        return await self.tell(lambda sequencer: sequencer.accept_clock(reason))

    # -- keys ---------------------------------------------------------------------------------

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Whose keys sign which trees."""
        return self._sequencer.generations

    async def tell(self, record: Callable[[Sequencer], Receipt]) -> Receipt:
        """Record something about the log itself: `Sequencer.rotate`, `retire`; once is enough."""
        self._require_open()
        receipt = await self._writer.run(lambda: record(self._sequencer))
        self._set_tick()
        return receipt

    # -- life ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Commit what is pending, sign a last checkpoint, let go of the files."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        try:
            await self._end(self._supervisor)
            for task in self._beside:
                task.cancel()
                await self._end(task)
            if self._trouble is None:
                await self._writer.run(self._sequencer.publish)
        except LedgerError as error:
            _log.warning("the last checkpoint could not be published: %s", error)
        finally:
            await self._release()

    async def _end(self, task: asyncio.Task[None] | None) -> None:
        """Wait for a task; what it died of has been logged."""
        if task is not None:
            await asyncio.wait([task])

    async def _release(self) -> None:
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.shutdown)
        self._store.close()

    def _require_open(self) -> None:
        if self._trouble is not None:
            raise self._trouble
        if self._closing:
            raise ClosedError("the ledger is closed; what it acknowledged is kept")

    async def _read(self, work: Callable[[], _T]) -> _T:
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    # -- the supervisor -----------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Have the tree signed when that is due, until the log closes; fail nobody silently."""
        try:
            while not (self._closing or self._trouble):
                await self._wake.wait()
                self._wake.clear()
                await self._publish_if_due()
            await self._writer.drain()
            await self._publish_if_due()
        except Exception:
            _log.exception("the ledger stopped; what it acknowledged is kept")
            raise
        finally:
            gone = self._trouble or ClosedError(
                "the ledger was closed before this was done; submit it again"
            )
            if not self._closing:
                self._trouble = gone
            self._sealer.close(gone)
            self._writer.fail(gone)
            for _, future in self._sealing:
                if not future.done():
                    future.set_exception(gone)
            if self._tick is not None:
                self._tick.cancel()

    def _stop(self, error: BaseException) -> None:
        """Nobody knows what this has left behind, so nothing more is taken."""
        _log.critical("the ledger stopped; what it acknowledged is kept", exc_info=error)
        self._trouble = ClosedError("the ledger stopped before this was done; submit it again")
        self._writer.fail(self._trouble)
        self._wake.set()

    async def _cosign(self) -> None:
        """Have checkpoints cosigned; stop the log when somebody proves that there are two."""
        try:
            await self._sealer.run()
        except HistoryError as error:
            _log.critical("the ledger stopped; what it acknowledged is kept: %s", error)
            self._trouble = error
            self._wake.set()
        except Exception:
            _log.exception("witnesses are asked no more until the next start")
            raise

    async def _publish_if_due(self) -> None:
        if (self._due or self._sealing) and self._trouble is None:
            self._due = False
            try:
                await self._writer.run(self._sequencer.publish)
                self._sealer.published()
            except LedgerError as error:
                _log.error("no checkpoint could be published, it will be tried again: %s", error)
        published = self._sequencer.state.published
        size = published.checkpoint.size if published else 0
        waiting, self._sealing = self._sealing, []
        for index, future in waiting:
            if index >= size:
                self._sealing.append((index, future))
            elif not future.done():
                future.set_result(None)
        self._set_tick()

    def _set_tick(self) -> None:
        """A grown log is due to be signed; set here too while one batch follows another."""
        published = self._sequencer.state.published
        size = published.checkpoint.size if published else 0
        if self._tick is None and self.size > size and not self._closing:
            self._tick = self._loop.call_later(self._tick_s, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        self._due = True
        self._wake.set()

    # -- sealing ------------------------------------------------------------------------------

    async def _published(self, index: int) -> None:
        published = self._sequencer.state.published
        if published is None or published.checkpoint.size <= index:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sealing.append((index, future))
            self._wake.set()
            await future
