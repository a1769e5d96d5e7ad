"""The leader's side of the mailbox: what others posted is appended, what they wish is sealed."""

from __future__ import annotations

import asyncio
import logging

from ledger.errands import REFUSALS
from ledger.errors import ConflictError, EntryError, LedgerError, NotFoundError
from ledger.log import Log
from ledger.mailbox import Letter, Mailbox

LETTERS = 512
"""How many are read from the mailbox at once."""

_log = logging.getLogger("ledger")


class Serving:
    """One reign: a Log, and the mailbox it serves. Raises StoreError; then serve again."""

    def __init__(self, log: Log, mailbox: Mailbox) -> None:
        self._log = log
        self._mailbox = mailbox
        self._granting: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Append what is in the mailbox, and begin what seals are asked for."""
        while letters := await self._mailbox.unread(LETTERS):
            outcomes = await asyncio.gather(*(self._sequence(letter) for letter in letters))
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
                task = asyncio.get_running_loop().create_task(self._grant(index))
                self._granting[index] = task

    def end(self) -> None:
        """Seals that were asked for are the next leader's to gather: the wishes are still there."""
        for task in self._granting.values():
            task.cancel()

    async def _sequence(self, letter: Letter) -> LedgerError | None:
        """Append what was posted; None when the ledger has an entry for that event."""
        if letter.submission is None or letter.submission.key != letter.key:
            return EntryError("what was handed to the leader is no submission")
        try:
            await self._log.append(letter.submission)
        except ConflictError:  # whoever asked will see with what
            return None
        except LedgerError as error:
            return error
        return None

    async def _grant(self, index: int) -> None:
        try:
            await self._log.seal(index)
            await self._mailbox.fulfil(index)
        except NotFoundError:
            await self._mailbox.fulfil(index)
        except LedgerError as error:  # it is still in the mailbox
            _log.warning("a seal that was asked for is tried again: %s", error)
        finally:
            self._granting.pop(index, None)
