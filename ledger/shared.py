"""A ledger that several processes write: one leads, the others hand it what they have.

    leads:    a Log over PostgresStore; what the others posted is appended with its own
    follows:  reads the database, posts to the mailbox, waits for the leader's lock

Which it does changes by itself and no caller notices, but for the time it takes. The lock is free
as soon as the leader's session is gone; a follower waits for it in the database, so the next one
leads at once. What the dead leader had not sequenced is still in the mailbox, and what it had is in
the ledger, where whoever asked finds it by its key: nothing acknowledged can be lost, nothing comes
twice. Followers check every new checkpoint against the entries and their own guard, and so are the
first to notice a database that was put back. Witnesses and the timestamp authority are asked by the
leader alone; the others read what came of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ledger.cosigning import Witnesses
from ledger.entry import Receipt, Submission
from ledger.errands import LOOK_S, Errands, until
from ledger.errors import (
    ClosedError,
    DeposedError,
    LedgerError,
    LockedError,
    NotFoundError,
    StoreError,
)
from ledger.following import Following
from ledger.generations import Generation
from ledger.guard import Guard
from ledger.log import Log
from ledger.mailbox import DONE, POSTED, Mailbox
from ledger.note import LogKeys
from ledger.policy import NO_WITNESSES
from ledger.postgres import ALIVE, Follower, PostgresStore, conninfo
from ledger.read import LogReader
from ledger.reading import Reading
from ledger.sealing import Sealed, Witnessed
from ledger.sequencer import draft_of
from ledger.serving import Serving
from ledger.standing import Survey
from ledger.store import Store

OPEN_S = 30.0
"""How long a start waits for a database that cannot be reached, or has no leader's tables yet."""
LOCK_S = 1.0
"""How long a follower waits for the lock in the database before it looks around and waits again."""

_T = TypeVar("_T")
Lead = Callable[[Store], Awaitable[Log]]
"""Opens a Log over a store, as `partial(Log.open, keys=..., guard=..., clock=...)` does."""

_log = logging.getLogger("ledger")


