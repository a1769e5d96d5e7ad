"""What anybody may read: the office, its matters, its trust, its revocations, the ledger."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from aiohttp import web

from server.http.openapi import describe
from server.http.problems import Refusal
from server.http.routes import PUBLIC, Answer, Call, endpoint

_OCSP_LIMIT = 8_000


class TrustAnchor(Protocol):
    """The office's certificates and what it says about them. `signing.ca.Office` is one."""

    def trust(self) -> dict[str, Any]: ...
    def crls(self) -> dict[str, bytes]: ...
    def authorities(self) -> dict[str, bytes]: ...
    def ocsp(self, request: bytes) -> bytes: ...


class LedgerAnswer(Protocol):
    """What the ledger's read side answers."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Public:
    """Everything without a login but the certificates' look-up (`lookup.py`).

    `read_ledger(path)` answers a path under `/log/`, `read_former(number, path)` one under
    `/former/`, `ledger_size()` counts entries,
    `ledger_scrub()` says which entries and tiles have changed, and when all were last read again
    (ms UTC); `ledger_standing()` is what the ledger's page shows and a copy of the ledger does not;
    `in_thread` runs the office's synchronous calls off the loop.
    """

    def __init__(
        self,
        *,
        config: Callable[[], dict[str, Any]],
        matters: Callable[[], dict[str, Any]],
        matter: Callable[[str], dict[str, Any]],
        office: TrustAnchor,
        read_ledger: Callable[[str], Awaitable[LedgerAnswer]],
        read_former: Callable[[str, str], Awaitable[LedgerAnswer]],
        ledger_size: Callable[[], int],
        ledger_trouble: Callable[[], str | None],
        seals_wait_for: Callable[[], str | None],
        ledger_scrub: Callable[[], tuple[Sequence[str], int | None]],
        ledger_standing: Callable[[], Mapping[str, Any]],
        in_thread: Callable[..., Awaitable[Any]],
        version: str,
    ) -> None:
        self._config = config
        self._matters = matters
        self._matter = matter
        self._office = office
        self._read_ledger = read_ledger
        self._read_former = read_former
        self._ledger_size = ledger_size
        self._ledger_trouble = ledger_trouble
        self._seals_wait_for = seals_wait_for
        self._ledger_scrub = ledger_scrub
        self._ledger_standing = ledger_standing
        self._in_thread = in_thread
        self._version = version

    @endpoint("GET", "/healthz", roles=PUBLIC)
    async def health(self, call: Call) -> Answer:
        """Tell whether events reach the ledger, how long it is, what its seals wait for, and what
        of it was found changed when it was last read again."""
        waiting = self._ledger_trouble()
        damaged, scrubbed_at = self._ledger_scrub()
        return {
            "ok": waiting is None and not damaged,
            "ledger_size": self._ledger_size(),
            "waiting": waiting,
            "seals_wait_for": self._seals_wait_for(),
            "damaged": list(damaged),
            "scrubbed_at": scrubbed_at,
        }

    @endpoint("GET", "/api/openapi.json", roles=PUBLIC)
    async def openapi(self, call: Call) -> Answer:
        """Describe this API."""
        return describe(call.request.app, version=self._version)

    @endpoint("GET", "/api/config", roles=PUBLIC)
    async def config(self, call: Call) -> Answer:
        """Tell what the pages need to know about the office."""
        return self._config()

    @endpoint("GET", "/api/matters", roles=PUBLIC)
    async def matters(self, call: Call) -> Answer:
        """List the matters this office takes remotely."""
        return self._matters()

    @endpoint("GET", "/api/matters/{matter}", roles=PUBLIC)
    async def matter(self, call: Call) -> Answer:
        """Describe one matter: fields, papers, consents, questions, steps."""
        return self._matter(call.part("matter"))

    @endpoint("GET", "/trust.json", roles=PUBLIC)
    async def trust(self, call: Call) -> Answer:
        """Give what a verifier needs to trust this office."""
        answer = web.json_response(await self._in_thread(self._office.trust))
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    @endpoint("GET", r"/{room:pki|crl}/{name:(root|issuing)}.crl", roles=PUBLIC)
    async def crl(self, call: Call) -> Answer:
        """Give the newest revocation list of one authority (DER)."""
        lists = await self._in_thread(self._office.crls)
        return _binary(lists[call.part("name")], "application/pkix-crl", seconds=3600)

    @endpoint("GET", r"/pki/{name:(root|issuing)}.cer", roles=PUBLIC)
    async def certificate(self, call: Call) -> Answer:
        """Give the certificate of one authority (DER)."""
        held = self._office.authorities()
        return _binary(held[call.part("name")], "application/pkix-cert", seconds=86_400)

    @endpoint("POST", "/{path:ocsp|pki/ocsp}", roles=PUBLIC, stateless=True)
    async def ocsp(self, call: Call) -> Answer:
        """Answer an OCSP request (RFC 6960)."""
        if (call.request.content_length or 0) > _OCSP_LIMIT:
            raise Refusal("body-too-large")
        return await self._ocsp(await call.request.read())

    @endpoint("GET", "/{path:ocsp|pki/ocsp}/{request:.+}", roles=PUBLIC)
    async def ocsp_get(self, call: Call) -> Answer:
        """Answer an OCSP request carried in the address (RFC 6960 A.1)."""
        try:
            return await self._ocsp(b64decode(unquote(call.part("request")), validate=True))
        except ValueError as error:
            raise Refusal("request-unreadable") from error

    @endpoint("GET", "/log/{path:.*}", roles=PUBLIC)
    async def log(self, call: Call) -> Answer:
        """Give a checkpoint, a tile or entries of the ledger (C2SP tlog-tiles)."""
        found = await self._read_ledger(call.part("path"))
        headers = {**found.headers, "Access-Control-Allow-Origin": "*"}
        return web.Response(status=found.status, headers=headers, body=found.body)

    @endpoint("GET", "/former/{number}/{path:.*}", roles=PUBLIC)
    async def former(self, call: Call) -> Answer:
        """Give the same of a ledger of this office that has ended."""
        found = await self._read_former(call.part("number"), call.part("path"))
        return web.Response(status=found.status, headers=found.headers, body=found.body)

    @endpoint("GET", "/api/ledger", roles=PUBLIC)
    async def standing(self, call: Call) -> Answer:
        """Tell how the ledger grew, how far each witness follows, what waits, and when all of it
        was last read again."""
        answer = web.json_response(await self._in_thread(self._ledger_standing))
        answer.headers.update({"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"})
        return answer

    async def _ocsp(self, request: bytes) -> web.Response:
        response = await self._in_thread(self._office.ocsp, request)
        return _binary(response, "application/ocsp-response", seconds=0)


def _binary(data: bytes, media_type: str, *, seconds: int) -> web.Response:
    keep = f"public, max-age={seconds}" if seconds else "no-store"
    headers = {"Cache-Control": keep, "Access-Control-Allow-Origin": "*"}
    return web.Response(body=data, content_type=media_type, headers=headers)
