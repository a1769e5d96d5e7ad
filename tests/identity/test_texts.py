"""Every key the room uses has a sentence in both languages, and none says what may not be said."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from server.identity import findings, texts

ROOM = Path(findings.__file__).parent
KEY = re.compile(
    r'"((?:picture|unavailable|document|face|hint|note|challenge|registry)\.[a-z_.]+[a-z])"'
)


def keys_used() -> set[str]:
    return {
        key
        for path in ROOM.glob("*.py")
        if path.name != "texts.py"
        for key in KEY.findall(path.read_text("utf-8"))
    }


def test_every_key_used_is_listed_in_both_languages() -> None:
    used = keys_used()
    assert {"document.number_check", "unavailable.late", "note.repaired"} <= used
    for language in ("zh-CN", "en"):
        assert used <= texts.TEXTS[language].keys()
    bands = {f"face.{band}" for band in ("similar", "unclear", "not_similar")}
    hints = {"hint.absent", "hint.dark", "hint.blurred", "hint.too_small", "hint.second_face"}
    assert bands | hints <= texts.TEXTS["en"].keys() == texts.TEXTS["zh-CN"].keys()


def test_both_languages_fill_in_the_same_things() -> None:
    def names(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    for key, chinese in texts.TEXTS["zh-CN"].items():
        assert names(chinese) == names(texts.TEXTS["en"][key]), key


@pytest.mark.parametrize("word", ["verified", "fake", "真人", "假冒", "liveness", "活体"])
def test_words_that_may_not_be_used(word: str) -> None:
    assert not any(
        word in text.lower() for listed in texts.TEXTS.values() for text in listed.values()
    )


def test_rendering() -> None:
    detail = {"fields": "name, authority"}
    assert texts.render("document.unread", detail, language="zh-CN").startswith(
        "没读出来：姓名, 签发机关"
    )
    assert "name, issuing authority" in texts.render("document.unread", detail, language="en")
    assert texts.render("no.such.key", {}, language="en") == "no.such.key"
    assert "?" in texts.render("document.expired", {}, language="en")
