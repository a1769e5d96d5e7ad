"""The studio: one media room for each live session, and its facts carried to the services.

The media rooms know nothing of cases, the services nothing of media; this is where they meet. Facts
of one session reach the services one after another, in the order the room told them. A service
that refuses a fact is logged and does not stop the recording; a disk that is full makes the facts
wait, for what the recorder made durable must reach the ledger when there is space again.

A room may be in a worker's process. When that dies, what it told is carried first, then what its
take files hold beyond that, then the ends of its takes; only after that may the session have a room
again, in a new epoch. A fact of an old epoch is refused.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol

from server.domain.errors import DomainError
from server.domain.evidence import Gap, Segment
from server.media import (
    Gap as MediaGap,
)
from server.media import (
    Joined,
    Keyframe,
    Left,
    MediaError,
    MediaFact,
    NoSeat,
    Placement,
    RecorderFailed,
    SeatedRoom,
    SegmentClosed,
    TakeCipher,
    TakeEnded,
    TakeStarted,
    WorkerGone,
)
from server.observe import logger
from server.sight import Sight
from server.supervisor import Supervisor

_GOODBYE_S = 10.0
_SPACE_EVERY_S = 1.0
_TAKEN_UP_S = 10.0
WORKER_GONE = "the media worker stopped"


class Told(Protocol):
    """What the services want to know of a recording. `services.recordings.Recordings` is one."""

    async def recording_cipher(self, sid: str) -> TakeCipher: ...
    async def take_started(self, sid: str, *, participant: str, take: int, at: int) -> None: ...
    async def take_ended(
        self, sid: str, *, participant: str, take: int, at: int, reason: str
    ) -> None: ...
    async def segment(self, segment: Segment) -> None: ...
    async def gap(self, gap: Gap) -> None: ...
    def failed(self, sid: str, reason: str) -> None: ...


Lost = Callable[..., Awaitable[None]]
"""`ceremony.lost(sid, role=, reason=, since=)`: somebody's connection is gone."""

TakeUp = Callable[[str, str], Awaitable[None]]
"""`archive.take_up(sid, reason)`: whatever recorded this session is dead; tell what it left."""


class _End(Enum):
    """What ends the row of a room's facts: it was closed, or its process died."""

    CLOSED = "closed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class _Said:
    """A fact, the epoch it was told in, and how to say that it is written down."""

    epoch: int
    fact: MediaFact
    acknowledge: Callable[[], None]


Facts = asyncio.Queue[_Said | _End]


@dataclass
class Stage:
    """One session's room, the facts that wait, and what its screens are told beside the case."""

    room: SeatedRoom
    facts: Facts
    told: asyncio.Task[None]
    takes: dict[str, int] = field(default_factory=dict)
    sight: Sight = field(default_factory=Sight)


