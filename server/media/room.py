"""A room: who is in the session, who sees whom, who is recorded.

    room = Room(session, directory=..., encrypt=..., emit=..., clock=..., hosts=None)
    answer = await room.join("applicant", offer)
    takes = await room.close()

Each participant offers one audio and one video line and as many pairs of receive-only lines as it
can show others: these are its slots. The room maps slots, so joins and leaves need no
renegotiation. The same participant joining again replaces the old connection and goes on in the
same slots of the others.
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .connection import Connection
from .evidence import (
    EndReason,
    Joined,
    Keyframe,
    Left,
    MediaFact,
    Quality,
    RoomClosed,
    RoomFull,
    TakeSummary,
    checked_name,
)
from .hooks import check_stack
from .ingress import Ingress
from .recorder import Recorder
from .supervisor import Supervisor
from .take import Shelf, Take
from .takefile import SUFFIX, Encrypt

TICK = 0.05  # seconds
LAG = 0.25  # seconds the loop may be late before it is a fact
LOST = 3.0  # seconds without any packet
CONNECT = 20.0  # seconds from the answer to the first packet
CLOSE = 10.0  # seconds the disk and the goodbyes may take
MAX_PARTICIPANTS = 6


def system_draw(bits: int) -> int:
    """Random integers for SSRCs and origins, from the system's generator."""
    return random.SystemRandom().getrandbits(bits)


class Participant:
    """One participant and the connection it has now."""

    def __init__(self, name: str, connection: Connection, recorder: Recorder) -> None:
        self.name = name
        self.connection = connection
        self.recorder = recorder
        self.joined_at = 0.0
        self.shown: list[str] = []  # participant names by slot
        self.octets = (0, 0.0)  # received and when, for the bit rate
        self.bitrate = 0


