"""The log as files: tlog-tiles paths, entry bundles, mirrors (C2SP tlog-tiles).

    checkpoint                     the newest signed note
    tile/<L>/<N>[.p/<W>]           hashes of tile N on level L; .p/<W> when only W wide
    tile/entries/<N>[.p/<W>]       the leaves below tile 0/<N>, each after its length in two bytes
    attest/<size>/<sha256>         what others said of a checkpoint, as anchor entries name it

`export` writes a log's files into a folder. A `Mirror` reads them back, from a folder or from
anything that gives bytes for a path, and believes nothing but the log's keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from ledger.anchors import attest_path
from ledger.entry import MAX_LEAF_BYTES, Leaf
from ledger.errors import LedgerError, MirrorError, NotFoundError
from ledger.folder import read_file
from ledger.generations import Keybook
from ledger.handover import FOLDER, MOST, follow_shown
from ledger.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    Pyramid,
    Tree,
    expand,
    leaf_hash,
    split_hashes,
    tile_width,
    verify_inclusion,
)
from ledger.note import Checkpoint, Verifier, open_checkpoint
from ledger.proof import verify_case

ENTRIES = -1
"""Where a path has a level, entry bundles have the word `entries`."""

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class Reader(Protocol):
    """What a log shows: LogReader over the database, Mirror over files."""

    def note(self) -> str:
        """The newest published checkpoint note."""

    def hashes(self, level: int, number: int, width: int) -> bytes:
        """A tile's first `width` hashes; raises NotFoundError beyond the log."""

    def leaves(self, number: int, width: int) -> Sequence[bytes]:
        """The first `width` leaves below tile 0/`number`; raises NotFoundError."""

    def handover(self, number: int) -> str:
        """The `number`th proof that the log's keys changed, from 1; raises NotFoundError."""

    def said(self, size: int, digest: str) -> bytes:
        """What somebody said of the checkpoint of this size, or the note a token is over, by its
        SHA-256 in hex; raises NotFoundError."""


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile, or with level ENTRIES of an entry bundle."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{'entries' if level == ENTRIES else level}/{'/'.join(reversed(groups))}{partial}"


def parse_tile_path(path: str) -> tuple[int, int, int]:
    """Level, number and width of a path; raises NotFoundError for any other spelling."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise NotFoundError(f"no such path: {path[:80]!r}")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    number = int(match["number"].replace("x", "").replace("/", ""))
    width = int(match["width"] or TILE_WIDTH)
    if level > 63 or width > TILE_WIDTH or tile_path(level, number, width) != path:
        raise NotFoundError(f"no such path: {path[:80]!r}")
    return level, number, width


def write_bundle(leaves: Sequence[bytes]) -> bytes:
    """The bytes of an entry bundle."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def read_bundle(data: bytes) -> list[bytes]:
    """The leaves of an entry bundle; raises MirrorError when it is cut off."""
    leaves, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise MirrorError("an entry bundle is cut off")
        leaves.append(data[at + 2 : end])
        at = end
    return leaves


