"""What a process that does not lead has others do: appends, posted to the leader and fetched again.

    asked -> posted in the mailbox -> the leader appends -> found in the ledger, by its key

The ledger itself is the answer, so no answer can be lost or forged; the mailbox tells only of what
was refused. Whatever is not found in time is posted again: an event has one place.
"""

from __future__ import annotations

import asyncio
import logging

from ledger.entry import Receipt, Submission
from ledger.errors import ClockError, ConflictError, EntryError, LedgerError, StoreError
from ledger.mailbox import Mailbox
from ledger.merkle import leaf_hash
from ledger.sequencer import Draft
from ledger.store import Store

LOOK_S = 0.5
"""How often everybody looks for a message that was missed."""
PATIENCE_S = 30.0
"""How long an append waits for a leader to take it; then it says so, and may be tried again."""
KEYS = 1024

REFUSALS: dict[str, type[LedgerError]] = {"entry": EntryError, "clock": ClockError}
"""What the leader may refuse, as the mailbox names it."""

_log = logging.getLogger("ledger")


class Errands:
    """The appends of one process that are under way; `run` belongs to its SharedLog."""

    def __init__(self, mailbox: Mailbox, store: Store) -> None:
        self._mailbox = mailbox
        self._store = store
        self._pending: dict[asyncio.Future[Receipt], tuple[Draft, Submission]] = {}
        self._unsent: list[Submission] = []
        self.news = asyncio.Event()
        """Set when there is something to post, or may be something to fetch."""

    async def append(self, draft: Draft, submission: Submission) -> Receipt:
        """Have the leader append; raises EntryError, ConflictError, ClockError, StoreError."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._pending[future] = draft, submission
        self._unsent.append(submission)
        self.news.set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await future
        except TimeoutError as error:
            raise StoreError(
                f"no process led the ledger for {PATIENCE_S:.0f} s, or none could write; "
                "everything acknowledged is kept. Submit the same event again"
            ) from error
        finally:
            del self._pending[future]

    def fail(self, error: LedgerError) -> None:
        """Let nobody wait any more."""
        for future in self._pending:
            if not future.done():
                future.set_exception(error)

    async def run(self) -> None:
        """Post what is to be appended, and fetch what has become of it, until cancelled."""
        while True:
            told = await until(self.news, LOOK_S)
            self.news.clear()
            try:
                unsent, self._unsent = self._unsent, []
                if unsent:
                    await self._mailbox.post(unsent)
                if self._pending:
                    left = await self._fetch()
                    if left and not told:  # a server that died has lost its letters
                        await self._mailbox.post(left)
            except StoreError as error:
                _log.warning("what was handed to the leader is looked for again: %s", error)
                await asyncio.sleep(LOOK_S)

    async def _fetch(self) -> list[Submission]:
        """Answer whom can be answered; what is still on its way."""
        waiting = list(self._pending.items())
        left: list[Submission] = []
        for at in range(0, len(waiting), KEYS):
            group = waiting[at : at + KEYS]
            keys = [draft[0] for _, (draft, _) in group]
            found = await asyncio.to_thread(self._store.find, keys)
            missing = [key for key in keys if key not in found]
            refused = await self._mailbox.refusals(missing) if missing else {}
            for future, ((key, event, _, front), submission) in group:
                if future.done():
                    continue
                if key in found:
                    index, _, _, leaf = found[key]
                    if leaf.startswith(front):
                        future.set_result(Receipt(index, leaf_hash(leaf).hex()))
                    else:
                        future.set_exception(ConflictError(event.decode(), index))
                elif key in refused:
                    kind, _, why = refused[key].partition(" ")
                    future.set_exception(REFUSALS.get(kind, StoreError)(why))
                else:
                    left.append(submission)
        return left


async def until(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event came within the time, in seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
