"""Every kind of event has its words, and there is no kind beside them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import server
from server.domain.events import ERASED, KINDS, Event
from server.domain.rules import LANGUAGES
from server.domain.words import load_words

HOUSE = Path(server.__file__).parent


def test_every_kind_has_words_in_every_language_and_no_words_are_of_no_kind() -> None:
    words = load_words()
    assert words.keys("event") == KINDS
    for kind in KINDS:
        for language in LANGUAGES:
            assert words.word("event", kind, language) not in ("", kind)


def test_the_list_is_what_the_code_writes() -> None:
    assert written() == KINDS


def test_an_event_of_another_kind_cannot_be() -> None:
    with pytest.raises(ValueError, match="no words: session-dreamt"):
        Event("ab" * 16, "cd" * 16, "session-dreamt", 0, "system")


def written() -> set[str]:
    """The kinds the server's source writes down: to `happened`, and to `Event` itself."""
    found: set[str] = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name == "happened" and len(node.args) > 2:
                found |= _literals(node.args[2])
            elif name == "Event":
                found |= {
                    kind
                    for each in node.keywords
                    if each.arg == "kind"
                    for kind in _literals(each.value)
                }
    return found


def _literals(node: ast.expr) -> set[str]:
    if isinstance(node, ast.IfExp):
        return _literals(node.body) | _literals(node.orelse)
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    # What is handed on was written where it came from.
    return {ERASED} if ast.unparse(node) == "ERASED" else set()
