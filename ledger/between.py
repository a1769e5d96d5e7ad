"""Between which times an entry was written, and who says so: from what others said of the log.

    anchor (holds the digest of what was said at 9:00) -> entry -> tree that was seen at 9:05
                                   not before 9:00               not after 9:05

Only what is at hand and verifies is proof. What an anchor names and nobody shows is the log's own
word, and is kept apart; so is the clock of the office's own authority.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from ledger.anchors import (
    COSIGNATURE,
    FOLDER,
    TIMESTAMP,
    Anchor,
    attest_path,
    cosigned_at,
    parse_attest_path,
)
from ledger.errors import MirrorError, NoteError
from ledger.folder import read_file
from ledger.kept import NEWEST, kept_names
from ledger.merkle import EMPTY_ROOT, HASH_BYTES, tile_width
from ledger.note import Checkpoint, Verifier, open_note
from ledger.replay import Findings, read_tile
from ledger.tiles import TileCache, tile_path

SECOND_MS = 999
"""A cosignature's time is in whole seconds, and so is many an authority's: it was made until so
much after it."""
BESIDE = ".tsr"
LONGEST = 1 << 20
_DASH = "— ".encode()
_DER = (b"\x30\x81", b"\x30\x82", b"\x30\x83")
"""How a token begins, and no text in UTF-8 does."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a token that verified says. at: ms. outside: not by the office's own authority."""

    at: int
    who: str
    outside: bool


Hear = Callable[[bytes, bytes], Heard]
"""(token, the note it must be over) -> what it says. Raises an Exception for any other token."""


@dataclass(frozen=True, slots=True)
class Said:
    """A cosignature or token over this log's tree of `size` that is at hand and verified.

    of: COSIGNATURE or TIMESTAMP. at: ms. sha256: of its bytes, as anchors name it.
    """

    of: str
    size: int
    at: int
    who: str
    outside: bool
    sha256: str


@dataclass(slots=True)
class Shown:
    """What is at hand of one tree's size, by the SHA-256 of its bytes."""

    notes: dict[str, bytes] = field(default_factory=dict)
    lines: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, bytes] = field(default_factory=dict)

    def add(self, data: bytes) -> None:
        """Keep a note with all its lines, a line, or a token: each begins in its own way."""
        digest = sha256(data).hexdigest()
        if data.startswith(_DASH):
            self.lines[digest] = data
        elif data.startswith(_DER):
            self.tokens[digest] = data
        else:
            self.notes[digest] = data
            for line in data.rpartition(b"\n\n")[2].splitlines(keepends=True):
                self.lines[sha256(line).hexdigest()] = line


@dataclass(frozen=True, slots=True)
class Held:
    """All that a mirror has of what others said. spoiled: files that are not what their name is."""

    sizes: dict[int, Shown]
    spoiled: tuple[str, ...]


def read_held(directory: Path) -> Held:
    """Read `checkpoint`, `checkpoints/` with the tokens beside them, and `attest/`. OSError."""
    sizes: dict[int, Shown] = {}
    spoiled = []
    for where in (NEWEST, *kept_names(directory)):
        note = read_file(directory / where, LONGEST)
        with suppress(NoteError, UnicodeDecodeError):  # which the audit says
            size = Checkpoint.unverified(note.decode()).size
            sizes.setdefault(size, Shown()).add(note)
            if (directory / f"{where}{BESIDE}").is_file():
                sizes[size].add(read_file(directory / f"{where}{BESIDE}", LONGEST))
    for path in sorted((directory / FOLDER).glob("*/*")):
        where = path.relative_to(directory).as_posix()
        named = parse_attest_path(where)
        if named is None or not path.is_file():
            continue
        size, digest = named
        with path.open("rb") as file:
            data = file.read(LONGEST)
        if sha256(data).hexdigest() != digest:
            spoiled.append(where)
        else:
            sizes.setdefault(size, Shown()).add(data)
    return Held(sizes, tuple(spoiled))


