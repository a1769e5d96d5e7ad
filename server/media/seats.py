"""Where a room can be: in this process, or in a worker's. What both offer, and the one at home.

`crew.WorkerSeat` is the other one. Whoever holds a room cannot tell them apart.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Protocol, Self

from .evidence import Keyframe, MediaFact, Quality
from .room import Room

CAPACITY = 25  # two-party sessions at 480p a core carries; see docs/decisions/0015
EVERY = 0.1  # seconds between two looks at a loop's punctuality
WINDOW = 50  # looks: five seconds

Emit = Callable[[int, MediaFact, Callable[[], None]], None]
"""(epoch, fact, acknowledge): called on the loop; acknowledge once the fact is written down."""


class TakeCipher(Protocol):
    """Encrypts the segments of one session's takes. Called on threads.

    `key` is what a worker gets to make one like it, `beside` the second algorithm its clusters are
    digested by, if any; `note` learns such a digest from where the cluster was encrypted.
    """

    @property
    def key(self) -> bytes: ...
    @property
    def beside(self) -> str | None: ...
    def encrypt(self, plaintext: bytes, label: str) -> bytes: ...
    def note(self, plaintext_sha256: str, digest: str) -> None: ...


class SeatedRoom(Protocol):
    """A session's room, wherever it is. `join` raises what Room.join does, and WorkerGone."""

    @property
    def participants(self) -> tuple[str, ...]: ...
    def quality(self, participant: str) -> Quality | None: ...
    async def join(self, participant: str, offer_sdp: str) -> str: ...
    async def leave(self, participant: str) -> None: ...
    async def keyframe(self, participant: str) -> Keyframe | None: ...
    async def close(self) -> None: ...


class Seat(Protocol):
    """A process that rooms run in. `lag_ms` is its loop's, `sessions` how many rooms it has."""

    @property
    def id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def ready(self) -> bool: ...
    @property
    def capacity(self) -> int: ...
    @property
    def sessions(self) -> int: ...
    @property
    def lag_ms(self) -> float: ...

    async def open(
        self,
        session: str,
        *,
        epoch: int,
        cipher: TakeCipher,
        emit: Emit,
        gone: Callable[[], None],
    ) -> SeatedRoom:
        """Makes a session's room there. `gone` is called once should the process die first."""
        ...


class LoopLag:
    """How late an event loop is, in ms: the middle one of the last five seconds' looks.

    The middle, because one long step is a hiccup and only every second one being late is a load.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._late: deque[float] = deque(maxlen=WINDOW)
        self._due = loop.time() + EVERY
        self._timer = loop.call_at(self._due, self._look)

    @property
    def ms(self) -> float:
        """0 until there have been looks enough to speak of a load."""
        return median(self._late) * 1000 if len(self._late) > WINDOW // 2 else 0.0

    def close(self) -> None:
        """Looks no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        self._late.append(max(0.0, now - self._due))
        self._due = now + EVERY
        self._timer = self._loop.call_at(self._due, self._look)


class LocalSeat:
    """This process: rooms on the loop that everything else runs on. `async with` it."""

    def __init__(
        self,
        *,
        directory: Path,
        clock: Callable[[], int],
        hosts: Sequence[str] | None,
        pid: int,
        capacity: int = CAPACITY,
    ) -> None:
        self.id = "here"
        self.pid = pid
        self.epoch = 1
        self.ready = True
        self.capacity = capacity
        self._directory = directory
        self._clock = clock
        self._hosts = hosts
        self._rooms: set[str] = set()
        self._lag: LoopLag | None = None

    async def __aenter__(self) -> Self:
        self._lag = LoopLag(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._lag is not None:
            self._lag.close()

    @property
    def sessions(self) -> int:
        """How many rooms are open."""
        return len(self._rooms)

    @property
    def lag_ms(self) -> float:
        """The loop's lag."""
        return self._lag.ms if self._lag is not None else 0.0

    async def open(
        self,
        session: str,
        *,
        epoch: int,
        cipher: TakeCipher,
        emit: Emit,
        gone: Callable[[], None],
    ) -> "LocalRoom":
        """Makes the room; `gone` is never called, for nobody would be there to hear it."""

        def tell(fact: MediaFact) -> None:
            emit(epoch, fact, _nothing)

        room = Room(
            session,
            directory=self._directory,
            encrypt=cipher.encrypt,
            emit=tell,
            clock=self._clock,
            hosts=self._hosts,
        )
        self._rooms.add(session)
        return LocalRoom(room, lambda: self._rooms.discard(session))


class LocalRoom:
    """A room of this process."""

    def __init__(self, room: Room, closed: Callable[[], None]) -> None:
        self._room = room
        self._closed = closed
        self.join = room.join
        self.leave = room.leave
        self.quality = room.quality

    @property
    def participants(self) -> tuple[str, ...]:
        """Who has a connection now."""
        return self._room.participants

    async def keyframe(self, participant: str) -> Keyframe | None:
        """The newest key frame received from a participant."""
        return self._room.keyframe(participant)

    async def close(self) -> None:
        """Ends the session's media; every fact was emitted when this returns."""
        await self._room.close()
        self._closed()


def _nothing() -> None:
    return
