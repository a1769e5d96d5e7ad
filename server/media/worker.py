"""A media worker, seen from inside: rooms in a process of their own, told what to do over a pipe.

    server -> worker                                       worker -> server
    begin   directory, hosts, ports, ahead_ms              ready
    open    ask, session, epoch, key, beside               done   ask
    join    ask, session, epoch, participant, offer        done   ask, sdp
    leave, close, keyframe ...                             done   ask, ...
                                                           refused  ask, error, why
                                                           fact   session, epoch, number, kind, fact
    ack     session, epoch, number                         beat   lag_ms, rooms
    stop

Facts of a room are numbered from 0 and come in order. The server acknowledges each once it is
written down; at most WINDOW wait unacknowledged in the pipe, the rest with the room. Whatever is
told is on the disk already, so nothing is sent twice: should this process die, the server reads the
take files. Should the server die, this process ends with it, at once.
"""

import asyncio
import base64
import os
import select
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from .evidence import Joined, Left, MediaError, MediaFact, RoomClosed, SegmentClosed
from .pipe import Message, Pipe
from .ports import Ports, confine
from .room import Room
from .seats import LoopLag
from .supervisor import Supervisor
from .takefile import Encrypt

WINDOW = 256  # facts
BEAT = 0.5  # seconds
CLOSE = 10.0  # seconds what is being answered may take at the end
SERVER_GONE = 3  # exit code

MakeEncrypt = Callable[[bytes], Encrypt]
"""(key) -> encryption as the server does it; handed in, for storage is not this room's."""

Digests = Mapping[str, Callable[[bytes], str]]
"""Algorithms a cluster may be digested by beside SHA-256: name -> digest in hex."""


async def work(end: socket.socket, *, make_encrypt: MakeEncrypt, digests: Digests) -> None:
    """What a worker's process does, from its first message to `stop`."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the server ends its workers, in order
    end_with(end)
    pipe = await Pipe.over(end)
    begin = await pipe.read()
    if begin is None:
        os._exit(SERVER_GONE)
    if begin["ports"]:
        confine(asyncio.get_running_loop(), Ports(*begin["ports"]))
    worker = Worker(
        pipe,
        directory=Path(begin["directory"]),
        hosts=begin["hosts"],
        ahead_ms=begin["ahead_ms"],
        make_encrypt=make_encrypt,
        digests=digests,
    )
    pipe.send({"tell": "ready"})
    await worker.run()
    await pipe.close()


def end_with(end: socket.socket) -> None:
    """Ends this process when the other end of the pipe is gone, whatever the loop is doing."""
    handle = os.dup(end.fileno())

    def wait() -> None:
        poll = select.poll()
        poll.register(handle, 0)  # hang-ups are always told
        poll.poll()
        os._exit(SERVER_GONE)

    threading.Thread(target=wait, name="end with the server", daemon=True).start()


class Told:
    """One room's facts on their way: in order, numbered, a window of them unacknowledged."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._waiting: deque[Message] = deque()
        self._next = self._acknowledged = 0
        self._open = False  # without a window, once the room is closed

    def tell(self, message: Message) -> None:
        """Sends a fact when its turn comes."""
        self._waiting.append(message)
        self._go_on()

    def acknowledge(self, number: int) -> None:
        """Every fact up to this number is written down."""
        self._acknowledged = max(self._acknowledged, number + 1)
        self._go_on()

    def flush(self) -> None:
        """Sends what is left: nothing more will come."""
        self._open = True
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and (self._open or self._next - self._acknowledged < WINDOW):
            self._send({**self._waiting.popleft(), "number": self._next})
            self._next += 1


class Seated:
    """A room of this worker: its epoch, its facts, and the second digests of its clusters."""

    def __init__(self, epoch: int, told: Told) -> None:
        self.epoch = epoch
        self.told = told
        self.beside: dict[str, str] = {}  # SHA-256 of a cluster -> its second digest
        self.room: Room | None = None


