"""The media workers, seen from the server: started, listened to, restarted; their rooms.

    async with Crew(3, settings, command=..., book=..., clock=...) as crew:
        placement = Placement(crew.seats, ...)

A worker that dies, or of which nothing is heard for ten seconds, is killed and waited for *before*
anybody learns of it: whoever then reads its take files reads what nobody writes any more. It is
started again at once, and ever later should it die again and again.
"""

import asyncio
import base64
import socket
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from logging import getLogger
from pathlib import Path
from typing import Any, Self, get_args

from . import evidence
from .evidence import Keyframe, MediaError, MediaFact, NoSeat, Quality, WorkerGone
from .pipe import Message, Pipe, PipeBroken
from .placement import Book
from .ports import Ports
from .seats import CAPACITY, Emit, TakeCipher

START = 60.0  # seconds a busy machine may take to start a worker
SILENCE = 10.0  # seconds without a word, of which there should be two each second
ANSWER = 30.0  # seconds of one question
GOODBYE = 10.0  # seconds an orderly end may take
BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before each start in a row
STABLE = 30.0  # seconds of life after which a death is the first again
FACTS: Mapping[str, type[MediaFact]] = {kind.__name__: kind for kind in get_args(MediaFact)}

log = getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every worker is told; `ahead_ms` is the server's clock beside the machine's.

    `held` are descriptors it inherits and leaves alone: a lock on the directory lasts as long as
    anybody lives who could write there, so that no other server reads what is still being written.
    """

    directory: Path
    hosts: Sequence[str] | None
    ports: Ports | None
    ahead_ms: int
    capacity: int = CAPACITY
    silence_s: float = SILENCE
    held: tuple[int, ...] = ()


class Crew:
    """`count` workers. `command` starts one; the number of its pipe's end is added."""

    def __init__(
        self, workers: int, settings: Settings, *, command: Sequence[str], book: Book
    ) -> None:
        self.changed = asyncio.Event()  # a worker came or went
        ports = settings.ports.split(workers) if settings.ports else (None,) * workers
        self.seats = tuple(
            WorkerSeat(
                f"w{number}", settings, ports=part, command=command, book=book, changed=self.changed
            )
            for number, part in enumerate(ports)
        )
        self._keeping: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Starts the workers and waits until each has begun, or has failed to."""
        loop = asyncio.get_running_loop()
        self._keeping = [
            loop.create_task(seat.keep(), name=f"worker {seat.id}") for seat in self.seats
        ]
        await asyncio.gather(*(seat.tried.wait() for seat in self.seats))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(seat.dismiss() for seat in self.seats))
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)


class WorkerSeat:
    """One worker's place: the process that has it now, and the rooms in that process."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        ports: Ports | None,
        command: Sequence[str],
        book: Book,
        changed: asyncio.Event,
    ) -> None:
        self.id = name
        self.pid = 0
        self.epoch = 0
        self.ready = False
        self.capacity = settings.capacity
        self.lag_ms = 0.0
        self.tried = asyncio.Event()  # the first start is over, well or badly
        self._settings = settings
        self._ports = ports
        self._command = command
        self._book = book
        self._changed = changed
        self._pipe: Pipe | None = None
        self._process: Process | None = None
        self._rooms: dict[str, RemoteRoom] = {}
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._numbers = count()
        self._dismissed = False

    @property
    def sessions(self) -> int:
        """How many rooms are open."""
        return len(self._rooms)

    async def open(
        self,
        session: str,
        *,
        epoch: int,
        cipher: TakeCipher,
        emit: Emit,
        gone: Callable[[], None],
    ) -> "RemoteRoom":
        """Makes the room in the worker; the case's key goes there, and nowhere else."""
        room = RemoteRoom(self, session, epoch, cipher=cipher, emit=emit, gone=gone)
        self._rooms[session] = room  # before the answer, so that its death would be told
        try:
            key = base64.b64encode(cipher.key).decode()
            await room.ask("open", key=key, beside=cipher.beside)
        except BaseException:
            if self._rooms.get(session) is room:
                del self._rooms[session]
            raise
        return room

    async def ask(self, message: Message) -> Message:
        """One question and its answer. Raises WorkerGone, and what the room there raises."""
        pipe, number = self._pipe, next(self._numbers)
        if pipe is None or not self.ready:
            raise WorkerGone(self.id)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            pipe.send({**message, "ask": number})
            return await asyncio.wait_for(answer, ANSWER)
        except TimeoutError as error:
            raise WorkerGone(f"{self.id} does not answer") from error
        finally:
            del self._asked[number]

    def acknowledge(self, session: str, epoch: int, number: int) -> None:
        """Tells the worker that a fact is written down."""
        if self._pipe is not None:
            self._pipe.send({"do": "ack", "session": session, "epoch": epoch, "number": number})

    def leave(self, room: "RemoteRoom") -> None:
        """A room was closed."""
        if self._rooms.get(room.session) is room:
            del self._rooms[room.session]

    async def keep(self) -> None:
        """Keeps a process in this place until dismissed."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self._over():
            began = loop.time()
            try:
                await self._live()
            except (OSError, PipeBroken) as error:
                log.warning("media worker %s: %s", self.id, error)
            finally:
                self.tried.set()
            if self._over():
                return
            deaths = 0 if loop.time() - began >= STABLE else deaths + 1
            wait = BACK_OFF[min(deaths, len(BACK_OFF) - 1)]
            log.warning("media worker %s ended; the next one starts in %.1f s", self.id, wait)
            await asyncio.sleep(wait)

    async def dismiss(self) -> None:
        """Ends the process in order; its rooms are closed by now. Kills it when it is slow."""
        self._dismissed = True
        process = self._process
        if process is None or self._pipe is None:
            return
        self._pipe.send({"do": "stop"})
        try:
            await asyncio.wait_for(process.wait(), GOODBYE)
        except TimeoutError:
            log.warning("media worker %s did not end", self.id)
            process.kill()

    def _over(self) -> bool:
        return self._dismissed

    async def _live(self) -> None:
        """One process's life; afterwards it is dead and everybody concerned knows."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await create_subprocess_exec(
                    *self._command,
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(), *self._settings.held),
                    stdin=DEVNULL,
                )
            except BaseException:
                ours.close()
                raise
        self._process = process
        pipe = self._pipe = await Pipe.over(ours)
        try:
            settings = self._settings
            pipe.send(
                {
                    "do": "begin",
                    "directory": str(settings.directory),
                    "hosts": list(settings.hosts) if settings.hosts is not None else None,
                    "ports": [self._ports.first, self._ports.last] if self._ports else None,
                    "ahead_ms": settings.ahead_ms,
                }
            )
            if await self._hear(pipe, within=START) is None:
                raise OSError("the process ended before it began")
            with suppress(OSError):  # a full disk: the number in memory will do
                self.epoch = max(self.epoch, await self._book.worker_epoch(self.id))
            self.epoch += 1
            self.pid, self.lag_ms, self.ready = process.pid, 0.0, True
            self.tried.set()
            self._changed.set()
            while (message := await self._hear(pipe, within=settings.silence_s)) is not None:
                self._heard(message)
        finally:
            self.ready = False
            self._pipe = None
            if process.returncode is None and not self._dismissed:
                process.kill()
            await process.wait()
            await pipe.close()
            self._bury()
            self._changed.set()

    async def _hear(self, pipe: Pipe, *, within: float) -> Message | None:
        try:
            return await asyncio.wait_for(pipe.read(), within)
        except TimeoutError as error:
            raise OSError(f"silent for {within:.0f} s") from error

    def _heard(self, message: Message) -> None:
        try:
            match message["tell"]:
                case "beat":
                    self.lag_ms = float(message["lag_ms"])
                    for session, room in self._rooms.items():
                        room.present = message["rooms"].get(session, {})
                case "fact":
                    if message["session"] in self._rooms:
                        self._rooms[message["session"]].heard(message)
                case "done" | "refused":
                    answer = self._asked.get(message["ask"])
                    if answer is not None and not answer.done():
                        answer.set_result(message)
                case other:
                    raise PipeBroken(f"an unknown message {other!r}")
        except (KeyError, TypeError, AttributeError) as error:
            raise PipeBroken(f"not a message of a worker: {error!r}") from error

    def _bury(self) -> None:
        """Tells everybody concerned that the process is dead."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(WorkerGone(self.id))
        rooms, self._rooms = self._rooms, {}
        for room in rooms.values():
            room.gone()


class RemoteRoom:
    """A session's room in a worker. What it knows of who is there is half a second old at most."""

    def __init__(
        self,
        seat: WorkerSeat,
        session: str,
        epoch: int,
        *,
        cipher: TakeCipher,
        emit: Emit,
        gone: Callable[[], None],
    ) -> None:
        self.session = session
        self.gone = gone
        self.present: dict[str, dict[str, Any] | None] = {}  # participant -> quality
        self._seat = seat
        self._epoch = epoch
        self._cipher = cipher
        self._emit = emit
        self._next = 0  # number of the next fact

    @property
    def participants(self) -> tuple[str, ...]:
        """Who has a connection now."""
        return tuple(self.present)

    def quality(self, participant: str) -> Quality | None:
        """How a participant's line does, or None for one who is not here."""
        told = self.present.get(participant)
        return Quality(**told) if told is not None else None

    async def join(self, participant: str, offer_sdp: str) -> str:
        """Answers a participant's offer."""
        answer = await self.ask("join", participant=participant, offer=offer_sdp)
        return str(answer["sdp"])

    async def leave(self, participant: str) -> None:
        """Ends a participant's connection."""
        await self.ask("leave", participant=participant)

    async def keyframe(self, participant: str) -> Keyframe | None:
        """The newest key frame received from a participant."""
        told = (await self.ask("keyframe", participant=participant))["keyframe"]
        if told is None:
            return None
        return Keyframe(**{**told, "data": base64.b64decode(told["data"])})

    async def close(self) -> None:
        """Ends the session's media; every fact was emitted when this returns."""
        try:
            await self.ask("close")
        finally:
            self._seat.leave(self)

    async def ask(self, what: str, **more: Any) -> Message:
        """One question to the room there, in its epoch."""
        message = {"do": what, "session": self.session, "epoch": self._epoch, **more}
        answer = await self._seat.ask(message)
        if answer["tell"] == "refused":
            kind = getattr(evidence, answer["error"], None)
            if kind is NoSeat or not (isinstance(kind, type) and issubclass(kind, MediaError)):
                kind = MediaError
            raise kind(answer["why"])
        return answer

    def heard(self, message: Message) -> None:
        """A fact came. Raises PipeBroken when one before it did not."""
        number, epoch = message["number"], message["epoch"]
        if epoch == self._epoch:
            if number != self._next:
                raise PipeBroken(f"fact {number} came instead of {self._next}")
            self._next += 1
        fact = FACTS[message["kind"]](**message["fact"])
        if isinstance(fact, evidence.SegmentClosed) and message["beside"] is not None:
            self._cipher.note(fact.plaintext_sha256, message["beside"])
        self._emit(epoch, fact, lambda: self._seat.acknowledge(self.session, epoch, number))
