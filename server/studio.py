"""The studio: one media room for each live session, and its facts carried to the services.

The media rooms know nothing of cases, the services nothing of media; this is where they meet. Facts
of one session reach the services one after another, in the order the room told them. A service
that refuses a fact is logged and does not stop the recording; a disk that is full makes the facts
wait, for what the recorder made durable must reach the ledger when there is space again.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
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
    MediaFact,
    RecorderFailed,
    Room,
    SegmentClosed,
    TakeEnded,
    TakeStarted,
)
from server.observe import logger
from server.supervisor import Supervisor

_GOODBYE_S = 10.0
_SPACE_EVERY_S = 1.0


class TakeCipher(Protocol):
    """Encrypts and decrypts the segments of one session's takes; called on threads."""

    def encrypt(self, plaintext: bytes, label: str) -> bytes: ...
    def decrypt(self, ciphertext: bytes, label: str) -> bytes: ...


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


@dataclass
class Stage:
    """One session's room, the facts that wait, and what its screens are told beside the case."""

    room: Room
    cipher: TakeCipher
    facts: asyncio.Queue[MediaFact | None]
    told: asyncio.Task[None]
    takes: dict[str, int] = field(default_factory=dict)


class Studio:
    """Owns the rooms. Services and screens are told once `tell` and `on_change` said whom to
    tell."""

    def __init__(
        self,
        *,
        directory: Path,
        clock: Callable[[], int],
        hosts: tuple[str, ...] | None,
        tasks: Supervisor,
        patience_s: float = _GOODBYE_S,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._hosts = hosts
        self._tasks = tasks
        self._patience_s = patience_s
        self._stages: dict[str, Stage] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}  # of rooms that are closed
        self._waiting: set[str] = set()  # sessions with a fact that waits for space
        self._opening = asyncio.Lock()
        self._log = logger("studio")

    def tell(self, told: Told, lost: Lost) -> None:
        """Carry facts to these services; they and the studio need each other, so it comes after."""
        self._told = told
        self._lost = lost

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Tell `changed(session id)` when somebody came, left, or was recorded."""
        self._changed = changed

    def on_opening(self, opened: Callable[[str], None]) -> None:
        """Tell `opened(session id)` when a session's room was made."""
        self._opened = opened

    def is_open(self, sid: str) -> bool:
        """Whether a session has a room."""
        return sid in self._stages

    async def join(self, sid: str, role: str, offer: str) -> str:
        """Answer a participant's offer; the first one opens the session's room."""
        stage = await self._stage(sid)
        return await stage.room.join(role, offer)

    async def leave(self, sid: str, role: str) -> None:
        """End a participant's media."""
        if stage := self._stages.get(sid):
            await stage.room.leave(role)

    async def close(self, sid: str) -> None:
        """End a session's media; when this returns every fact has reached the services.

        Unless the disk is full: then they go on being told, and `all_told` waits for it.
        """
        stage = self._stages.pop(sid, None)
        if stage is None:
            return
        self._telling[sid] = stage.told
        stage.told.add_done_callback(lambda _: self._told_all(sid, stage.told))
        await stage.room.close()
        stage.facts.put_nowait(None)
        await asyncio.wait([stage.told], timeout=self._patience_s)

    async def close_all(self) -> None:
        """End every session's media: the server stops.

        What waits for a full disk even then is told by the recovery at the next start.
        """
        for sid in tuple(self._stages):
            await self.close(sid)
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

    def _told_all(self, sid: str, telling: asyncio.Task[None]) -> None:
        if self._telling.get(sid) is telling and not telling.cancelled():
            del self._telling[sid]

    def keyframe(self, sid: str, role: str) -> Keyframe | None:
        """Return the newest key frame of a participant's video."""
        stage = self._stages.get(sid)
        return stage.room.keyframe(role) if stage else None

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
                "quality": asdict(quality) if (quality := stage.room.quality(role)) else None,
            }
            for role in stage.room.participants
        }

    async def _stage(self, sid: str) -> Stage:
        async with self._opening:
            if stage := self._stages.get(sid):
                return stage
            cipher = await self._told.recording_cipher(sid)
            facts: asyncio.Queue[MediaFact | None] = asyncio.Queue()
            room = Room(
                sid,
                directory=self._directory,
                encrypt=cipher.encrypt,
                emit=facts.put_nowait,
                clock=self._clock,
                hosts=self._hosts,
            )
            told = self._tasks.start(self._tell(sid, facts), name=f"facts of {sid}")
            stage = self._stages[sid] = Stage(room, cipher, facts, told)
            self._opened(sid)
            return stage

    async def _tell(self, sid: str, facts: asyncio.Queue[MediaFact | None]) -> None:
        while (fact := await facts.get()) is not None:
            try:
                await self._insist(sid, fact)
            except DomainError as refused:
                self._log.warning(
                    "a fact came too late", fact=type(fact).__name__, why=refused.code
                )
            except Exception:  # noqa: BLE001 - the recording goes on, whatever a service says
                self._log.exception("a fact did not reach the services", fact=type(fact).__name__)
            self._changed(sid)

    async def _insist(self, sid: str, fact: MediaFact) -> None:
        """Carry a fact, again and again while the disk is full; the screens are told so."""
        try:
            while True:
                try:
                    return await self._carry(sid, fact)
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    self._waiting.add(sid)
                    self._log.warning("a fact waits for space", fact=type(fact).__name__)
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
                await self._told.take_started(
                    sid, participant=fact.participant, take=fact.take, at=fact.at
                )
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
