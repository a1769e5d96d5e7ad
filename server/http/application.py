"""The aiohttp application: rooms of routes behind one border."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from aiohttp import web

from server.http.messages import Catalogue
from server.http.middleware import Doorman, add_headers, border
from server.http.routes import CATALOGUE, LARGEST_BODY, collect, refuse_undeclared
from server.http.uploads import body_limit

_LARGEST_JSON = 2_000_000  # strokes of a long signature stay below a tenth of this


def build(
    rooms: Iterable[object],
    *,
    doorman: Doorman,
    catalogue: Catalogue,
    log: structlog.typing.FilteringBoundLogger,
) -> web.Application:
    """Return the application that serves `rooms`. Raises LookupError for a route without a role."""
    app = web.Application(middlewares=[border(catalogue, log)], client_max_size=_LARGEST_JSON)
    app[CATALOGUE] = catalogue
    app[LARGEST_BODY] = body_limit()
    app.on_response_prepare.append(add_headers)
    app.add_routes(collect(doorman, rooms))
    refuse_undeclared(app)
    return app
