"""Which process a session's media runs in, and whose word about it counts.

    placement = Placement(seats, book, clock=epoch_ms)
    room = await placement.open(session, cipher=..., emit=..., gone=...)
    placement.admits(session, epoch)          # asked for every fact before it is written down

A session is in one process at a time. Each time it is put into one its *epoch* grows, in the
database before the room exists; a fact of an older epoch is refused, whoever tells it. A new
session goes to the least loaded process that is neither full nor late. One that has begun goes on
wherever there is a process at all: for its people a slow room is better than none.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from logging import getLogger
from typing import Protocol

from .evidence import NoSeat
from .seats import Emit, Seat, SeatedRoom, TakeCipher

LAG_MS = 50.0  # a loop later than this takes no new session
BEAT = 10.0  # seconds between two lines in the book

log = getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlisted:
    """A process as the book has it; `epoch` counts the processes that had this name."""

    id: str
    pid: int
    epoch: int
    capacity: int
    sessions: int
    lag_ms: int
    ready: bool


class Book(Protocol):
    """What is durable of it: `storage.placements.Placements` is one. Raises OSError (ENOSPC)."""

    async def beat(self, workers: Sequence[Enlisted], *, at: int) -> None:
        """These processes stood so at that time (epoch ms); any other is no more."""
        ...

    async def worker_epoch(self, worker: str) -> int:
        """The newest epoch of a process's name; 0 when it never was."""
        ...

    async def epoch(self, session: str) -> int:
        """A session's newest epoch; 0 when it was never placed."""
        ...

    async def place(self, session: str, *, worker: str, epoch: int, at: int) -> None:
        """A session is in this process from now on."""
        ...

    async def forget(self, session: str) -> None:
        """A session is over."""
        ...


class Placement:
    """One for all sessions; used on one event loop."""

    def __init__(self, seats: Sequence[Seat], book: Book, *, clock: Callable[[], int]) -> None:
        self._seats = seats
        self._book = book
        self._clock = clock
        self._epochs: dict[str, int] = {}

    async def open(
        self, session: str, *, cipher: TakeCipher, emit: Emit, gone: Callable[[], None]
    ) -> SeatedRoom:
        """Puts a session into a process, in a new epoch; its room there.

        Raises NoSeat, WorkerGone when the process dies of it or meanwhile.
        """
        before = max(self._epochs.get(session, 0), await self._book.epoch(session))
        seat = self._choose(begun=before > 0)
        epoch = self._epochs[session] = before + 1
        try:
            await self._book.place(session, worker=seat.id, epoch=epoch, at=self._clock())
        except OSError as error:
            # A full disk ends no call. What is in memory fences as well: nobody else writes facts.
            log.warning("a placement was not written down: %s", error)
        return await seat.open(session, epoch=epoch, cipher=cipher, emit=emit, gone=gone)

    def admits(self, session: str, epoch: int) -> bool:
        """Whether this is the session's present epoch."""
        return self._epochs.get(session) == epoch

    async def over(self, session: str) -> None:
        """The session has ended for good; a fact of it is still admitted."""
        try:
            await self._book.forget(session)
        except OSError as error:
            log.warning("a placement stays in the book: %s", error)

    async def keep_book(self, changed: asyncio.Event) -> None:
        """Writes down how the processes stand, each ten seconds and when one came or went, until
        cancelled."""
        while True:
            changed.clear()
            await self.write_down()
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), BEAT)

    async def write_down(self) -> None:
        """Writes down how the processes stand now; on a full disk it is left for the next time."""
        standing = [
            Enlisted(
                id=seat.id,
                pid=seat.pid,
                epoch=seat.epoch,
                capacity=seat.capacity,
                sessions=seat.sessions,
                lag_ms=round(seat.lag_ms),
                ready=seat.ready,
            )
            for seat in self._seats
        ]
        try:
            await self._book.beat(standing, at=self._clock())
        except OSError as error:
            log.warning("the media processes were not written down: %s", error)

    def _choose(self, *, begun: bool) -> Seat:
        standing = [seat for seat in self._seats if seat.ready]
        if not standing:
            raise NoSeat("away")
        free = [seat for seat in standing if seat.sessions < seat.capacity]
        prompt = [seat for seat in free if seat.lag_ms <= LAG_MS]
        if not prompt and not begun:
            raise NoSeat("lag" if free else "full")
        return min(prompt or standing, key=_load)


def _load(seat: Seat) -> tuple[float, float, str]:
    return seat.sessions / seat.capacity, seat.lag_ms, seat.id
