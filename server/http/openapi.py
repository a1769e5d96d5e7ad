"""The OpenAPI description of the routes, written from their declarations."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from server.http.routes import PUBLIC, declared

_PROBLEM = {
    "type": "object",
    "required": ["type", "code", "status", "title", "kept", "next"],
    "properties": {
        "type": {"type": "string"},
        "code": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "kept": {"type": "string"},
        "next": {"type": "string"},
        "field": {"type": "string"},
        "params": {"type": "object"},
    },
}


def describe(app: web.Application, *, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of every declared route of `app`."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for route in app.router.routes():
        endpoint = declared(route)
        if endpoint is None or route.method == "HEAD" or not endpoint.path.startswith("/api/"):
            continue
        path = re.sub(r"\{(\w+)(:[^}]*)?\}", r"{\1}", endpoint.path)
        operation: dict[str, Any] = {
            "summary": endpoint.summary,
            "parameters": _parameters(path, unsafe=endpoint.method not in ("GET", "HEAD")),
            "responses": {
                str(endpoint.status): {"description": "done"},
                "default": {
                    "description": "refused",
                    "content": {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/Problem"}
                        }
                    },
                },
            },
            "x-roles": sorted(endpoint.roles),
        }
        if endpoint.roles != PUBLIC:
            operation["security"] = [{"session": []}]
        if endpoint.body is not None:
            schema = endpoint.body.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[endpoint.body.__name__] = schema
            reference = {"$ref": f"#/components/schemas/{endpoint.body.__name__}"}
            operation["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": reference}},
            }
        elif endpoint.upload:
            operation["requestBody"] = {"required": True, "content": {"multipart/form-data": _FILE}}
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Farseal", "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "farseal_session"}
            },
        },
    }


_FILE = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}


def _parameters(path: str, *, unsafe: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    if unsafe:
        found.append(
            {
                "name": "X-Farseal",
                "in": "header",
                "required": True,
                "schema": {"type": "string", "const": "1"},
            }
        )
    return found
