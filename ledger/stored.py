"""A mirror's tile files beside the tiles that its entries hash to, and which of the two is right.

If all agree and lead to the signed root, all is well. If not, the signed root is followed
downwards: at each tile, whichever of the two leads to the hash above it is *true*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path

from ledger.entry import MAX_LEAF_BYTES
from ledger.errors import MirrorError, NotFoundError
from ledger.folder import read_file
from ledger.kept import UNFINISHED
from ledger.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    leaf_hash,
    split_hashes,
    tile_width,
)
from ledger.replay import Findings, read, read_tile, root_of, split_bundle
from ledger.tiles import ENTRIES, parse_tile_path, tile_path, tiles_of


class Stored:
    """The tiles of a mirror in a folder, of a log of `size`.

    roots: of each full tile of level 0, as its entries have it. unlike: tiles of level 0 that do
    not say what their entries hash to, with the hashes of the entries that can be read.
    """

    def __init__(
        self, directory: Path, size: int, roots: Sequence[bytes], unlike: Mapping[int, bytes]
    ) -> None:
        self.directory = directory
        self.size = size
        self._unlike = unlike
        self._rows: list[Sequence[bytes]] = [(), roots]
        while len(self._rows[-1]) >= TILE_WIDTH:
            level = len(self._rows) - 1
            full = range(len(self._rows[-1]) // TILE_WIDTH)
            self._rows.append([root_of(self.computed(level, number)) for number in full])

    @property
    def levels(self) -> int:
        return max(1, (self.size.bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT)

    def width(self, level: int, number: int) -> int:
        return tile_width(level, number, self.size)

    def computed(self, level: int, number: int) -> bytes:
        """The tile as the entries have it; it may be short when they cannot be read."""
        if level:
            start = number * TILE_WIDTH
            return b"".join(self._rows[level][start : start + TILE_WIDTH])
        found = self._unlike.get(number)
        return (self.stored(0, number) or b"") if found is None else found

    def stored(self, level: int, number: int) -> bytes | None:
        """The tile as its file has it, or None when there is none of its length."""
        return read_tile(self.directory, level, number, self.width(level, number))

    def unlike(self, level: int) -> Iterator[int]:
        """The tiles of a level whose file is not what the entries have."""
        if level == 0:
            yield from sorted(self._unlike)
            return
        for number in range((len(self._rows[level]) + TILE_WIDTH - 1) // TILE_WIDTH):
            if self.stored(level, number) != self.computed(level, number):
                yield number

    def edge(self, root: bytes) -> list[bytes] | None:
        """The last tile of each level, so that together they lead to this root; None if none do."""
        choices = []
        for level in range(self.levels):
            number = self.size >> TILE_HEIGHT * (level + 1)
            if not (width := self.width(level, number)):
                choices.append([b""])
                continue
            both = (self.computed(level, number), self.stored(level, number))
            fit = dict.fromkeys(each for each in both if each and len(each) == width * HASH_BYTES)
            choices.append(list(fit))
        for rows in product(*choices):
            if Edge(self.size, [split_hashes(row) for row in rows]).root() == root:
                return list(rows)
        return None


class Truth:
    """The tiles that lead to the signed root."""

    def __init__(self, stored: Stored, root: bytes) -> None:
        self._stored = stored
        self._edge = stored.edge(root)
        self.tile = lru_cache(maxsize=2048)(self._tile)

    @property
    def known(self) -> bool:
        """Whether the last tiles lead to the signed root at all."""
        return self._edge is not None

    def _tile(self, level: int, number: int) -> bytes | None:
        """The tile as it was signed, or None when nothing here leads to it."""
        if self._edge is None:
            return None
        if number == self._stored.size >> TILE_HEIGHT * (level + 1):
            return self._edge[level]
        above = self.tile(level + 1, number // TILE_WIDTH)
        if above is None:
            return None
        at = number % TILE_WIDTH * HASH_BYTES
        for found in (self._stored.computed(level, number), self._stored.stored(level, number)):
            if found is None or len(found) != TILE_WIDTH * HASH_BYTES:
                continue
            if root_of(found) == above[at : at + HASH_BYTES]:
                return found
        return None

    def hashes(self, level: int, number: int, width: int) -> bytes:
        """A tile's first hashes, for proofs. Raises MirrorError where they are lost."""
        found = self.tile(level, number)
        if found is None or len(found) < width * HASH_BYTES:
            raise MirrorError(f"{tile_path(level, number)} does not lead to the signed root")
        return found[: width * HASH_BYTES]


def judge(stored: Stored, truth: Truth, found: Findings) -> None:
    """Name each tile and each entry that is not as it was signed."""
    suspects: defaultdict[int, set[int]] = defaultdict(set)
    before = len(found.listed)
    for level in reversed(range(stored.levels)):
        for number in sorted({*stored.unlike(level), *suspects[level]}):
            right, computed = truth.tile(level, number), stored.computed(level, number)
            _judge_tile(stored, level, number, right, found)
            if right is not None and computed != right:
                differing = list(_differing(computed, right))
                if level:
                    suspects[level - 1] |= {number * TILE_WIDTH + at for at in differing}
                else:
                    _name_entries(number, differing, len(computed) // HASH_BYTES, found)
    if not truth.known and len(found.listed) == before:
        found.add("entries", "checkpoint", "root", size=stored.size)


def _judge_tile(
    stored: Stored, level: int, number: int, right: bytes | None, found: Findings
) -> None:
    where = tile_path(level, number).replace("/", " ", 1)
    here = stored.stored(level, number)
    if here is None:
        exists = read(stored.directory, level, number, stored.width(level, number)) is not None
        found.add("tiles", where, "length" if exists else "missing")
    elif right is None:
        found.add("tiles", where, "unproven")
    elif here != right:
        found.add("tiles", where, "tile")


def _name_entries(number: int, differing: list[int], readable: int, found: Findings) -> None:
    for at in differing:
        index = number * TILE_WIDTH + at
        if at >= readable:  # and so are all that follow it in the bundle
            found.add("entries", f"entry {index}", "unreadable")
            return
        found.add("entries", f"entry {index}", "hash")


def _differing(one: bytes, other: bytes) -> Iterator[int]:
    for at in range(len(other) // HASH_BYTES):
        part = slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)
        if one[part] != other[part]:
            yield at


def compare_rest(stored: Stored, truth: Truth, found: Findings) -> int:
    """Compare narrower files that were left of smaller trees; how many lie beyond this tree."""
    needed = {tile_path(*tile) for tile in tiles_of(stored.size)}
    needed |= {tile_path(ENTRIES, n, w) for level, n, w in tiles_of(stored.size) if level == 0}
    beyond = 0
    for path in sorted((stored.directory / "tile").rglob("*")):
        where = path.relative_to(stored.directory).as_posix()
        if where in needed or path.is_dir() or path.name.endswith(UNFINISHED):
            continue
        try:
            level, number, width = parse_tile_path(where)
        except NotFoundError:
            beyond += 1
            continue
        if width > tile_width(max(level, 0), number, stored.size):
            beyond += 1
            continue
        each = 2 + MAX_LEAF_BYTES if level == ENTRIES else HASH_BYTES
        try:
            data = read_file(path, width * each)
        except FileNotFoundError:
            found.add("tiles", where.replace("/", " ", 1), "leftover")
            continue
        if level == ENTRIES:
            leaves, rest = split_bundle(data)
            data = b"".join(map(leaf_hash, leaves)) + rest
        right = truth.tile(max(level, 0), number)
        if right is None or data != right[: width * HASH_BYTES]:
            found.add("tiles", where.replace("/", " ", 1), "leftover")
    return beyond
