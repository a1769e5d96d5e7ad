"""Which language a reader wants."""

from __future__ import annotations

from aiohttp import web

from server.http.messages import LANGUAGES


def language_of(request: web.Request) -> str:
    """Return the reader's language: `?lang=`, then the cookie, then Accept-Language, then
    Chinese."""
    wishes = [request.query.get("lang", ""), request.cookies.get("lang", "")]
    weighted = []
    for place, item in enumerate(request.headers.get("Accept-Language", "").split(",")[:10]):
        name, _, weight = item.partition(";q=")
        try:
            weighted.append((-float(weight or 1), place, name.strip()))
        except ValueError:
            continue
    wishes += [name for _, _, name in sorted(weighted)]
    for wish in wishes:
        for language in LANGUAGES:
            if wish.lower().split("-")[0] == language.lower().split("-")[0]:
                return language
    return LANGUAGES[0]
