"""One person's browser without the pages: cookies, JSON, problems and a session's socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

Json = dict[str, Any]


class RefusedError(Exception):
    """The office refused. `code` is the problem's code; the message is what a person would read."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", status))
        super().__init__(
            f"{status} {self.code}: {problem.get('title', '')} {problem.get('next', '')}"
        )


class Visitor:
    """Talks to one office as one person. Every call has a deadline of `timeout_s` seconds."""

    def __init__(self, url: str, *, language: str = "zh-CN", timeout_s: float = 60) -> None:
        self.url = url
        self._http = aiohttp.ClientSession(
            url,
            headers={"X-Farseal": "1", "Accept-Language": language},
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """Names and values, for a browser that goes on from here."""
        return [(cookie.key, cookie.value) for cookie in self._http.cookie_jar]

    async def get(self, path: str) -> Json:
        return await self._json("GET", path)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        return await self._json("POST", path, json=body or {})

    async def put(self, path: str, body: Mapping[str, Any]) -> Json:
        return await self._json("PUT", path, json=body)

    async def upload(self, path: str, content: bytes, *, name: str, media_type: str) -> Json:
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name, content_type=media_type)
        return await self._json("POST", path, data=form)

    async def download(self, path: str) -> bytes:
        """The body of `path`. RefusedError when the office does not hand it out."""
        async with self._http.get(path) as response:
            if response.status != 200:
                raise RefusedError(response.status, await _problem(response))
            return await response.read()

    @asynccontextmanager
    async def socket(self, session: str) -> AsyncIterator[SessionSocket]:
        """The live socket of a session, read for as long as the block runs."""
        async with (
            self._http.ws_connect(f"/api/sessions/{session}/socket", max_msg_size=1 << 24) as ws,
            asyncio.TaskGroup() as tasks,
        ):
            socket = SessionSocket(ws)
            reading = tasks.create_task(socket.read(), name=f"socket of session {session}")
            try:
                await socket.send({"type": "ping", "at": time.time_ns() // 1_000_000})
                yield socket
            finally:
                reading.cancel()

    async def _json(self, method: str, path: str, **request: Any) -> Json:
        async with self._http.request(method, path, **request) as response:
            if response.status >= 400:
                raise RefusedError(response.status, await _problem(response))
            body: Json = await response.json() if response.content_length != 0 else {}
            return body


class SessionSocket:
    """What a session's page knows: the newest snapshot, the anchored entries, and the answers."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._changed = asyncio.Condition()
        self._answers: dict[str, str] = {}
        self.view: Json = {}
        self.anchored: list[Json] = []
        self.redials = 0
        self.closed = False

    async def read(self) -> None:
        async for message in self._ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = message.json()
            async with self._changed:
                match said["type"]:
                    case "state":
                        self.view = said["session"]
                    case "anchored":
                        self.anchored.append(said)
                    case "receipts":
                        self.anchored.extend(said["entries"])
                    case "answer":
                        self._answers[said["id"]] = said["sdp"]
                    case "redial":
                        self.redials += 1
                    case "problem":
                        raise RefusedError(409, said["problem"])
                self._changed.notify_all()
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    async def exchange(self, offer_sdp: str) -> str:
        """Sends an SDP offer and returns the office's answer (JSEP: one offer, one answer)."""
        number = f"offer-{len(self._answers)}"
        await self._ws.send_json({"type": "offer", "id": number, "sdp": offer_sdp})
        await self.until(lambda: number in self._answers, what="an answer to the offer")
        return self._answers[number]

    async def send(self, message: Mapping[str, Any]) -> None:
        await self._ws.send_json(dict(message))

    async def until(
        self, condition: Callable[[], bool], *, what: str, timeout_s: float = 60
    ) -> None:
        """Waits until `condition` holds; TimeoutError names what did not come."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: condition() or self.closed)
        except TimeoutError:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}") from None
        if not condition():
            raise ConnectionError(f"the office closed the socket before {what}")


async def _problem(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    if "json" in response.content_type:
        body: Mapping[str, Any] = await response.json()
        return body
    return {"title": (await response.text())[:200]}