class SharedLog(Reading):
    """A ledger in PostgreSQL, shared with other processes. It promises what a `Log` does.

    Make one with `await SharedLog.open(...)`; close it with `await close()`.
    """

    def __init__(
        self,
        url: str,
        *,
        lead: Lead,
        keys: LogKeys,
        guard: Path,
        witnesses: Witnesses | None,
        timestamped: bool,
    ) -> None:
        self._url = url
        self._lead = lead
        self._following = Following(
            url,
            keys=keys,
            guard=Guard(guard, keys.origin),
            policy=witnesses.policy if witnesses else NO_WITNESSES,
            timestamped=timestamped,
        )
        self._witnesses = witnesses
        self._store: Follower = self._following.store
        self._mailbox = Mailbox(conninfo(url), settings=ALIVE)
        self._errands = Errands(self._mailbox, self._store)
        self._posted = asyncio.Event()
        self._log: Log | None = None
        self._survey = Survey(self._store, witnesses, waiting=lambda: self.waiting)
        self._seals = 0
        self._lacking: str | None = None
        self._changed = asyncio.Event()
        """Set, and replaced, whenever there may be something new to see."""
        self._closing = asyncio.Event()
        self._trouble: LedgerError | None = None
        self._hindrance: StoreError | None = None
        """Why the ledger could last neither be led nor followed."""
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        lead: Lead,
        keys: LogKeys,
        guard: Path,
        witnesses: Witnesses | None = None,
        timestamped: bool = False,
        patience_s: float = OPEN_S,
    ) -> SharedLog:
        """Lead, if nobody does; else follow.

        lead: opens a Log with these keys, this guard and these witnesses. keys: the log's first.
        guard: this process's own file. timestamped: whether a seal needs a token; that and the
        policy are the same in every process. Raises RecoveryError, and StoreError when the ledger
        could neither be led nor read within `patience_s` seconds.
        """
        log = cls(
            url, lead=lead, keys=keys, guard=guard, witnesses=witnesses, timestamped=timestamped
        )
        loop = asyncio.get_running_loop()
        log._tasks = [
            loop.create_task(log._supervise(), name="ledger leadership"),
            loop.create_task(log._listen(), name="ledger mailbox"),
            loop.create_task(log._errands.run(), name="ledger errands"),
        ]
        try:
            async with asyncio.timeout(patience_s):
                while log._log is None and not log._following.knows:
                    log._require_open()
                    await log._news()
        except TimeoutError:
            await log.close()
            silent = "the ledger's database did not answer; start again when it does"
            raise log._hindrance or StoreError(silent) from None
        except BaseException:
            await log.close()
            raise
        return log

    @property
    def leads(self) -> bool:
        """Whether this process sequences and signs, as far as it knows."""
        return self._log is not None

    @property
    def size(self) -> int:
        return (self._log.state if self._log else self._following.seen.state).edge.size

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Whose keys sign which trees."""
        return self._log.generations if self._log else self._following.seen.generations

    @property
    def reader(self) -> LogReader:
        return self._log.reader if self._log else self._following.reader

    @property
    def survey(self) -> Survey:
        """What the log tells everybody of itself; not for the event loop."""
        return self._log.survey if self._log else self._survey

    @property
    def witnessed(self) -> Witnessed | None:
        """The newest checkpoint with the quorum's lines, or the newest without; None: no quorum."""
        return self._log.witnessed if self._log else self._following.witnessed

    @property
    def pending(self) -> str | None:
        """What a seal asked for here waits for now: "witnesses", "timestamp", or None."""
        return self._log.pending if self._log else self._lacking

    @property
    def waiting(self) -> int:
        """How many seals wait: where this process leads everybody's, else its own."""
        return self._log.waiting if self._log else self._seals

    # -- promises -----------------------------------------------------------------------------

    async def append(self, submission: Submission) -> Receipt:
        """Record a fact, whoever leads. See `Log.append`."""
        draft = draft_of(submission)
        while True:
            self._require_open()
            log = self._log
            if log is None:
                return await self._errands.append(draft, submission)
            try:
                return await log.append(submission)
            except (DeposedError, LockedError, ClosedError) as error:
                # It may have been recorded; whoever leads next will say so.
                _log.warning("this process may have been deposed: %s", error)
                self._posted.set()
            while self._log is log and not self._closing.is_set():
                await self._news()

    async def seal(self, index: int) -> Sealed:
        """Wait until an entry can be proven to others, whoever leads. See `Log.seal`."""
        leaf = await self.leaf(index)
        self._seals += 1
        try:
            return await self._seal(index, leaf)
        finally:
            self._seals -= 1
            if not self._seals:
                self._lacking = None

    async def _seal(self, index: int, leaf: bytes) -> Sealed:
        while True:
            self._require_open()
            log = self._log
            if log is None:
                sealed = await self._sealed(index, leaf)
                if sealed is not None:
                    return sealed
                await self._ask(index)
            else:
                try:
                    return await log.seal(index)
                except (DeposedError, LockedError, ClosedError):
                    self._posted.set()
            await self._news()

    async def _ask(self, index: int) -> None:
        try:
            await self._mailbox.wish(index)
        except StoreError as error:
            _log.warning("a seal is asked for again: %s", error)

    async def _sealed(self, index: int, leaf: bytes) -> Sealed | None:
        """The seal of an entry, once the leader has gathered all it needs."""
        try:
            await self._following.look()
            found = await asyncio.to_thread(self._following.attested, index)
            if found is None:
                self._lacking = self._following.lacks(index)
                return None
            path = await self.inclusion(index, found.size)
        except (StoreError, NotFoundError):  # not yet, or between two leaders
            return None
        return Sealed(index, leaf, path, found.size, found.note, found.token)

    async def _read(self, work: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(work)

    # -- life ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Leave the lead to another, if this process has it; let go of the database."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._posted.set()
        self._tell()
        gone = ClosedError("the ledger was closed before this was done; submit it again")
        self._errands.fail(self._trouble or gone)
        supervisor, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.wait([supervisor, *others])
        await self._mailbox.close()
        await asyncio.to_thread(self._store.close)

    def _require_open(self) -> None:
        if self._trouble is not None:
            raise self._trouble
        if self._closing.is_set():
            raise ClosedError("the ledger is closed; what it acknowledged is kept")

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _news(self) -> None:
        """Wait for something new, or look anyhow."""
        await until(self._changed, LOOK_S)

    # -- leading ------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Follow, and lead whenever the lock is free, until closed or in trouble."""
        try:
            while not self._closing.is_set():
                try:
                    store = PostgresStore(self._url, patience_s=LOCK_S)
                    await self._reign(await self._lead(store), store)
                except LockedError:
                    await self._follow()
                except StoreError as error:
                    self._hindrance = error
                    _log.warning("the ledger is tried again: %s", error)
                    await until(self._closing, LOOK_S)
        except LedgerError as error:
            _log.critical("the ledger stopped; what it acknowledged is kept: %s", error)
            self._trouble = error
            self._errands.fail(error)
        except Exception:
            _log.exception("the ledger stopped; what it acknowledged is kept")
            self._trouble = ClosedError("the ledger stopped; see the server's log")
            self._errands.fail(self._trouble)
            raise
        finally:
            self._tell()

    async def _follow(self) -> None:
        try:
            await self._following.look()
            await asyncio.to_thread(self._following.raise_guard)
            self._tell()
        except StoreError as error:
            self._hindrance = error
            _log.warning("the ledger cannot be followed just now: %s", error)
            await until(self._closing, LOOK_S)

    async def _reign(self, log: Log, store: PostgresStore) -> None:
        """Lead until closed, or until the lock is lost."""
        _log.info("this process leads the ledger, from entry %d on", log.size)
        serving = Serving(log, self._mailbox)
        self._log = log
        self._tell()
        try:
            while not self._closing.is_set():
                self._posted.clear()
                try:
                    await serving.serve()
                except StoreError as error:
                    _log.warning("the mailbox is looked into again: %s", error)
                if not await asyncio.to_thread(store.leads):
                    _log.warning("this process does not lead the ledger any more")
                    return
                await until(self._posted, LOOK_S)
        finally:
            self._following.adopt(log.state, log.generations)
            self._log = None
            if self._witnesses is not None:
                self._witnesses.rest()
            serving.end()
            await log.close()
            self._tell()

    # -- the mailbox --------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Keep the mailbox open and pass on what is heard there."""
        connected = False
        while True:
            try:
                if not connected:
                    await self._mailbox.open()
                    connected = True
                heard = await self._mailbox.heard(LOOK_S)
            except StoreError as error:
                _log.warning("the mailbox is opened again: %s", error)
                connected = False
                await until(self._closing, LOOK_S)
                continue
            if POSTED in heard:
                self._posted.set()
            if DONE in heard:
                self._errands.news.set()
                self._tell()