class Worker:
    """Answers the pipe. Everything runs on the loop; encryption on each room's disk thread."""

    def __init__(
        self,
        pipe: Pipe,
        *,
        directory: Path,
        hosts: list[str] | None,
        ahead_ms: int,
        make_encrypt: MakeEncrypt,
        digests: Digests,
    ) -> None:
        self._pipe = pipe
        self._directory = directory
        self._hosts = hosts
        self._ahead_ms = ahead_ms
        self._make_encrypt = make_encrypt
        self._digests = digests
        self._rooms: dict[str, Seated] = {}
        self._loop = asyncio.get_running_loop()
        self._lag = LoopLag(self._loop)
        self._supervisor = Supervisor(self._loop)
        self._timer = self._loop.call_soon(self._beat)
        self._answers: dict[str, Callable[[Message], Coroutine[Any, Any, Message]]] = {
            "open": self._open,
            "join": self._join,
            "leave": self._leave,
            "close": self._close,
            "keyframe": self._keyframe,
        }

    async def run(self) -> None:
        """Until `stop`; the end of the pipe ends the process."""
        while (message := await self._pipe.read()) is not None:
            if message["do"] == "stop":
                self._timer.cancel()
                self._lag.close()
                await self._supervisor.close(deadline=CLOSE)
                return
            if message["do"] == "ack":
                seated = self._rooms.get(message["session"])
                if seated is not None and seated.epoch == message["epoch"]:
                    seated.told.acknowledge(message["number"])
                continue
            answering = self._answer(self._answers[message["do"]](message), message["ask"])
            self._supervisor.start(answering, name=message["do"])
        os._exit(SERVER_GONE)

    async def _answer(self, work: Coroutine[Any, Any, Message], ask: int) -> None:
        try:
            answer = await work
        except (MediaError, OSError) as error:
            refused = {"error": type(error).__name__, "why": str(error)}
            self._pipe.send({"tell": "refused", "ask": ask, **refused})
        else:
            self._pipe.send({"tell": "done", "ask": ask, **answer})

    async def _open(self, message: Message) -> Message:
        session, epoch = message["session"], message["epoch"]
        seated = Seated(epoch, Told(self._pipe.send))
        encrypt = self._make_encrypt(base64.b64decode(message["key"]))
        if message["beside"] is not None:
            encrypt = _noting(encrypt, self._digests[message["beside"]], seated.beside)

        def emit(fact: MediaFact) -> None:
            self._emit(session, seated, fact)

        seated.room = Room(
            session,
            directory=self._directory,
            encrypt=encrypt,
            emit=emit,
            clock=self._clock,
            hosts=self._hosts,
        )
        self._rooms[session] = seated
        return {}

    async def _join(self, message: Message) -> Message:
        sdp = await self._room(message).join(message["participant"], message["offer"])
        self._tell_presence()
        return {"sdp": sdp}

    async def _leave(self, message: Message) -> Message:
        await self._room(message).leave(message["participant"])
        return {}

    async def _close(self, message: Message) -> Message:
        await self._room(message).close()
        self._rooms.pop(message["session"]).told.flush()
        return {}

    async def _keyframe(self, message: Message) -> Message:
        found = self._room(message).keyframe(message["participant"])
        if found is None:
            return {"keyframe": None}
        return {"keyframe": {**asdict(found), "data": base64.b64encode(found.data).decode()}}

    def _room(self, message: Message) -> Room:
        """The room of a session in its present epoch. Raises RoomClosed."""
        seated = self._rooms.get(message["session"])
        if seated is None or seated.room is None or seated.epoch != message["epoch"]:
            raise RoomClosed(message["session"])
        return seated.room

    def _emit(self, session: str, seated: Seated, fact: MediaFact) -> None:
        if isinstance(fact, (Joined, Left)):
            self._tell_presence()  # before the fact that makes somebody look
        message: Message = {
            "tell": "fact",
            "session": session,
            "epoch": seated.epoch,
            "kind": type(fact).__name__,
            "fact": asdict(fact),
        }
        if isinstance(fact, SegmentClosed):
            message["beside"] = seated.beside.pop(fact.plaintext_sha256, None)
        seated.told.tell(message)

    def _beat(self) -> None:
        self._tell_presence()
        self._timer = self._loop.call_later(BEAT, self._beat)

    def _tell_presence(self) -> None:
        rooms = {
            session: {
                name: asdict(quality) if (quality := seated.room.quality(name)) else None
                for name in seated.room.participants
            }
            for session, seated in self._rooms.items()
            if seated.room is not None
        }
        self._pipe.send({"tell": "beat", "lag_ms": self._lag.ms, "rooms": rooms})

    def _clock(self) -> int:
        """Epoch ms by the server's clock, which reads the same machine's."""
        return time.time_ns() // 1_000_000 + self._ahead_ms


def _noting(encrypt: Encrypt, digest: Callable[[bytes], str], heard: dict[str, str]) -> Encrypt:
    def noting(plaintext: bytes, label: str) -> bytes:
        heard[sha256(plaintext).hexdigest()] = digest(plaintext)
        return encrypt(plaintext, label)

    return noting
