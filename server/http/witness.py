"""Witnesses over HTTP: our own as a small application, and how a log asks others.

POST /add-checkpoint              C2SP tlog-witness
GET  /<origin hash>/checkpoint    the newest note cosigned for a log
GET  /healthz
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from ledger.errors import LedgerError
from ledger.witness import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Answer, Witness
from server.observe import logger

READ_S = 10.0
"""How long a request's body may take to arrive."""
AT_ONCE = 64
"""How many requests may be at hand; the next are asked to come again."""


class WitnessRoom:
    """The doors of one witness. The thread that works is its own and works one at a time."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="witness")
        self._busy = 0
        self._log = logger("witness")

    def application(self) -> web.Application:
        """The aiohttp application; its clean-up ends the thread."""
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/add-checkpoint", self._add)
        app.router.add_get("/{origin_hash:[0-9a-f]{64}}/checkpoint", self._show)
        app.router.add_get("/healthz", self._health)
        app.on_cleanup.append(self._close)
        return app

    async def _add(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READ_S):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        return await self._work(lambda: self._witness.add_checkpoint(body))

    async def _show(self, request: web.Request) -> web.Response:
        origin_hash = request.match_info["origin_hash"]
        return await self._work(lambda: self._witness.checkpoint(origin_hash))

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _work(self, work: Callable[[], Answer]) -> web.Response:
        if self._busy >= AT_ONCE:
            return web.Response(status=503, headers={"Retry-After": "1"})
        self._busy += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except LedgerError as error:
            self._log.error("nothing was cosigned", why=str(error))
            return web.Response(status=503, text="the witness cannot record now\n")
        finally:
            self._busy -= 1
        self._log.info("answered", status=answer.status)
        # The media type goes out as it stands: clients compare it with text/x.tlog.size.
        headers = {"Content-Type": answer.media_type, "X-Content-Type-Options": "nosniff"}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _close(self, app: web.Application) -> None:
        await asyncio.to_thread(self._thread.shutdown)


class Asker:
    """Asks others over HTTP: `ask(url, body)`, or `ask(url, None)` to read; `kind`: of the body.

    It follows no redirection and reads no more of an answer than one may be long. Raises OSError
    when there is none; deadlines are the caller's.
    """

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Asker:
        self._session = ClientSession(timeout=ClientTimeout(total=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, url: str, body: bytes | None, *, kind: str | None = None) -> Answer:
        headers = {"Content-Type": kind} if kind else None
        if self._session is None:
            raise OSError("the asker is closed")
        method = "GET" if body is None else "POST"
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                found = b""
                while len(found) <= MAX_ANSWER_BYTES:
                    piece = await answer.content.read(MAX_ANSWER_BYTES + 1 - len(found))
                    if not piece:
                        break
                    found += piece
                return Answer(answer.status, found, answer.content_type)
        except (ClientError, ValueError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
