"""The one border: who is calling, in which language, may they; and errors into problem+json."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.domain.errors import DomainError
from server.http.language import language_of
from server.http.limits import Limiter
from server.http.messages import Catalogue
from server.http.problems import Refusal, problem_response
from server.http.routes import ANYONE, Call, Caller, Endpoint
from server.http.socket import refuse_socket
from server.services.accounts import AccountError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",  # the verifier page hashes in WebAssembly
        "style-src 'self' 'unsafe-inline'",  # Vue binds widths of bars as style attributes
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Doorman:
    """Admits a request to an endpoint: origin, rate, login, role. Refuses by raising."""

    def __init__(
        self,
        *,
        find_caller: Callable[[str], Awaitable[Caller | None]],
        limiter: Limiter,
        secure: bool,
        trust_proxy: bool,
    ) -> None:
        self._find_caller = find_caller
        self._limiter = limiter
        self._trust_proxy = trust_proxy
        self._secure = secure
        self.cookie = "__Host-farseal_session" if secure else "farseal_session"

    async def admit(self, request: web.Request, endpoint: Endpoint) -> Call:
        """Return the Call. Raises Refusal `forged`, `too-many-requests`, `login-needed`,
        `not-allowed`."""
        address = self.address(request)
        self._limiter.take("any", address)
        if endpoint.rate is not None:
            self._limiter.take(endpoint.rate, address)
        if "Upgrade" in request.headers and not self.same_origin(request):
            raise Refusal("forged")
        unsafe = request.method not in _SAFE and not endpoint.stateless
        if unsafe and request.headers.get("X-Farseal") != "1":
            raise Refusal("forged")
        caller = await self.caller(request)
        if "anyone" not in endpoint.roles and caller.role not in endpoint.roles:
            raise Refusal("login-needed" if caller is ANYONE else "not-allowed")
        return Call(request, caller, language_of(request), address)

    async def caller(self, request: web.Request) -> Caller:
        """Return who holds the session cookie, or ANYONE."""
        token = request.cookies.get(self.cookie)
        found = await self._find_caller(token) if token else None
        return found or ANYONE

    def same_origin(self, request: web.Request) -> bool:
        """Whether a browser's Origin is the host it calls; a caller without Origin is no
        browser."""
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.host

    def address(self, request: web.Request) -> str:
        """Return the caller's address; of an IPv6 address the network (/64) counts as one
        caller."""
        text = request.remote or ""
        if self._trust_proxy and (passed := request.headers.get("X-Forwarded-For")):
            text = passed.rsplit(",", 1)[-1].strip()  # the nearest hop is the one we trust
        try:
            parsed = ipaddress.ip_address(text.split("%")[0])
        except ValueError:
            return "unknown"
        if parsed.version == 6:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        return str(parsed)

    def remember(self, response: web.StreamResponse, token: str, *, seconds: int) -> None:
        """Give the browser its session cookie."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=seconds,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="Strict",
        )

    def forget(self, response: web.StreamResponse) -> None:
        """Take the session cookie away."""
        response.del_cookie(self.cookie, path="/", secure=self._secure, samesite="Strict")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on every answer; a signal, so that streams carry them too."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that a disk has no room; each library says it its
    way."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "disk is full" in str(error) or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def border(catalogue: Catalogue, log: structlog.typing.FilteringBoundLogger) -> Middleware:
    """Return the middleware that lets no error through as it is."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        language = language_of(request)
        try:
            return await handler(request)
        except (Refusal, DomainError, AccountError) as refused:
            if refused.code not in catalogue:
                log.error("a refusal without sentences", refusal=refused.code)
            if request.headers.get("Upgrade", "").lower() == "websocket":
                problem = catalogue.problem(refused.code, language=language, params=refused.params)
                return await refuse_socket(request, problem)
            return problem_response(
                catalogue,
                refused.code,
                language=language,
                field=getattr(refused, "field", None),
                retry_after=getattr(refused, "retry_after", None),
                params=refused.params,
            )
        except web.HTTPException as raised:
            if raised.status < 400:
                raise
            code = {404: "not-found", 405: "not-found", 413: "body-too-large"}.get(
                raised.status, "request-unreadable"
            )
            return problem_response(catalogue, code, language=language)
        except Exception as error:
            full = disk_is_full(error)
            log.exception(
                "no room on the disk" if full else "a fault of ours",
                method=request.method,
                path=request.path,
            )
            return problem_response(
                catalogue, "disk-full" if full else "internal", language=language
            )

    return guard