class Studio:
    """Owns the rooms. Services and screens are told once `tell` and `on_change` said whom to
    tell."""

    def __init__(
        self,
        placement: Placement,
        *,
        clock: Callable[[], int],
        tasks: Supervisor,
        patience_s: float = _GOODBYE_S,
    ) -> None:
        self._placement = placement
        self._clock = clock
        self._tasks = tasks
        self._patience_s = patience_s
        self._stages: dict[str, Stage] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}  # of rooms that are closed or gone
        self._waiting: set[str] = set()  # sessions with a fact that waits for space
        self._unheard: dict[str, dict[str, int]] = {}  # session -> role -> unrecorded since
        self._opening = asyncio.Lock()
        self._log = logger("studio")

    def tell(self, told: Told, lost: Lost, take_up: TakeUp) -> None:
        """Carry facts to these services; they and the studio need each other, so it comes after."""
        self._told = told
        self._lost = lost
        self._take_up = take_up

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Tell `changed(session id)` when somebody came, left, or was recorded."""
        self._changed = changed

    def on_opening(self, opened: Callable[[str], None]) -> None:
        """Tell `opened(session id)` when a session's room was made."""
        self._opened = opened

    def on_gone(self, gone: Callable[[str], None]) -> None:
        """Tell `gone(session id)` when a session's media died and may be dialled again."""
        self._gone = gone

    def is_open(self, sid: str) -> bool:
        """Whether a session has a room."""
        return sid in self._stages

    async def join(self, sid: str, role: str, offer: str) -> str:
        """Answer a participant's offer; the first one opens the session's room.

        Refuses `media-busy` while no process takes the session; a page tries again by itself.
        """
        try:
            stage = await self._stage(sid)
            return await stage.room.join(role, offer)
        except (NoSeat, WorkerGone) as busy:
            self._log.warning("no place for a session", session=sid, why=repr(busy))
            raise DomainError("media-busy") from busy

    async def leave(self, sid: str, role: str) -> None:
        """End a participant's media."""
        if stage := self._stages.get(sid):
            with suppress(WorkerGone):  # and with it everybody's media
                await stage.room.leave(role)

    async def close(self, sid: str) -> None:
        """End a session's media for good; when this returns every fact has reached the services.

        Unless the disk is full: then they go on being told, and `all_told` waits for it.
        """
        await self._close(sid)
        self._unheard.pop(sid, None)
        await self._placement.over(sid)

    async def close_all(self) -> None:
        """End every session's media: the server stops.

        What waits for a full disk even then is told by the recovery at the next start.
        """
        for sid in tuple(self._stages):
            await self._close(sid)
        for telling in tuple(self._telling.values()):
            telling.cancel()

    @property
    def short_of_space(self) -> bool:
        """Whether facts wait because the disk is full."""
        return bool(self._waiting)

    async def all_told(self, sid: str) -> None:
        """Wait until the services have heard every fact of a session whose room is closed.

        OSError (ENOSPC) when the server stops before that: then nobody may seal the session.
        """
        if telling := self._telling.get(sid):
            await asyncio.wait([telling])
            if telling.cancelled():
                raise OSError(errno.ENOSPC, "facts of the recording wait for space")

    async def keyframe(self, sid: str, role: str) -> Keyframe | None:
        """Return the newest key frame of a participant's video."""
        stage = self._stages.get(sid)
        try:
            return await stage.room.keyframe(role) if stage else None
        except MediaError:  # closed or gone in this very moment
            return None

    def take(self, sid: str, role: str) -> int | None:
        """Return the number of a participant's current take."""
        stage = self._stages.get(sid)
        return stage.takes.get(role) if stage else None

    def presence(self, sid: str) -> dict[str, dict[str, Any]]:
        """Return who is connected, on which take, with what quality, by role."""
        stage = self._stages.get(sid)
        if stage is None:
            return {}
        return {
            role: {
                "connected": True,
                "take": stage.takes.get(role),
                "picture": stage.sight.shows(role),
                "quality": asdict(quality) if (quality := stage.room.quality(role)) else None,
            }
            for role in stage.room.participants
        }

    async def _stage(self, sid: str) -> Stage:
        if (telling := self._telling.get(sid)) and sid not in self._stages:
            await asyncio.wait([telling], timeout=_TAKEN_UP_S)
            if not telling.done():
                raise DomainError("media-busy")
        async with self._opening:
            if stage := self._stages.get(sid):
                return stage
            cipher = await self._told.recording_cipher(sid)
            facts: Facts = asyncio.Queue()

            def emit(epoch: int, fact: MediaFact, acknowledge: Callable[[], None]) -> None:
                facts.put_nowait(_Said(epoch, fact, acknowledge))

            def gone() -> None:
                facts.put_nowait(_End.GONE)
                if (stage := self._stages.get(sid)) and stage.facts is facts:
                    self._leave_telling(sid, stage)

            room = await self._placement.open(sid, cipher=cipher, emit=emit, gone=gone)
            told = self._tasks.start(self._tell(sid, facts), name=f"facts of {sid}")
            stage = self._stages[sid] = Stage(room, facts, told)
            self._opened(sid)
            return stage

    async def _close(self, sid: str) -> None:
        stage = self._stages.get(sid)
        if stage is None:
            return
        self._leave_telling(sid, stage)
        try:
            await stage.room.close()
        except WorkerGone:
            self._log.warning("a worker died while a session was closed", session=sid)
        stage.facts.put_nowait(_End.CLOSED)
        await asyncio.wait([stage.told], timeout=self._patience_s)

    def _leave_telling(self, sid: str, stage: Stage) -> None:
        """The session has no room any more; what its room told goes on being told."""
        del self._stages[sid]
        self._telling[sid] = stage.told
        stage.told.add_done_callback(lambda _: self._told_all(sid, stage.told))

    def _told_all(self, sid: str, telling: asyncio.Task[None]) -> None:
        if self._telling.get(sid) is telling and not telling.cancelled():
            del self._telling[sid]

    async def _tell(self, sid: str, facts: Facts) -> None:
        recorded: set[str] = set()  # roles
        while isinstance(said := await facts.get(), _Said):
            what = type(said.fact).__name__
            if isinstance(said.fact, TakeStarted):
                recorded.add(said.fact.participant)
            if not self._placement.admits(sid, said.epoch):
                self._log.error("a fact of an old epoch was refused", fact=what, session=sid)
                continue
            try:
                await self._insist(sid, what, partial(self._carry, sid, said.fact))
            except DomainError as refused:
                self._log.warning("a fact came too late", fact=what, why=refused.code)
            except Exception:  # noqa: BLE001 - the recording goes on, whatever a service says
                self._log.exception("a fact did not reach the services", fact=what)
            said.acknowledge()
            self._changed(sid)
        if said is _End.GONE:
            await self._mourn(sid, facts, recorded)

    async def _mourn(self, sid: str, facts: Facts, recorded: set[str]) -> None:
        """The room's process is dead: tell what it made durable and had no time to tell."""
        stage = self._stages.get(sid)
        if stage is not None and stage.facts is facts:  # it died while the room was made
            self._leave_telling(sid, stage)
        since = self._clock()
        self._log.error("a session lost its media worker", session=sid)
        try:
            await self._insist(sid, "death", partial(self._take_up, sid, WORKER_GONE))
        except Exception:  # noqa: BLE001 - the recovery at the next start does the same
            self._log.exception("a dead worker's takes were not taken up", session=sid)
        self._unheard.setdefault(sid, {}).update(dict.fromkeys(recorded, since))
        self._changed(sid)
        self._gone(sid)

    async def _insist(self, sid: str, what: str, carry: Callable[[], Awaitable[None]]) -> None:
        """Carry something, again and again while the disk is full; the screens are told so."""
        try:
            while True:
                try:
                    return await carry()
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    self._waiting.add(sid)
                    self._log.warning("a fact waits for space", fact=what)
                    self._told.failed(sid, str(error))
                    self._changed(sid)
                    await asyncio.sleep(_SPACE_EVERY_S)
        finally:
            self._waiting.discard(sid)

    async def _carry(self, sid: str, fact: MediaFact) -> None:
        stage = self._stages.get(sid)
        match fact:
            case Joined():
                pass  # the screens are told below
            case TakeStarted():
                if stage:
                    stage.takes[fact.participant] = fact.take
                    stage.sight.begins(fact.participant, fact.at)
                await self._told.take_started(
                    sid, participant=fact.participant, take=fact.take, at=fact.at
                )
                await self._tell_unheard(sid, fact)
            case SegmentClosed():
                await self._told.segment(
                    Segment(
                        session_id=sid,
                        participant=fact.participant,
                        take=fact.take,
                        number=fact.number,
                        start_at=fact.start_at,
                        end_at=fact.end_at,
                        offset=fact.offset,
                        length=fact.length,
                        plaintext_sha256=fact.plaintext_sha256,
                        ciphertext_sha256=fact.ciphertext_sha256,
                        chain=fact.chain,
                        keyframe=fact.keyframe,
                        frames=fact.frames,
                    )
                )
                if stage and (since := stage.sight.segment(fact)) is not None:
                    await self._lost(sid, role=fact.participant, reason="no picture", since=since)
            case MediaGap():
                await self._told.gap(
                    Gap(
                        session_id=sid,
                        participant=fact.participant,
                        take=fact.take,
                        kind=fact.kind,
                        start_at=fact.start_at,
                        end_at=fact.end_at,
                        detail=fact.detail,
                    )
                )
            case TakeEnded():
                await self._told.take_ended(
                    sid,
                    participant=fact.participant,
                    take=fact.take,
                    at=fact.at,
                    reason=fact.reason,
                )
            case RecorderFailed():
                self._told.failed(sid, fact.reason)
            case Left():
                if fact.reason in ("lost", "replaced"):
                    await self._lost(sid, role=fact.participant, reason=fact.reason, since=fact.at)

    async def _tell_unheard(self, sid: str, fact: TakeStarted) -> None:
        """A role is recorded again after a worker's death: tell from when to when it was not."""
        since = self._unheard.get(sid, {}).get(fact.participant)
        if since is None:
            return
        if fact.at > since:
            why = {"reason": WORKER_GONE}
            await self._told.gap(
                Gap(sid, fact.participant, fact.take, "reconnect", since, fact.at, why)
            )
        del self._unheard[sid][fact.participant]
