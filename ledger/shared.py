"""A ledger that several processes write: one leads, the others hand it what they have.

    leads:    a Log over PostgresStore; what the others posted is appended with its own
    follows:  reads the database, posts to the mailbox, waits for the leader's lock

Which it does changes by itself and no caller notices, but for the time it takes. The lock is free
as soon as the leader's session is gone; a follower waits for it in the database, so the next one
leads at once. What the dead leader had not sequenced is still in the mailbox, and what it had is in
the ledger, where whoever asked finds it by its key: nothing acknowledged can be lost, nothing comes
twice. Followers check every new checkpoint against the entries and their own guard, and so are the
first to notice a database that was put back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from ledger.entry import Receipt, Submission
from ledger.errands import LOOK_S, REFUSALS, Errands, until
from ledger.errors import (
    ClosedError,
    ConflictError,
    DeposedError,
    EntryError,
    LedgerError,
    LockedError,
    NotFoundError,
    StoreError,
)
from ledger.following import Following
from ledger.guard import Guard
from ledger.log import Log
from ledger.mailbox import DONE, POSTED, Letter, Mailbox
from ledger.note import LogKeys
from ledger.policy import NO_WITNESSES, Policy
from ledger.postgres import ALIVE, PostgresStore, conninfo
from ledger.read import LogReader
from ledger.sealing import Sealed
from ledger.sequencer import draft_of
from ledger.store import Store

LOCK_S = 1.0
"""How long a follower waits for the lock in the database before it looks around and waits again."""
LETTERS = 512

Lead = Callable[[Store], Awaitable[Log]]
"""Opens a Log over a store, as `partial(Log.open, keys=..., guard=..., clock=...)` does."""

_log = logging.getLogger("ledger")


class SharedLog:
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
        policy: Policy,
        timestamped: bool,
    ) -> None:
        self._url = url
        self._lead = lead
        self._following = Following(
            url,
            keys=keys,
            guard=Guard(guard, keys.origin),
            policy=policy,
            timestamped=timestamped,
        )
        self._store = self._following.store
        self._mailbox = Mailbox(conninfo(url), settings=ALIVE)
        self._errands = Errands(self._mailbox, self._store)
        self._posted = asyncio.Event()
        self._log: Log | None = None
        self._changed = asyncio.Event()
        """Set, and replaced, whenever there may be something new to see."""
        self._granting: dict[int, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()
        self._trouble: LedgerError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        lead: Lead,
        keys: LogKeys,
        guard: Path,
        policy: Policy = NO_WITNESSES,
        timestamped: bool = False,
    ) -> SharedLog:
        """Lead, if nobody does; else follow.

        lead: opens a Log with these keys and this guard. guard: this process's own file. policy,
        timestamped: what a seal needs, the same in every process. Waits until the database can be
        reached and read. Raises RecoveryError.
        """
        log = cls(url, lead=lead, keys=keys, guard=guard, policy=policy, timestamped=timestamped)
        loop = asyncio.get_running_loop()
        log._tasks = [
            loop.create_task(log._supervise(), name="ledger leadership"),
            loop.create_task(log._listen(), name="ledger mailbox"),
            loop.create_task(log._errands.run(), name="ledger errands"),
        ]
        try:
            while log._log is None and not log._following.knows:
                log._require_open()
                await log._news()
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
        """How many entries are durable, as far as this process has seen."""
        return self._log.size if self._log else self._following.state.edge.size

    @property
    def pending(self) -> str | None:
        """What a seal waits for at the leader: "witnesses", "timestamp", or None."""
        return self._log.pending if self._log else None

    @property
    def witnessed_from(self) -> int | None:
        """The size of the first tree that was sealed with cosignatures; it reads the disk."""
        return self._store.first_witnessed()

    @property
    def reader(self) -> LogReader:
        """The files of this log, for `ledger.read.respond` and `ledger.tiles.export`."""
        return self._log.reader if self._log else self._following.reader

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
                return None
            size, note, token = found
            path = await self.inclusion(index, size)
        except (StoreError, NotFoundError):  # not yet, or between two leaders
            return None
        return Sealed(index, leaf, path, size, note, token)

    # -- reading ------------------------------------------------------------------------------

    async def checkpoint(self) -> str:
        """The newest published checkpoint note that this process has seen."""
        return self.reader.note()

    async def leaf(self, index: int) -> bytes:
        """The bytes of an entry's leaf."""
        leaves = await asyncio.to_thread(self._store.leaves, index, index + 1) if index >= 0 else []
        if not leaves:
            raise NotFoundError(f"no entry {index} in a log of {self.size}")
        return leaves[0]

    async def chain(self, case: str) -> list[tuple[int, bytes]]:
        """Index and leaf of every entry of a case, in the case's order."""
        return await asyncio.to_thread(self._store.chain, case)

    async def inclusion(self, index: int, size: int) -> tuple[str, ...]:
        """The inclusion proof of an entry in the tree of `size` leaves, lowercase hex."""
        return await asyncio.to_thread(lambda: self.reader.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        """The proof that the tree of `old` leaves is a prefix of that of `new`."""
        return await asyncio.to_thread(lambda: self.reader.consistency(old, new))

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
            _log.warning("the ledger cannot be followed just now: %s", error)
            await until(self._closing, LOOK_S)

    async def _reign(self, log: Log, store: PostgresStore) -> None:
        """Lead until closed, or until the lock is lost."""
        _log.info("this process leads the ledger, from entry %d on", log.size)
        self._log = log
        self._tell()
        try:
            while not self._closing.is_set():
                self._posted.clear()
                try:
                    await self._serve(log)
                except StoreError as error:
                    _log.warning("the mailbox is looked into again: %s", error)
                if not await asyncio.to_thread(store.leads):
                    _log.warning("this process does not lead the ledger any more")
                    return
                await until(self._posted, LOOK_S)
        finally:
            self._log = None
            self._following.forget()
            for task in self._granting.values():
                task.cancel()
            self._granting.clear()
            await log.close()
            self._tell()

    async def _serve(self, log: Log) -> None:
        """Append what is in the mailbox, and begin what seals are asked for."""
        while letters := await self._mailbox.unread(LETTERS):
            outcomes = await asyncio.gather(*(_sequence(log, letter) for letter in letters))
            done = [
                letter.key for letter, why in zip(letters, outcomes, strict=True) if why is None
            ]
            await self._mailbox.answer(done)
            left = 0
            for letter, why in zip(letters, outcomes, strict=True):
                kinds = [kind for kind, error in REFUSALS.items() if isinstance(why, error)]
                if kinds:
                    await self._mailbox.refuse(letter.key, f"{kinds[0]} {why}")
                left += why is not None and not kinds
            if left:
                return
        for index in await self._mailbox.wishes():
            if index not in self._granting:
                task = asyncio.get_running_loop().create_task(self._grant(log, index))
                self._granting[index] = task

    async def _grant(self, log: Log, index: int) -> None:
        try:
            await log.seal(index)
            await self._mailbox.fulfil(index)
        except NotFoundError:
            await self._mailbox.fulfil(index)
        except LedgerError as error:  # it is still in the mailbox
            _log.warning("a seal that was asked for is tried again: %s", error)
        finally:
            self._granting.pop(index, None)

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


async def _sequence(log: Log, letter: Letter) -> LedgerError | None:
    """Append what another process posted; None when the ledger has an entry for that event."""
    if letter.submission is None or letter.submission.key != letter.key:
        return EntryError("what was handed to the leader is no submission")
    try:
        await log.append(letter.submission)
    except ConflictError:  # whoever asked will see with what
        return None
    except LedgerError as error:
        return error
    return None