def roots_of(directory: Path, size: int) -> Callable[[int], bytes]:
    """The root of each smaller tree, by the tiles of a mirror of `size` entries, audited before.

    What it returns raises MirrorError when a tile is missing.
    """

    def hashes(level: int, number: int, width: int) -> bytes:
        # The file is as wide as the newest tree has it; a smaller tree's is its beginning.
        tile = read_tile(directory, level, number, tile_width(level, number, size))
        if tile is None:
            raise MirrorError(f"{tile_path(level, number)} is missing from the mirror")
        return tile[: width * HASH_BYTES]

    tiles = TileCache(hashes)
    return lambda at: tiles.tree(at).root()


def hear(
    held: Held,
    root_at: Callable[[int], bytes],
    *,
    origin: str,
    size: int,
    witnesses: Sequence[Verifier],
    read_token: Hear | None,
) -> list[Said]:
    """Whatever of it verifies over a tree of this log, which has `size` entries.

    `root_at`: the root of its first entries, recomputed. `witnesses`: the keys that are trusted;
    `read_token` tells the office's own authority from others, None when none can be verified.
    """
    found: list[Said] = []
    outside = [key for key in witnesses if key.name != origin]
    for at, shown in sorted(held.sizes.items()):
        if at <= size:
            # Witnesses are shown the empty tree of a log that was founded and has no entry yet.
            text = Checkpoint(origin, at, root_at(at) if at else EMPTY_ROOT).text
            found += _lines(shown, at, text, outside)
            found += _tokens(shown, at, text, read_token) if read_token else ()
    return found


def _lines(shown: Shown, size: int, text: str, witnesses: Sequence[Verifier]) -> Iterator[Said]:
    for digest, line in shown.lines.items():
        with suppress(NoteError, UnicodeDecodeError):
            (signed,) = open_note(f"{text}\n{line.decode()}", witnesses).signatures
            if signed.time:
                yield Said(COSIGNATURE, size, signed.time * 1000, signed.who, True, digest)


def _tokens(shown: Shown, size: int, text: str, read_token: Hear) -> Iterator[Said]:
    # The note's text alone says which tree; whose lines are under it does not matter to the time.
    notes = [note for note in shown.notes.values() if note.startswith(f"{text}\n".encode())]
    for digest, token in shown.tokens.items():
        for note in notes:
            with suppress(Exception):  # a token's reader may fail in any way; then it says nothing
                heard = read_token(token, note)
                yield Said(TIMESTAMP, size, heard.at, heard.who, heard.outside, digest)
                break


@dataclass(frozen=True, slots=True)
class Bound:
    """One time, ms, and whose word it is. anchor: the entry that logged it back, if one did."""

    at: int
    who: str
    of: str
    size: int
    anchor: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """outside: proven by somebody else; own: by the office's authority; named: by an anchor only,
    and tighter than what is proven, but not at hand or not verified."""

    outside: Bound | None = None
    own: Bound | None = None
    named: Bound | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """The times around one entry."""

    index: int
    not_before: Bounds
    not_after: Bounds


def between(index: int, said: Iterable[Said], anchors: Sequence[tuple[int, Anchor]]) -> Between:
    """The latest times before an entry, and the earliest after it. `anchors` with their indexes.

    `said`: from `hear`. An anchor dates its own entry too: the digest stands in it.
    """
    verified = {(each.of, each.size, each.sha256): each for each in said}
    logged = {(each.of, each.size, each.sha256): place for place, each in reversed(anchors)}
    before, after = _Sides(max), _Sides(min)
    for key, each in verified.items():
        bound = Bound(each.at, each.who, each.of, each.size, logged.get(key))
        kind = "outside" if each.outside else "own"
        if bound.anchor is not None and each.size <= bound.anchor <= index:
            before.take(kind, bound)
        if each.size > index:
            after.take(kind, _whole_second(bound))
    for place, anchor in anchors:
        if (anchor.of, anchor.size, anchor.sha256) not in verified and anchor.size <= place:
            bound = Bound(anchor.time, anchor.who, anchor.of, anchor.size, place)
            if place <= index:
                before.take("named", bound)
            if anchor.size > index:
                after.take("named", _whole_second(bound))
    return Between(index, before.bounds(), after.bounds())


