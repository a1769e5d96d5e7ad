"""What can go wrong when a document is drawn, as one tree.

RenderError            everything below
|- FactsError          a fact is absent or of the wrong kind (`name` says which)
`- GlyphsMissingError  the fonts lack characters (`characters` names them); the case is kept
"""


class RenderError(Exception):
    """A document cannot be drawn."""


class FactsError(RenderError):
    """A fact the template needs is absent or of the wrong kind."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the fact {name} {problem}")
        self.name = name


class GlyphsMissingError(RenderError):
    """The fonts lack characters of a fact. Nothing was drawn, for a gap would be a lie."""

    def __init__(self, characters: tuple[str, ...]) -> None:
        named = ", ".join(f"{one} (U+{ord(one):04X})" for one in characters)
        super().__init__(f"the fonts lack: {named}")
        self.characters = characters
