"""The journal: drains written events into the ledger, in order, and marks them anchored.

An event was written in the transaction that changed the state (the outbox); here it becomes an
entry. The event id makes that idempotent: after a crash between the ledger's commit and the mark,
the same submission returns the same receipt. When the ledger refuses, events wait, the call goes
on, and the journal tries again; nothing is issued meanwhile (the guards of `services.approval`).
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ledger.entry import Receipt, Submission
from ledger.errors import LedgerError
from server.storage.outbox import Outbox, WrittenEvent

CLIENT = "journal"
_BATCH = 64
_PATIENCE = (0.1, 0.5, 2.0, 5.0)  # seconds between tries while the ledger refuses
_log = logging.getLogger("farseal.journal")


class Appender(Protocol):
    """What the journal needs of a ledger."""

    async def append(self, submission: Submission) -> Receipt:
        """Record a fact durably; repeating it changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Anchored:
    """An event that is in the ledger now."""

    event: str
    case_id: str
    session_id: str | None
    kind: str
    at: int
    index: int
    leaf_hash: str


class Journal:
    """One per process; `run` belongs to the application's task group."""

    def __init__(self, outbox: Outbox, ledger: Appender, *, clock: Callable[[], int]) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._clock = clock
        self._wake = asyncio.Event()
        self._draining = asyncio.Lock()
        self._listeners: list[Callable[[Anchored], None]] = []
        self.failed: str | None = None

    def nudge(self) -> None:
        """There may be new events (called after every commit)."""
        self._wake.set()

    def subscribe(self, listener: Callable[[Anchored], None]) -> Callable[[], None]:
        """Tell `listener` of every anchored event; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        """Drain for ever, starting with what a former process left behind."""
        tries = 0
        while True:
            self._wake.clear()
            try:
                await self.drain()
            except (LedgerError, OSError) as error:  # OSError: the database's disk is full
                self.failed = type(error).__name__
                _log.warning("nothing can be anchored now; events wait", exc_info=error)
                pause = _PATIENCE[min(tries, len(_PATIENCE) - 1)]
                tries += 1
                await asyncio.sleep(pause)
                continue
            tries, self.failed = 0, None
            await self._wake.wait()

    async def drain(self) -> int:
        """Anchor everything that waits; how many events that were. Raises LedgerError."""
        count = 0
        async with self._draining:
            while waiting := await self._outbox.waiting(limit=_BATCH):
                anchors: list[tuple[int, int, str]] = []
                told: list[Anchored] = []
                try:
                    for event in waiting:
                        receipt = await self._ledger.append(submission(event))
                        anchors.append((event.seq, receipt.index, receipt.leaf_hash))
                        told.append(_anchored(event, receipt))
                finally:
                    # what the ledger took is marked even if the next one was refused
                    if anchors:
                        await self._outbox.mark(anchors, at=self._clock())
                for each in told:
                    self._tell(each)
                count += len(anchors)
        return count

    def _tell(self, anchored: Anchored) -> None:
        for listener in tuple(self._listeners):
            listener(anchored)


def submission(event: WrittenEvent) -> Submission:
    """What an event is to the ledger; the same event is always the same submission."""
    return Submission(CLIENT, event.id, event.chain, json.loads(event.body))


def _anchored(event: WrittenEvent, receipt: Receipt) -> Anchored:
    return Anchored(
        event=event.id,
        case_id=event.case_id,
        session_id=event.session_id,
        kind=event.kind,
        at=event.at,
        index=receipt.index,
        leaf_hash=receipt.leaf_hash,
    )
