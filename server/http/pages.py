"""The pages: the built web application, and `index.html` for every address its router knows."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from server.http.routes import PUBLIC, Answer, Call, endpoint

_PAGES = re.compile(
    r"|apply|login|verify|ledger|v/[^/]+|join/[^/]+"
    r"|cases/[^/]+(/(form|papers|consents|booking|device|waiting|session|done|status))?"
    r"|desk(/(login|approvals(/[^/]+)?|cases/[^/]+|sessions/[^/]+))?"
)
_UNBUILT = (
    "<!doctype html><meta charset=utf-8><title>远证 Farseal</title>"
    "<p>网页还没有构建。请运行 make run。<p>The pages are not built yet. Run make run."
)


class Pages:
    """Serves the folder the web build left; names with a digest never change, the rest is asked
    anew."""

    def __init__(self, static: Path) -> None:
        self._static = static.resolve()

    @endpoint("GET", "/{page:(?!api/).*}", roles=PUBLIC)
    async def page(self, call: Call) -> Answer:
        """Serve a page or one of its parts."""
        name = call.part("page")
        part = self._part(name)
        if part is not None and name != "index.html":
            lasting = name.startswith("assets/")
            keep = "public, max-age=31536000, immutable" if lasting else "no-cache"
            return web.FileResponse(part, headers={"Cache-Control": keep})
        index = self._static / "index.html"
        status = 200 if _PAGES.fullmatch(name.rstrip("/")) else 404
        if not index.exists():
            return web.Response(text=_UNBUILT, content_type="text/html", status=503)
        return web.Response(
            body=index.read_bytes(),
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    def _part(self, name: str) -> Path | None:
        """Return the file of that name if it lies inside the folder, else nothing."""
        if not name or "\x00" in name or any(step.startswith(".") for step in name.split("/")):
            return None
        found = (self._static / name).resolve()
        return found if found.is_relative_to(self._static) and found.is_file() else None