class TileCache:
    """Expanded tiles of a reader, the most recently used ones; gives `Tree` its hashes.

    A full tile never changes and a partial one is named by its width, so nothing goes stale.
    """

    def __init__(self, hashes: Callable[[int, int, int], bytes], *, tiles: int = 256) -> None:
        def load(level: int, number: int, width: int) -> Pyramid:
            return expand(split_hashes(hashes(level, number, width)))

        self._load = lru_cache(maxsize=tiles)(load)

    def tree(self, size: int) -> Tree:
        """The tree of the first `size` leaves."""
        return Tree(size, self._load)


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of a tree of `size` leaves."""
    level = 0
    while size >> TILE_HEIGHT * level:
        last = size >> TILE_HEIGHT * (level + 1)
        for number in range(last + 1):
            if width := tile_width(level, number, size):
                yield level, number, width
        level += 1


def export(reader: Reader, directory: Path) -> int:
    """Write the files of the newest checkpoint into `directory`; returns its size.

    Files that are there already are kept, for they cannot have changed; the checkpoint is
    written last, so that whoever reads along finds all it promises.
    """
    note = reader.note()
    size = Checkpoint.unverified(note).size
    for level, number, width in tiles_of(size):
        _keep(directory / tile_path(level, number, width), reader.hashes(level, number, width))
        if level == 0:
            bundle = write_bundle(reader.leaves(number, width))
            _keep(directory / tile_path(ENTRIES, number, width), bundle)
    for number in range(1, MOST + 1):
        try:
            _keep(directory / FOLDER / str(number), reader.handover(number).encode())
        except NotFoundError:
            break
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "checkpoint").write_text(note, encoding="utf-8")
    return size


def _keep(path: Path, data: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@dataclass(frozen=True, slots=True)
class Mirror:
    """The files of a log, not yet believed. `fetch(path)` gives bytes or raises OSError."""

    fetch: Callable[[str], bytes]

    @classmethod
    def at(cls, directory: Path) -> Mirror:
        most = TILE_WIDTH * (2 + MAX_LEAF_BYTES)  # no file of a log is longer than a bundle
        return cls(lambda path: read_file(directory / path, most))

    def note(self) -> str:
        try:
            return self._get("checkpoint").decode()
        except UnicodeDecodeError as error:
            raise MirrorError("the mirror's checkpoint is not text") from error

    def hashes(self, level: int, number: int, width: int) -> bytes:
        data = self._get_tile(level, number, width)
        if len(data) < width * HASH_BYTES or len(data) > TILE_WIDTH * HASH_BYTES:
            raise MirrorError(f"{tile_path(level, number, width)} has the wrong length")
        return data[: width * HASH_BYTES]

    def leaves(self, number: int, width: int) -> Sequence[bytes]:
        leaves = read_bundle(self._get_tile(ENTRIES, number, width))
        if len(leaves) < width:
            raise MirrorError(f"{tile_path(ENTRIES, number, width)} has too few entries")
        return leaves[:width]

    def handover(self, number: int) -> str:
        try:
            return self._get(f"{FOLDER}/{number}").decode()
        except UnicodeDecodeError as error:
            raise MirrorError(f"{FOLDER}/{number} of the mirror is not text") from error

    def said(self, size: int, digest: str) -> bytes:
        data = self._get(attest_path(size, digest))
        if sha256(data).hexdigest() != digest:
            raise MirrorError(f"the mirror's {attest_path(size, digest)} is not what its name says")
        return data

    def open(self, verifiers: Sequence[Verifier]) -> View:
        """The log as its signed checkpoint has it; raises NoteError, MirrorError.

        Where the log has changed its keys since these were known, its handovers are followed.
        """
        note = self.note()
        book = follow_shown(Keybook.of(verifiers), self.handover)
        return View(note, open_checkpoint(note, book), self, TileCache(self.hashes), book)

    def _get_tile(self, level: int, number: int, width: int) -> bytes:
        try:
            return self._get(tile_path(level, number, width))
        except NotFoundError:
            # A partial tile may go once the full one is there (C2SP tlog-tiles).
            return self._get(tile_path(level, number))

    def _get(self, path: str) -> bytes:
        try:
            return self.fetch(path)
        except OSError as error:
            raise NotFoundError(f"the mirror does not give {path}: {error}") from error


@dataclass(frozen=True, slots=True)
class View:
    """A mirror under a checkpoint whose signatures hold. Whatever it returns was checked."""

    note: str
    checkpoint: Checkpoint
    mirror: Mirror
    cache: TileCache
    keys: Keybook
    """What is known of the log's keys now."""

    @property
    def size(self) -> int:
        return self.checkpoint.size

    def leaf(self, index: int) -> Leaf:
        """The entry at `index`, proven to be in the tree; raises MirrorError, ProofError."""
        number, offset = divmod(index, TILE_WIDTH)
        if not 0 <= index < self.size:
            raise NotFoundError(f"no entry {index} in a log of {self.size}")
        data = self.mirror.leaves(number, tile_width(0, number, self.size))[offset]
        self.require(index, leaf_hash(data).hex())
        return Leaf.parse(data)

    def inclusion(self, index: int) -> tuple[str, ...]:
        """The inclusion proof of an index, lowercase hex, leaf's sibling first."""
        return tuple(hash_.hex() for hash_ in self.cache.tree(self.size).inclusion(index))

    def require(self, index: int, leaf_hash: str) -> None:
        """Check that this leaf hash (hex) is entry `index` of the signed tree; ProofError."""
        verify_inclusion(
            index=index,
            size=self.size,
            leaf=bytes.fromhex(leaf_hash),
            proof=self.cache.tree(self.size).inclusion(index),
            root=self.checkpoint.root,
        )

    def entries(self) -> tuple[Leaf, ...]:
        """Every entry of the log; raises MirrorError unless they hash to the signed root."""
        edge, leaves = Edge(), []
        for number in range((self.size + TILE_WIDTH - 1) // TILE_WIDTH):
            for data in self.mirror.leaves(number, tile_width(0, number, self.size)):
                edge.append(leaf_hash(data), [])
                leaves.append(data)
        if edge.root() != self.checkpoint.root:
            raise MirrorError("the mirror's entries do not hash to the signed root")
        try:
            return tuple(Leaf.parse(data) for data in leaves)
        except LedgerError as error:
            raise MirrorError(f"the mirror holds an entry that is no leaf: {error}") from error

    def chain(self, case: str) -> tuple[Leaf, ...]:
        """Every entry of a case, complete by its case_seq: the public register is read so."""
        entries = tuple(leaf for leaf in self.entries() if leaf.case == case)
        verify_case(entries, case=case)
        return entries
