"""How a route is declared: method, path, who may call it, what it takes.

A handler is a method of a room's class, marked with `@endpoint(...)`. `collect` turns the marked
methods into aiohttp routes; `refuse_undeclared` fails the start of a server that has a route nobody
declared a role for. Nothing is open by default: `PUBLIC` must be written.

A handler returns a view as the services gave it; here it becomes JSON, its problems in words.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.domain.participant import Applicant, Staff
from server.http.language import language_of
from server.http.messages import Catalogue
from server.http.problems import Refusal, in_words, problem_response

if TYPE_CHECKING:
    from server.services.workplace import Content

CATALOGUE = web.AppKey("catalogue", Catalogue)
LARGEST_BODY = web.AppKey("largest-body", int)

PUBLIC = frozenset({"anyone"})
APPLICANT = frozenset({"applicant"})
NOTARY = frozenset({"notary"})
APPROVER = frozenset({"approver"})
STAFF = frozenset({"notary", "approver", "assistant"})
INTAKE = frozenset({"notary", "assistant"})
PARTIES = frozenset({"applicant", "notary"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `role` is "anyone" before a login; `person` is then nobody."""

    role: str
    person: Applicant | Staff | None = None


ANYONE = Caller("anyone")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with what the middleware found out about it."""

    request: web.Request
    caller: Caller
    language: str
    address: str

    @property
    def applicant(self) -> Applicant:
        """The applicant who asks. Raises Refusal `not-allowed` for anybody else."""
        if not isinstance(self.caller.person, Applicant):
            raise Refusal("not-allowed")
        return self.caller.person

    @property
    def staff(self) -> Staff:
        """The person of the office who asks. Raises Refusal `not-allowed` for anybody else."""
        if not isinstance(self.caller.person, Staff):
            raise Refusal("not-allowed")
        return self.caller.person

    @property
    def person(self) -> Applicant | Staff:
        """The person who asks. Raises Refusal `login-needed` for nobody."""
        if self.caller.person is None:
            raise Refusal("login-needed")
        return self.caller.person

    def part(self, name: str) -> str:
        """Return one part of the path."""
        return self.request.match_info[name]

    def number(self, name: str) -> int:
        """Return one part of the path as a number. Raises Refusal `not-found` for anything else."""
        text = self.part(name)
        if not text.isascii() or not text.isdigit() or len(text) > 6:
            raise Refusal("not-found")
        return int(text)

    def query(self, name: str, default: str = "") -> str:
        """Return one parameter of the query."""
        return self.request.query.get(name, default)


# A browser's own PDF viewer is an embedded object with inline styles; a sandbox keeps it shut.
_PDF_POLICY = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)
Answer = web.StreamResponse | Mapping[str, Any]
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is declared about one route. `status` is that of a JSON answer.

    A `stateless` route changes nothing for a logged-in person, so programs may POST to it without
    the header of our pages.
    """

    method: str
    path: str
    roles: frozenset[str]
    body: type[BaseModel] | None
    status: int
    rate: str | None
    upload: bool
    stateless: bool
    summary: str


class Guard(Protocol):
    """Turns a request into a Call, or raises Refusal. The middleware's doorman implements it."""

    async def admit(self, request: web.Request, endpoint: Endpoint) -> Call: ...


def endpoint(
    method: str,
    path: str,
    *,
    roles: frozenset[str],
    body: type[BaseModel] | None = None,
    status: int = 200,
    rate: str | None = None,
    upload: bool = False,
    stateless: bool = False,
) -> Callable[[Callable[..., Awaitable[Answer]]], Callable[..., Awaitable[Answer]]]:
    """Mark a method as the handler of a route; it gets the Call and, with `body`, the checked
    body."""

    def mark(handler: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        summary = (handler.__doc__ or "").strip().split("\n")[0]
        declared = Endpoint(method, path, roles, body, status, rate, upload, stateless, summary)
        handler.__endpoint__ = declared  # type: ignore[attr-defined]
        return handler

    return mark


def collect(guard: Guard, rooms: Iterable[object]) -> tuple[web.RouteDef, ...]:
    """Return the aiohttp routes of every marked method of `rooms`."""
    routes: list[web.RouteDef] = []
    for room in rooms:
        for name in dir(type(room)):
            declared = getattr(getattr(type(room), name), "__endpoint__", None)
            if isinstance(declared, Endpoint):
                handler = _served(guard, declared, getattr(room, name))
                routes.append(
                    web.route(
                        declared.method, declared.path, handler, expect_handler=_before_the_body
                    )
                )
    return tuple(routes)


def declared(route: web.AbstractRoute) -> Endpoint | None:
    """Return what is declared about a route of a running application."""
    found = getattr(route.handler, "__endpoint__", None)
    return found if isinstance(found, Endpoint) else None


def refuse_undeclared(app: web.Application) -> None:
    """Raise LookupError when a route of `app` has no declared role."""
    for route in app.router.routes():
        if declared(route) is None:
            raise LookupError(f"no role is declared for {route.method} {route.resource}")


def answer_json(value: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """Return `value` as JSON that no cache keeps."""
    return web.Response(
        status=status,
        body=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def answer_file(content: Content, *, download: bool = False, seconds: int = 0) -> web.Response:
    """Return a file: kept by this browser for `seconds`, saved if `download`, else shown."""
    keep = f"private, max-age={seconds}" if seconds else "no-store"
    pdf = content.media_type == "application/pdf"
    sort = "attachment" if download else "inline"
    headers = {
        "Cache-Control": keep,
        "Content-Security-Policy": _PDF_POLICY if pdf else "default-src 'none'; sandbox",
        "Content-Disposition": f"{sort}; filename*=UTF-8''{quote(content.name, safe='')}",
    }
    return web.Response(body=content.content, content_type=content.media_type, headers=headers)


def _served(
    guard: Guard, declared: Endpoint, handler: Callable[..., Awaitable[Answer]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        call = await guard.admit(request, declared)
        if declared.body is None:
            answer = await handler(call)
        else:
            answer = await handler(call, await _body(request, declared.body))
        if isinstance(answer, web.StreamResponse):
            return answer
        view = in_words(answer, request.app[CATALOGUE], call.language)
        return answer_json(view, status=declared.status)

    serve.__endpoint__ = declared  # type: ignore[attr-defined]
    return serve


async def _body(request: web.Request, model: type[Body]) -> Body:
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal("body-too-large") from error
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise Refusal("form-wrong", field=place or None, detail=first["msg"]) from error


async def _before_the_body(request: web.Request) -> web.StreamResponse | None:
    """Answer `Expect: 100-continue` without inviting a body that would be refused anyway."""
    limit = request.app[LARGEST_BODY]
    if (request.content_length or 0) <= limit and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
    return problem_response(
        request.app[CATALOGUE],
        "upload-too-large",
        language=language_of(request),
        params={"limit_mb": limit // 1_000_000},
    )
