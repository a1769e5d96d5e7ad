"""Strangers' files to check: a bounded queue, turned down in words before their bodies are read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import ClientSession, FormData
from aiohttp.test_utils import TestServer

from server.http.application import build
from server.http.limits import RATES, Limiter, Rate
from server.http.lookup import Checker, Lookup
from server.http.messages import read_catalogue
from server.http.middleware import Doorman
from server.http.routes import Caller
from server.observe import logger
from server.services.assemble import Services


@dataclass
class SlowSandbox:
    """Gives no report before `go` is set."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def run(self, module: str, data: bytes, arguments: Sequence[str] = ()) -> dict[str, Any]:
        self.entered.release()
        await self.go.wait()
        return {"file": data.partition(b"\n")[2].decode()}


async def _nobody(token: str) -> Caller | None:
    return None


async def _context() -> dict[str, Any]:
    return {}


@asynccontextmanager
async def doors(checker: Checker) -> AsyncIterator[tuple[TestServer, ClientSession]]:
    catalogue = read_catalogue()
    rates = {**RATES, "verify-file": Rate(1_000, 1)}
    limiter = Limiter(clock=lambda: 0, rates=rates)
    doorman = Doorman(find_caller=_nobody, limiter=limiter, secure=False, trust_proxy=False)
    lookup = Lookup(cast(Services, None), check=checker)  # its files need no services
    app = build([lookup], doorman=doorman, catalogue=catalogue, log=logger("http"))
    async with TestServer(app, host="127.0.0.1") as server, ClientSession() as http:
        yield server, http


async def send(server: TestServer, http: ClientSession) -> tuple[int, dict[str, Any]]:
    form = FormData()
    form.add_field("file", b"a certificate", filename="c.pdf")
    async with http.post(server.make_url("/api/verify/file"), data=form) as answer:
        return answer.status, await answer.json(content_type=None)


async def announce(server: TestServer, length: int) -> tuple[int, dict[str, Any]]:
    """Send the head of an upload and nothing of its body; the answer must not wait for that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = (
        "POST /api/verify/file HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    )
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    size = next(
        int(line.split(b":")[1])
        for line in answer.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    body = await reader.readexactly(size)
    writer.close()
    return int(answer.split(b" ")[1]), json.loads(body)


async def test_beyond_the_queue_a_file_is_refused_before_its_body_is_read() -> None:
    sandbox = SlowSandbox()
    async with doors(Checker(sandbox, context=_context, places=3)) as (server, http):
        async with asyncio.TaskGroup() as tasks:
            sent = [tasks.create_task(send(server, http)) for _ in range(3)]
            for _ in sent:
                await sandbox.entered.acquire()
            status, problem = await announce(server, 90_000_000)
            assert (status, problem["code"]) == (503, "verify-busy")
            assert "15" in problem["next"]
            sandbox.go.set()
        assert [task.result() for task in sent] == [(200, {"file": "a certificate"})] * 3
        assert (await send(server, http))[0] == 200  # every place is free again


async def test_a_body_that_never_comes_gives_its_place_back() -> None:
    sandbox = SlowSandbox()
    sandbox.go.set()
    checker = Checker(sandbox, context=_context, places=1, upload_seconds=0.2)
    async with doors(checker) as (server, http):
        status, problem = await announce(server, 90_000_000)
        assert (status, problem["code"]) == (408, "upload-slow")
        assert (await send(server, http))[0] == 200
