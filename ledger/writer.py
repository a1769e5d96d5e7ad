"""The one thread that writes, and those who wait for it.

    draft pending -> taken into a batch -> committed -> its caller answered

The next batch is whatever is pending when the last commit returned: no timer. The thread is told
by whoever comes first, so nothing stands between a lone caller and the disk; and it begins the
next batch while the event loop answers the one before, whose commit has returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ledger.entry import Receipt
from ledger.errors import LedgerError
from ledger.sequencer import Draft, Outcome, Sequencer

MAX_BATCH = 512
"""When more are pending, half of the callers prepare while the other half is on its way to disk."""

_log = logging.getLogger("ledger")
_T = TypeVar("_T")
_Futures = list["asyncio.Future[Receipt]"]


class Writer:
    """Owns the thread. Used in the event loop of the Log it belongs to.

    answered: called after the callers of each batch have their answers. broken: called with what
    is no LedgerError, so nobody knows what it left behind; nothing is committed after that.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        *,
        answered: Callable[[], None],
        broken: Callable[[BaseException], None],
    ) -> None:
        self._sequencer = sequencer
        self._answered = answered
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._drafts: deque[Draft] = deque()
        self._waiting: deque[asyncio.Future[Receipt]] = deque()
        """One for each draft, in the same order."""
        self._taken: _Futures = []
        """Those of the batch that is being committed."""
        self._told = False
        """Whether the thread will look at what is pending now."""
        self._sound = True
        """Whether anything is committed still."""

    def append(self, draft: Draft) -> asyncio.Future[Receipt]:
        """Have a draft recorded; done when it is durable, or with a LedgerError."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._drafts.append(draft)
        self._waiting.append(future)  # last, for by these the thread counts
        if not self._told:
            self._tell()
        return future

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do something else in the thread, between two batches."""
        return await self._loop.run_in_executor(self._thread, work)

    async def drain(self) -> None:
        """Wait until nothing is pending any more, and everybody has been answered."""
        await self.run(lambda: None)  # after the batch that is being committed
        while self._waiting and self._sound:
            await self.run(lambda: None)

    def fail(self, error: LedgerError) -> None:
        """Commit nothing more, and let nobody wait."""
        self._sound = False
        left = [*self._taken, *self._waiting]
        self._answer(left, [error] * len(left))

    def close(self) -> None:
        """Finish what was begun and end the thread; not for the event loop."""
        self._thread.shutdown()

    def _tell(self) -> None:
        self._told = True
        self._thread.submit(self._commit_pending)

    def _commit_pending(self) -> None:
        """In the thread: one batch; other work has its turn before the next."""
        self._told = False  # first: who comes from here on is in this batch, or tells again
        if not self._sound:
            return
        batch = range(min(len(self._waiting), MAX_BATCH))
        drafts = [self._drafts.popleft() for _ in batch]
        waiting = self._taken = [self._waiting.popleft() for _ in batch]
        if self._waiting:
            self._tell()
        outcomes: Sequence[Outcome]
        try:
            outcomes = self._sequencer.commit(drafts)
        except LedgerError as error:
            _log.error("%d entries were not recorded: %s", len(batch), error)
            outcomes = [error] * len(batch)
        except BaseException as error:  # noqa: BLE001 - it is for the log to stop
            self._sound = False
            self._loop.call_soon_threadsafe(self._broken, error)
            return
        self._loop.call_soon_threadsafe(self._answer, waiting, outcomes)

    def _answer(self, waiting: _Futures, outcomes: Sequence[Outcome]) -> None:
        for future, outcome in zip(waiting, outcomes, strict=True):
            if future.done():  # its caller was cancelled; the entry stands
                continue
            if isinstance(outcome, Receipt):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)
        self._answered()
