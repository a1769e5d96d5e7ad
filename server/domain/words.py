"""Words for states, events, stages and checks in both languages (data: rules/words.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.domain.rules import LANGUAGES

BUILT_IN = Path(__file__).parent / "rules" / "words.toml"


@dataclass(frozen=True, slots=True)
class Glossary:
    """Words by room and key."""

    rooms: Mapping[str, Mapping[str, Mapping[str, str]]]

    def word(self, room: str, key: str, language: str) -> str:
        """The words of a key; the key itself for one nobody has named yet."""
        return self.rooms[room].get(key, {}).get(language, key)

    def keys(self, room: str) -> frozenset[str]:
        """Every key of a room."""
        return frozenset(self.rooms[room])


def load_words(path: Path = BUILT_IN) -> Glossary:
    """Read the words; `ValueError` if one lacks a language."""
    rooms = tomllib.loads(path.read_text(encoding="utf-8"))
    for room, entries in rooms.items():
        for key, words in entries.items():
            if set(words) != set(LANGUAGES):
                raise ValueError(f"{path.name}: {room}.{key} lacks a language")
    return Glossary(rooms)
