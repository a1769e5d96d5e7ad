"""What the rim itself refuses, and how any refusal becomes problem+json (RFC 9457).

    Refusal                 the request, before any service is asked (login, form, size, rate)
    DomainError             raised by the domain and the services; carries a code and parameters

Both carry a code of the catalogue (`messages.toml`). Anything else that is raised is a fault of
ours: it is logged with its traceback and shown as `internal`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from server.http.messages import Catalogue


class Refusal(Exception):
    """A request the rim turns down; `code` is a key of the catalogue."""

    def __init__(
        self, code: str, *, field: str | None = None, retry_after: int | None = None, **params: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.retry_after = retry_after
        self.params = params


def problem_response(
    catalogue: Catalogue,
    code: str,
    *,
    language: str,
    field: str | None = None,
    retry_after: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> web.Response:
    """Return the answer that tells a person what happened, what was kept and what to do next."""
    body = catalogue.problem(code, language=language, field=field, params=params)
    headers = {"Cache-Control": "no-store"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return web.Response(
        status=body["status"],
        body=json.dumps(body, ensure_ascii=False).encode(),
        content_type="application/problem+json",
        headers=headers,
    )


def in_words(view: Mapping[str, Any], catalogue: Catalogue, language: str) -> Mapping[str, Any]:
    """Return a view with its `problems` (codes by field), or those of its case, as sentences."""
    problems, case = view.get("problems"), view.get("case")
    if isinstance(case, Mapping):
        return {**view, "case": in_words(case, catalogue, language)}
    if not isinstance(problems, Mapping):
        return view
    spoken = {
        field: catalogue.problem(
            problem["code"], language=language, field=field, params=problem.get("params")
        )
        for field, problem in problems.items()
    }
    return {**view, "problems": spoken}