class Room:
    """The live session of two parties (slots for five others).

    `encrypt(plaintext, label)` runs on a thread. `emit` is called on the loop, once for each fact,
    facts of one take in order. `clock` gives epoch ms. `hosts` are the addresses ICE may use (None:
    all of this machine). Must be made and used on one running event loop.
    """

    def __init__(
        self,
        session_id: str,
        *,
        directory: Path,
        encrypt: Encrypt,
        emit: Callable[[MediaFact], None],
        clock: Callable[[], int],
        hosts: Sequence[str] | None = None,
        draw: Callable[[int], int] = system_draw,
    ) -> None:
        check_stack()
        self.session = checked_name(session_id)
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._clock = clock
        self._emit_fact = emit
        self._hosts = hosts
        self._draw = draw
        # One disk thread a room: the order of segments is the order of work.
        self._thread = ThreadPoolExecutor(1, f"takes-{session_id[:8]}")
        self._shelf = Shelf(
            session=session_id,
            directory=directory,
            encrypt=encrypt,
            emit=emit,
            thread=self._thread,
            loop=loop,
        )
        self._participants: dict[str, Participant] = {}
        self._takes: dict[str, int] = _takes_on_disk(directory, session_id)
        self._all_takes: list[Take] = []
        self._newest: dict[str, Take] = {}  # by participant
        self._supervisor = Supervisor(loop)
        self._join = asyncio.Lock()
        self._closed = False
        self._due = loop.time() + TICK
        self._timer = loop.call_at(self._due, self._tick)

    @property
    def participants(self) -> tuple[str, ...]:
        """Who has a connection now."""
        return tuple(self._participants)

    async def join(self, participant: str, offer_sdp: str) -> str:
        """Answers a participant's offer; recording begins with the first media packet.

        The same participant again means eviction of the old connection and a new take. Raises
        NameRefused, OfferRefused, RoomClosed, RoomFull. After a refused offer the old connection
        still stands.
        """
        name = checked_name(participant)
        async with self._join:
            if self._over():
                raise RoomClosed(self.session)
            if name not in self._participants and len(self._participants) >= MAX_PARTICIPANTS:
                raise RoomFull(f"{MAX_PARTICIPANTS} participants are in the session")
            me = self._newcomer(name)
            try:
                answer = await me.connection.wire.answer(offer_sdp)
            except BaseException:
                self._supervisor.start(me.connection.wire.close(), name=f"refuse {name}")
                raise
            if self._over():  # while the offer was answered
                self._supervisor.start(me.connection.wire.close(), name=f"late {name}")
                raise RoomClosed(self.session)
            old = self._participants.get(name)
            if old is not None:
                self._remove(old, "replaced")
            me.joined_at = self._loop.time()
            self._participants[name] = me
            for other in self._participants.values():
                if other is not me:
                    self._show(other, to=me)
            return answer

    async def leave(self, participant: str) -> None:
        """Ends a participant's connection; nothing happens when there is none."""
        me = self._participants.get(participant)
        if me is not None:
            take = me.recorder.take
            self._remove(me, "left")
            if take is not None:
                await asyncio.wait([take.ended], timeout=CLOSE)

    async def close(self) -> tuple[TakeSummary, ...]:
        """Ends the session: every frame that arrived is durable and told before this returns.

        Returns all takes of the session. Calling it again returns the same.
        """
        if not self._closed:
            self._closed = True
            self._timer.cancel()
            for me in list(self._participants.values()):
                self._remove(me, "closed")
        waiting = [take.ended for take in self._all_takes if not take.ended.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE)
        await self._supervisor.close(deadline=CLOSE)
        self._thread.shutdown(wait=False)
        return tuple(take.ended.result() for take in self._all_takes if take.ended.done())

    def keyframe(self, participant: str) -> Keyframe | None:
        """The newest key frame received from a participant; also asks for the next one."""
        me = self._participants.get(participant)
        if me is None:
            return None
        video = me.connection.ingress.get("video")
        if video is not None:
            video.request_keyframe(self._loop.time())
        return me.recorder.keyframe()

    def quality(self, participant: str) -> Quality | None:
        """How a participant's line does, or None for one who is not here."""
        me = self._participants.get(participant)
        if me is None:
            return None
        trips = [e.rtt for e in me.connection.egress.values() if e.rtt is not None]
        losses = [i.fraction_lost for i in me.connection.ingress.values()]
        width, height = me.recorder.size
        return Quality(
            rtt_ms=round(min(trips) * 1000) if trips else None,
            loss=max(losses, default=0.0),
            width=width,
            height=height,
            fps=me.recorder.frame_rate(self._loop.time()),
            bitrate=me.bitrate,
        )

    def shown(self, participant: str) -> tuple[str, ...]:
        """Whom a participant sees, by slot."""
        me = self._participants.get(participant)
        return tuple(me.shown) if me else ()

    def _over(self) -> bool:
        return self._closed

    def _newcomer(self, name: str) -> Participant:
        def on_track(ingress: Ingress) -> None:
            if self._participants.get(name) is not me:
                return
            me.recorder.add(ingress, self._loop.time())
            for other in self._participants.values():
                if other is not me:
                    self._show(me, to=other)

        def on_first() -> None:
            if self._participants.get(name) is me:
                self._emit_fact(Joined(session=self.session, participant=name, at=self._clock()))

        def on_closed() -> None:
            if self._participants.get(name) is me:
                self._remove(me, "lost")

        connection = Connection(
            hosts=self._hosts,
            draw=self._draw,
            time=self._loop.time,
            on_track=on_track,
            on_first=on_first,
            on_closed=on_closed,
        )
        recorder = Recorder(
            self._shelf,
            participant=name,
            next_take=lambda: self._number(name),
            on_take=lambda take: self._begun(name, take),
            clock=self._clock,
            previous=lambda: self._newest.get(name),
        )
        me = Participant(name, connection, recorder)
        return me

    def _number(self, name: str) -> int:
        number = self._takes.get(name, 0)
        self._takes[name] = number + 1
        return number

    def _begun(self, name: str, take: Take) -> None:
        self._all_takes.append(take)
        self._newest[name] = take

    def _show(self, source: Participant, *, to: Participant) -> None:
        """Puts a participant into the slot of another that is its own, or the first free one."""
        if source.name not in to.shown:
            if len(to.shown) >= len(to.connection.slots):
                return
            to.shown.append(source.name)
        to.connection.attach(to.shown.index(source.name), source.connection)

    def _remove(self, me: Participant, reason: EndReason) -> None:
        """Ends a connection and its take. Its slots at the others stay its own."""
        if self._participants.get(me.name) is me:
            del self._participants[me.name]
        now = self._loop.time()
        for other in self._participants.values():
            if me.name in other.shown and me.name not in self._participants:
                other.connection.attach(other.shown.index(me.name), None)
        for slot in range(len(me.connection.slots)):
            me.connection.attach(slot, None)
        me.recorder.end(reason, now)
        self._emit_fact(
            Left(session=self.session, participant=me.name, at=self._clock(), reason=reason)
        )
        self._supervisor.start(me.connection.wire.close(), name=f"close {me.name}")

    def _tick(self) -> None:
        now = self._loop.time()
        if now - self._due > LAG:
            for me in self._participants.values():
                me.recorder.lagged(self._due, now)
        self._due = now + TICK
        self._timer = self._loop.call_at(self._due, self._tick)
        for me in list(self._participants.values()):
            connection = me.connection
            connection.tick(now)
            me.recorder.tick(now)
            self._measure(me, now)
            if connection.up:
                if now - connection.heard > LOST:
                    self._remove(me, "lost")
            elif now - me.joined_at > CONNECT:
                self._remove(me, "lost")

    def _measure(self, me: Participant, now: float) -> None:
        octets, since = me.octets
        if now - since >= 1.0:
            total = sum(i.octets for i in me.connection.ingress.values())
            me.bitrate = round((total - octets) * 8 / (now - since)) if since else 0
            me.octets = (total, now)


def _takes_on_disk(directory: Path, session: str) -> dict[str, int]:
    """The next take's number by participant: after a crash no name is used twice."""
    found: dict[str, int] = {}
    name = re.compile(re.escape(session) + r"-([A-Za-z0-9._]+)-(\d{1,6})" + re.escape(SUFFIX))
    for path in directory.iterdir():
        if match := name.fullmatch(path.name):
            found[match[1]] = max(found.get(match[1], 0), int(match[2]) + 1)
    return found