def _whole_second(bound: Bound) -> Bound:
    return bound if bound.at % 1000 else replace(bound, at=bound.at + SECOND_MS)


class _Sides:
    """The tightest time of each kind, on one side of an entry."""

    def __init__(self, tightest: Callable[[int, int], int]) -> None:
        self._tightest = tightest
        self._found: dict[str, Bound] = {}

    def take(self, kind: str, bound: Bound) -> None:
        if self._tighter(bound, self._found.get(kind)):
            self._found[kind] = bound

    def _tighter(self, one: Bound, other: Bound | None) -> bool:
        return other is None or (one.at != other.at and self._tightest(one.at, other.at) == one.at)

    def bounds(self) -> Bounds:
        outside, named = self._found.get("outside"), self._found.get("named")
        if named is not None and not self._tighter(named, outside):
            named = None
        return Bounds(outside, self._found.get("own"), named)


@dataclass(frozen=True, slots=True)
class Checked:
    """Anchors by what became of them.

    verified: what they name is at hand and holds. unverified: at hand, but no key or root to
    verify it by. absent: not at hand. latest: the latest time that was verified, ms, 0 without.
    """

    verified: int
    unverified: int
    absent: int
    latest: int = 0


def check_anchors(
    anchors: Sequence[tuple[int, Anchor]],
    held: Held,
    said: Iterable[Said],
    found: Findings,
    *,
    witnesses: Sequence[Verifier],
    false_token: Callable[[bytes, bytes], bool],
) -> Checked:
    """Hold each anchor against what it names, as `hear` found it with the same `witnesses`.

    `false_token`: whether a token is not over a note, or is forged, whoever is trusted. A token of
    an authority nobody here knows is no finding: it proves nothing.
    """
    known = {(each.of, each.size, each.sha256): each for each in said}
    counts = {"verified": 0, "unverified": 0, "absent": 0}
    trusted = {f"{key.name}+{key.key_id.hex()}" for key in witnesses}
    latest = 0
    for where in held.spoiled:
        found.add("anchors", where, "anchor-digest")
    for index, anchor in anchors:
        place = f"entry {index}"
        if anchor.size > index:
            found.add("anchors", place, "anchor-size", size=anchor.size)
        shown = held.sizes.get(anchor.size, Shown())
        line = shown.lines.get(anchor.sha256)
        each = known.get((anchor.of, anchor.size, anchor.sha256))
        at = each.at if each else None
        if each is None and anchor.of == COSIGNATURE and line is not None:
            with suppress(NoteError, UnicodeDecodeError):
                at = cosigned_at(line.decode())
        if at is not None and at != anchor.time:
            found.add("anchors", place, "anchor-time", time=at, said=anchor.time)
        if each is not None:
            counts["verified"] += 1
            latest = max(latest, each.at)
        elif line is None and anchor.sha256 not in shown.tokens:
            counts["absent"] += 1
        elif line is None and _false(anchor, shown, false_token):
            where = attest_path(anchor.size, anchor.sha256)
            found.add("anchors", place, "anchor-token", file=where)
        elif line is not None and anchor.who in trusted:
            where = attest_path(anchor.size, anchor.sha256)
            found.add("anchors", place, "anchor-line", file=where)
        else:
            counts["unverified"] += 1
    return Checked(**counts, latest=latest)


def _false(anchor: Anchor, shown: Shown, false_token: Callable[[bytes, bytes], bool]) -> bool:
    note = shown.notes.get(anchor.note)
    return note is not None and false_token(shown.tokens[anchor.sha256], note)
