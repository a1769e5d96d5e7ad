"""The live line of a session: snapshots on every change, anchored entries, the call's signalling.

A screen that comes (back) names the last entry it has, `?after=INDEX`; the entries anchored since
then come first, as `receipts`, so that what it keeps is whole although its line was lost.

Close codes: 4401 log in first, 4403 not yours, 4404 no such session, 4408 you opened it elsewhere,
4409 another notary is in it; 1001 the server stops.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from server.domain.errors import DomainError
from server.domain.participant import Applicant, Staff
from server.http.messages import Catalogue
from server.http.problems import Refusal
from server.http.routes import PARTIES, Answer, Call, endpoint

_HEARTBEAT_S = 10.0
_LARGEST_MESSAGE = 512_000
_WAITING = 2_000
_PACE_S = 0.1
_RECEIPTS = 500  # in one message
_LATEST = 2**52  # ms UTC; what a clock says stands in the ledger, whose integers end at 2^53
_CODES = {401: 4401, 403: 4403, 404: 4404, 409: 4409}

View = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """What the hub asks of the services and the studio; all by session id."""

    view: Callable[[Applicant | Staff, str, str], Awaitable[View]]
    role: Callable[[Applicant | Staff, str], Awaitable[str]]
    receipts: Callable[[str, int], Awaitable[Sequence[View]]]
    page_seen: Callable[[Applicant | Staff, str, int], Awaitable[None]]
    join: Callable[[str, str, str], Awaitable[str]]
    clock_offset: Callable[[str, int, int], Awaitable[None]]
    muted: Callable[[str, str, int, int], Awaitable[None]]


@dataclass(eq=False)
class Seat:
    """One connected screen: what waits to be sent to it, and whether it is behind."""

    socket: web.WebSocketResponse
    person: Applicant | Staff
    role: str
    language: str
    after: int = -1
    waiting: deque[Mapping[str, Any]] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    behind: bool = True
    goodbye: int | None = None
    muted_at: int | None = None
    rtt_ms: int | None = None
    offset_told: bool = False

    def say(self, message: Mapping[str, Any]) -> None:
        """Queue a message; a screen that reads nothing for long is let go."""
        self.waiting.append(message)
        if len(self.waiting) > _WAITING:
            self.goodbye = 4408
        self.wake.set()

    def update(self) -> None:
        """Send a fresh snapshot soon."""
        self.behind = True
        self.wake.set()


class Hub:
    """The seats of every live session."""

    def __init__(
        self,
        line: Line,
        *,
        catalogue: Catalogue,
        clock: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._line = line
        self._catalogue = catalogue
        self._clock = clock
        self._log = log
        self._seats: dict[str, dict[str, Seat]] = {}

    def changed(self, sid: str | None) -> None:
        """Something about a session changed: its screens get a snapshot."""
        for seat in self._seats.get(sid or "", {}).values():
            seat.update()

    def anchored(
        self, sid: str | None, *, index: int, leaf_hash: str, event: str, kind: str, at: int
    ) -> None:
        """An entry of a session is in the ledger: its screens keep the receipt."""
        for seat in self._seats.get(sid or "", {}).values():
            seat.say(
                {
                    "type": "anchored",
                    "index": index,
                    "leaf_hash": leaf_hash,
                    "event": event,
                    "kind": kind,
                    "at": at,
                }
            )

    def redial(self, sid: str) -> None:
        """A session's media ended without anybody's asking: its screens shall call again now.

        A browser notices by itself too, but only after eight seconds.
        """
        for seat in self._seats.get(sid, {}).values():
            seat.say({"type": "redial"})

    async def close(self) -> None:
        """Say goodbye to every screen: the server stops."""
        for seats in list(self._seats.values()):
            for seat in list(seats.values()):
                await seat.socket.close(code=1001)

    @endpoint("GET", "/api/sessions/{sid}/socket", roles=PARTIES)
    async def serve(self, call: Call) -> Answer:
        """Hold the live line of a session."""
        if call.request.headers.get("Upgrade", "").lower() != "websocket":
            raise Refusal("socket-only")
        sid, person = call.part("sid"), call.person
        role = await self._line.role(person, sid)
        held = self._seats.get(sid, {}).get(role)
        if held is not None and held.person.id != person.id:
            raise DomainError("session-has-notary")
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST_MESSAGE)
        await socket.prepare(call.request)
        seat = Seat(socket, person, role, call.language, _index(call.query("after")))
        if held is not None:
            held.goodbye = 4408
            held.wake.set()
        self._seats.setdefault(sid, {})[role] = seat
        seat.update()
        self._log.info("a screen is in", session=sid, role=role)
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(sid, seat), name=f"screen {sid} {role}")
                await self._read(sid, seat)
                writer.cancel()
        finally:
            if self._seats.get(sid, {}).get(role) is seat:
                del self._seats[sid][role]
                if not self._seats[sid]:
                    del self._seats[sid]
            await self._unmute(sid, seat)
            self._log.info("a screen is gone", session=sid, role=role)
        return socket

    async def _write(self, sid: str, seat: Seat) -> None:
        """Send what waits, newest snapshot last; ends when the seat is taken or the line is
        dead."""
        try:
            if not await self._catch_up(sid, seat):
                await seat.socket.close(code=1011)  # the page comes back and asks again
                return
            while True:
                await seat.wake.wait()
                seat.wake.clear()
                while seat.waiting:
                    await _send(seat.socket, seat.waiting.popleft())
                if seat.goodbye is not None:
                    await _send(seat.socket, {"type": "evicted"})
                    await seat.socket.close(code=seat.goodbye)
                    return
                if seat.behind:
                    seat.behind = False
                    await self._snapshot(sid, seat)
                    await asyncio.sleep(_PACE_S)  # at most ten snapshots a second
        except ConnectionError:
            return  # the reader ends by itself

    async def _catch_up(self, sid: str, seat: Seat) -> bool:
        """Send the receipts this screen missed; what is anchored meanwhile waits its turn."""
        try:
            missed = await self._line.receipts(sid, seat.after)
        except Exception:  # noqa: BLE001 - the reader would wait for a writer that is gone
            self._log.exception("no receipts", session=sid)
            return False
        for start in range(0, len(missed), _RECEIPTS):
            part = missed[start : start + _RECEIPTS]
            await _send(seat.socket, {"type": "receipts", "entries": part})
        return True

    async def _snapshot(self, sid: str, seat: Seat) -> None:
        try:
            view = await self._line.view(seat.person, sid, seat.language)
        except DomainError as refused:
            await _send(seat.socket, self._problem(seat, refused.code, refused.params))
        except Exception:  # noqa: BLE001 - a screen without a snapshot is not the end of a session
            self._log.exception("no snapshot", session=sid)
        else:
            await _send(seat.socket, {"type": "state", "session": view})

    async def _read(self, sid: str, seat: Seat) -> None:
        async for message in seat.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                said = json.loads(message.data)
                await self._hear(sid, seat, said if isinstance(said, dict) else {})
            except (Refusal, DomainError) as refused:
                seat.say(self._problem(seat, refused.code, refused.params))
            except (KeyError, TypeError, ValueError):
                seat.say(self._problem(seat, "request-unreadable", {}))
            except Exception:  # noqa: BLE001 - one bad message must not end the line
                self._log.exception("a fault of ours on a live line", session=sid)
                seat.say(self._problem(seat, "internal", {}))

    async def _hear(self, sid: str, seat: Seat, said: Mapping[str, Any]) -> None:
        match said.get("type"):
            case "ping":
                await self._ping(sid, seat, int(said["at"]))
            case "offer":
                answer = await self._line.join(sid, seat.role, str(said["sdp"]))
                seat.say({"type": "answer", "id": said.get("id"), "sdp": answer})
                seat.update()
            case "page":
                await self._line.page_seen(seat.person, sid, int(said["n"]))
            case "quality":
                seat.rtt_ms = max(0, min(60_000, int(said.get("rtt_ms") or 0)))
            case "mute":
                if bool(said["muted"]):
                    seat.muted_at = seat.muted_at or self._clock()
                else:
                    await self._unmute(sid, seat)
            case _:
                raise Refusal("request-unreadable")

    async def _ping(self, sid: str, seat: Seat, at: int) -> None:
        """Answer a ping; the applicant's first one tells how far that clock is off."""
        if not 0 <= at < _LATEST:
            raise Refusal("request-unreadable")
        now = self._clock()
        seat.say({"type": "pong", "at": now})
        if seat.role == "applicant" and not seat.offset_told:
            seat.offset_told = True
            rtt = seat.rtt_ms or 0
            await self._line.clock_offset(sid, at + rtt // 2 - now, rtt)

    async def _unmute(self, sid: str, seat: Seat) -> None:
        since, seat.muted_at = seat.muted_at, None
        if since is not None:
            await self._line.muted(sid, seat.role, since, self._clock())

    def _problem(self, seat: Seat, code: str, params: Mapping[str, Any]) -> dict[str, Any]:
        problem = self._catalogue.problem(code, language=seat.language, params=params)
        return {"type": "problem", "problem": problem}


async def refuse_socket(request: web.Request, problem: Mapping[str, Any]) -> web.StreamResponse:
    """Turn a live line down in words a page can read: browsers do not show a refused upgrade."""
    socket = web.WebSocketResponse(timeout=2.0)
    await socket.prepare(request)
    await _send(socket, {"type": "problem", "problem": problem})
    await socket.close(code=_CODES.get(problem["status"], 4400), message=b"refused")
    return socket


def _index(text: str) -> int:
    """The index a screen names; anything else is as good as none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else -1


async def _send(socket: web.WebSocketResponse, message: Mapping[str, Any]) -> None:
    if not socket.closed:
        await socket.send_str(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
