"""The Merkle tree of RFC 6962 (section 2.1), SHA-256, kept in tiles 256 hashes wide.

Pure: hashing, the growing right edge, proofs out of tiles, and their verification. Nothing here
reads a file or trusts its input. Hashes are 32 bytes; sizes count leaves.

A *tile* (level l, number n) holds up to 256 hashes, each the root of a perfect subtree of
256**l leaves (C2SP tlog-tiles). Full tiles never change; the last tile of a level is partial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ledger.errors import ProofError

HASH_BYTES = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
EMPTY_ROOT = sha256(b"").digest()

Row = Sequence[bytes]
Pyramid = list[Row]
"""A tile expanded: row h holds the roots of its perfect subtrees of 2**h hashes."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes (RFC 6962 2.1: 0x00 prefix)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962 2.1: 0x01 prefix)."""
    return sha256(b"\x01" + left + right).digest()


def expand(hashes: Row) -> Pyramid:
    """All perfect subtrees of one tile, so that a proof hashes each tile once."""
    pyramid = [hashes]
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        pyramid.append(hashes)
    return pyramid


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a tile's bytes."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def _split_point(width: int) -> int:
    """The largest power of two smaller than `width` (RFC 6962 2.1)."""
    return 1 << ((width - 1).bit_length() - 1)


@dataclass(frozen=True, slots=True)
class FullTile:
    """A tile that has just become full and will never change."""

    level: int
    number: int
    hashes: bytes


@dataclass(slots=True)
class Edge:
    """The right edge of a growing tree: for each level, the hashes of its partial tile.

    It is all a writer needs to append and to know the root. A committed edge is shared with
    readers, so it is never changed: the writer grows a `copy()` and puts that in its place.
    """

    size: int = 0
    rows: list[list[bytes]] = field(default_factory=lambda: [[]])

    def copy(self) -> Edge:
        return Edge(self.size, [row.copy() for row in self.rows])

    def append(self, hash_: bytes, full: list[FullTile]) -> None:
        """Add one leaf hash; tiles that it fills are added to `full`."""
        self.size += 1
        level = 0
        while True:
            if level == len(self.rows):
                self.rows.append([])
            row = self.rows[level]
            row.append(hash_)
            if len(row) < TILE_WIDTH:
                return
            number = (self.size >> TILE_HEIGHT * (level + 1)) - 1
            full.append(FullTile(level, number, b"".join(row)))
            hash_ = expand(row)[-1][0]
            self.rows[level] = []
            level += 1

    def root(self) -> bytes:
        """The root of the tree of `size` leaves."""
        root: bytes | None = None
        for row in self.rows:
            pyramid = expand(row)
            for height in range(TILE_HEIGHT):
                count = len(row) >> height
                if count & 1:
                    perfect = pyramid[height][count - 1]
                    root = perfect if root is None else node_hash(perfect, root)
        return EMPTY_ROOT if root is None else root


def tile_width(level: int, number: int, size: int) -> int:
    """How many hashes tile (level, number) has in a tree of `size` leaves: 0 to 256."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - number * TILE_WIDTH))


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of `size` leaves read through `tile(level, number, width) -> Pyramid`.

    The width asked for is the one the tile has at this size. Proofs are lists of hashes from
    the leaf upwards. Raises ProofError for sizes and indexes outside the tree.
    """

    size: int
    tile: Callable[[int, int, int], Pyramid]

    def root(self) -> bytes:
        return self._subtree(0, self.size) if self.size else EMPTY_ROOT

    def leaf_hash(self, index: int) -> bytes:
        """The leaf hash at `index`, as the tiles have it."""
        if not 0 <= index < self.size:
            raise ProofError(f"no leaf {index} in a tree of {self.size}")
        return self._perfect(index, 1)

    def inclusion(self, index: int) -> list[bytes]:
        """The audit path of a leaf (RFC 6962 2.1.1)."""
        if not 0 <= index < self.size:
            raise ProofError(f"no leaf {index} in a tree of {self.size}")
        low, high = 0, self.size
        siblings: list[tuple[int, int]] = []
        while high - low > 1:
            middle = low + _split_point(high - low)
            if index < middle:
                siblings.append((middle, high))
                high = middle
            else:
                siblings.append((low, middle))
                low = middle
        return [self._subtree(*sibling) for sibling in reversed(siblings)]

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the tree of `old` leaves is a prefix of this one (RFC 6962 2.1.2)."""
        if not 0 < old <= self.size:
            raise ProofError(f"no consistency proof from {old} to {self.size}")
        low, high, whole = 0, self.size, True
        path: list[tuple[int, int]] = []
        while old != high:
            middle = low + _split_point(high - low)
            if old <= middle:
                path.append((middle, high))
                high = middle
            else:
                path.append((low, middle))
                low, whole = middle, False
        if not whole:
            path.append((low, high))
        return [self._subtree(*part) for part in reversed(path)]

    def _subtree(self, low: int, high: int) -> bytes:
        width = high - low
        if width & (width - 1) == 0:
            return self._perfect(low, width)
        middle = low + _split_point(width)
        return node_hash(self._perfect(low, middle - low), self._subtree(middle, high))

    def _perfect(self, low: int, width: int) -> bytes:
        level, height = divmod(width.bit_length() - 1, TILE_HEIGHT)
        number, offset = divmod(low >> TILE_HEIGHT * level, TILE_WIDTH)
        pyramid = self.tile(level, number, tile_width(level, number, self.size))
        return pyramid[height][offset >> height]


def _require_hashes(hashes: Iterable[bytes]) -> None:
    # A verifier in wide use takes a leaf hash of no bytes; lengths are checked before anything.
    if any(len(hash_) != HASH_BYTES for hash_ in hashes):
        raise ProofError("a hash in the proof is not 32 bytes long")


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf hash `leaf` is entry `index` of the tree (RFC 9162 2.1.3.2).

    Raises ProofError.
    """
    _require_hashes([leaf, root, *proof])
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    position, last, hash_ = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            hash_ = node_hash(sibling, hash_)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            hash_ = node_hash(hash_, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the inclusion proof is too short")
    if hash_ != root:
        raise ProofError("the inclusion proof leads to another root")


def verify_consistency(
    *, old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of `old` leaves is a prefix of that of `new` (RFC 9162 2.1.4.2).

    A size of 0 is refused: everything is consistent with nothing, so it proves nothing.
    Raises ProofError.
    """
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof from {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("trees of one size have two roots, or a proof that is not empty")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    _require_hashes([old_root, new_root])
    if follow_consistency(old=old, new=new, path=path) != (old_root, new_root):
        raise ProofError("the consistency proof leads to other roots")


def follow_consistency(*, old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the trees of `old` and `new` leaves that a consistency proof leads to.

    The path has its first hash also where `old` is a power of two (RFC 9162 2.1.4.2, after its
    first step). Raises ProofError for a path that cannot be.
    """
    _require_hashes(path)
    if not path or not 0 < old < new:
        raise ProofError("the consistency proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    seen_old = seen_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            seen_old = node_hash(sibling, seen_old)
            seen_new = node_hash(sibling, seen_new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            seen_new = node_hash(seen_new, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the consistency proof is too short")
    return seen_old, seen_new
