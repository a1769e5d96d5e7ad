"""The one catalogue of refusals: for each code a status and three sentences in two languages.

`messages.toml` holds them: `title` says what happened, `kept` what was kept, `next` what to do.
Sentences may name parameters in braces; a parameter that was not given reads as nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("zh-CN", "en")
_PARTS = ("title", "kept", "next")


class CatalogueError(Exception):
    """The catalogue lacks a sentence; raised at start-up, never while serving."""


class _Given(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every refusal this server can utter."""

    entries: Mapping[str, Mapping[str, Any]]

    def __contains__(self, code: object) -> bool:
        return code in self.entries

    def problem(
        self,
        code: str,
        *,
        language: str,
        field: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the body of a problem in `language`; a code nobody wrote sentences for is
        `internal`."""
        known = code if code in self.entries else "internal"
        entry = self.entries[known]
        given = _Given({key: _as_text(value, language) for key, value in (params or {}).items()})
        sentences = {part: entry[language][part].format_map(given) for part in _PARTS}
        body: dict[str, Any] = {
            "type": f"urn:farseal:error:{known}",
            "code": known,
            "status": entry["status"],
            **sentences,
            "params": {key: _as_json(value) for key, value in (params or {}).items()},
        }
        if field is not None:
            body["field"] = field
        return body


def read_catalogue(path: Path | None = None) -> Catalogue:
    """Return the catalogue, complete in both languages. Raises CatalogueError naming what is
    missing."""
    entries = tomllib.loads((path or Path(__file__).with_name("messages.toml")).read_text())
    for code, entry in entries.items():
        if not isinstance(entry.get("status"), int):
            raise CatalogueError(f"{code}: no status")
        for language in LANGUAGES:
            for part in _PARTS:
                if not entry.get(language, {}).get(part):
                    raise CatalogueError(f"{code}: no {part} in {language}")
    if "internal" not in entries:
        raise CatalogueError("internal: missing")
    return Catalogue(entries)


def _as_text(value: Any, language: str) -> str:
    if isinstance(value, Mapping):
        return str(value.get(language, ""))
    if isinstance(value, (list, tuple, set, frozenset)):
        return ("、" if language == "zh-CN" else ", ").join(
            _as_text(item, language) for item in value
        )
    return str(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_json(item) for item in value]
    return str(value)
