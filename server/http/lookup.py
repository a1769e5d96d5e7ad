"""Certificates looked up by anybody: by number, by code, or the file itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from server.http.problems import Refusal
from server.http.routes import PUBLIC, Answer, Call, answer_file, answer_json, endpoint
from server.http.sandbox import Broken, RunsChildren
from server.http.uploads import read_upload

if TYPE_CHECKING:
    from server.services.assemble import Services

LARGEST_EVIDENCE = 100_000_000
PLACES = 10  # two files being checked and eight that wait, up to 100 MB each in memory
_BUSY_S = 15
_UPLOAD_S = 120.0


class Checker:
    """Runs the verifier on a stranger's file in the sandbox, against this office's trust.

    `context()` gives what the child cannot fetch itself: trust and the newest checkpoint. No more
    than `places` files are held at once, from their first byte to their report; one may take
    `upload_seconds` to come in.
    """

    def __init__(
        self,
        sandbox: RunsChildren,
        *,
        context: Callable[[], Awaitable[Mapping[str, Any]]],
        places: int = PLACES,
        upload_seconds: float = _UPLOAD_S,
    ) -> None:
        self._sandbox = sandbox
        self._context = context
        self._free = places
        self.upload_seconds = upload_seconds

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one file. Raises Refusal `verify-busy` when all are taken."""
        if self._free == 0:
            raise Refusal("verify-busy", retry_after=_BUSY_S, seconds=_BUSY_S)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def __call__(self, data: bytes) -> Mapping[str, Any]:
        """Return the report. Raises Refusal `verify-broken` when the child gives none."""
        try:
            context = json.dumps(await self._context()).encode()
            return await self._sandbox.run("server.http.verdict", context + b"\n" + data)
        except Broken as broken:
            raise Refusal("verify-broken") from broken


class Lookup:
    """Routes under /api/verify; `check(data)` gives the verifier's report from a child process."""

    def __init__(self, services: Services, *, check: Checker) -> None:
        self._services = services
        self._check = check

    @endpoint("GET", "/api/verify/number/{number}", roles=PUBLIC, rate="verify")
    async def number(self, call: Call) -> Answer:
        """Tell the status of a certificate by its number, and nothing else."""
        return await self._services.verification.number(call.part("number"))

    @endpoint("GET", "/api/verify/code/{code}", roles=PUBLIC, rate="verify")
    async def code(self, call: Call) -> Answer:
        """Show what a certificate's code opens."""
        return await self._services.verification.code(call.part("code"), language=call.language)

    @endpoint("GET", "/api/verify/code/{code}/bundle.zip", roles=PUBLIC, rate="verify")
    async def bundle(self, call: Call) -> Answer:
        """Give the bundle of a certificate to whoever holds its code."""
        return answer_file(
            await self._services.verification.bundle(call.part("code")), download=True
        )

    @endpoint(
        "POST",
        "/api/verify/file",
        roles=PUBLIC,
        upload=True,
        stateless=True,
        rate="verify-file",
    )
    async def file(self, call: Call) -> Answer:
        """Check a certificate or a bundle; the file is not kept."""
        with self._check.place():
            try:
                async with asyncio.timeout(self._check.upload_seconds):
                    upload = await read_upload(call.request, limit=LARGEST_EVIDENCE)
            except TimeoutError as error:
                raise Refusal("upload-slow") from error
            return answer_json(await self._check(upload.data))

    @endpoint("GET", "/status.json", roles=PUBLIC)
    async def statuses(self, call: Call) -> Answer:
        """Give the signed list of certificates' states."""
        answer = answer_json(await self._services.verification.status_list())
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer
