"""The scrubber: reads a ledger again, slice by slice, and says which entry or tile has changed.

    entries -> leaf hashes -> `prev` links -> stored tiles -> root of the newest checkpoint

Storage rots silently, and a proof is only made of what is read for it. So everything is read again
at leisure; a pass ends at the size of the checkpoint that was the newest when it began. Where an
entry and its tile disagree, the entry behind it decides: its `prev` is the hash that was signed.
Nothing is repaired here: a tile can be built from its entries, an entry only be restored from a
copy, and neither is ever signed anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.entry import Leaf
from ledger.errors import EntryError, NoteError
from ledger.merkle import HASH_BYTES, TILE_WIDTH, Edge, FullTile, leaf_hash, split_hashes
from ledger.note import Checkpoint
from ledger.snapshot import Row, Snapshot


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is not as it was signed.

    kind: entry (`number` is its index), tile (`level`, `number`), or root (`number` is the size of
    the checkpoint that the entries do not hash to, though none of them could be named).
    """

    kind: str
    number: int
    level: int = 0

    @property
    def where(self) -> str:
        """As `fsck` names it."""
        if self.kind == "tile":
            return f"tile {self.level}/{self.number}"
        return f"{'checkpoint' if self.kind == 'root' else 'entry'} {self.number}"


class Scrub:
    """One pass over a ledger. Call `step` until it says that the pass is over."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._goal: tuple[int, bytes] | None = None
        self._edge = Edge()
        self._prev = bytes(HASH_BYTES)

    @property
    def done(self) -> int:
        """How many entries have been read again."""
        return self._edge.size

    def goal(self, snapshot: Snapshot) -> int:
        """The size at which this pass ends: that of the newest checkpoint when it began."""
        if self._goal is None:
            self._goal = _newest(snapshot)
        return self._goal[0]

    def step(self, snapshot: Snapshot, *, bundles: int = 1) -> bool:
        """Read the next bundles of 256 entries again; whether the pass is over.

        Raises StoreError when the database cannot be read.
        """
        goal = self.goal(snapshot)
        for _ in range(bundles):
            if self.done < goal:
                self._bundle(snapshot, min(self.done + TILE_WIDTH, goal))
        if self.done < goal:
            return False
        assert self._goal is not None  # goal() has set it
        if goal and not self.faults and self._edge.root() != self._goal[1]:
            self.faults.append(Fault("root", goal))
        return True

    def _bundle(self, snapshot: Snapshot, stop: int) -> None:
        first = self.done
        rows = {row.idx: row for row in snapshot.rows(first, stop + 1)}
        stored = _split(snapshot.tile(0, first // TILE_WIDTH))
        signed: list[bytes] = []
        for index in range(first, stop):
            row, following = rows.get(index), _prev_of(rows.get(index + 1))
            kept = stored[index - first] if stored else None
            signed.append(self._entry(index, row, kept=kept, following=following))
        whole = b"".join(stored or ())
        full: list[FullTile] = []
        for hash_ in signed:
            self._edge.append(hash_, full)
        for tile in full:
            held = whole if tile.level == 0 else snapshot.tile(tile.level, tile.number)
            if held != tile.hashes:
                self.faults.append(Fault("tile", tile.number, tile.level))

    def _entry(
        self, index: int, row: Row | None, *, kept: bytes | None, following: bytes | None
    ) -> bytes:
        """The hash of an entry as it was signed, as far as its neighbours tell.

        Three may say it: the entry itself, its tile, and `prev` of the entry behind it. Two that
        agree are believed; of two that do not, the one that is not the entry.
        """
        hash_ = leaf_hash(row.leaf) if row else None
        said = [each for each in (kept, following) if each is not None]
        signed = hash_ if hash_ is not None and (hash_ in said or not said) else None
        if signed is None or (not said and not self._follows(row)):
            self.faults.append(Fault("entry", index))
        self._prev = signed = signed or next(iter(said), bytes(HASH_BYTES))
        return signed

    def _follows(self, row: Row | None) -> bool:
        return _prev_of(row) == self._prev


def _split(tile: bytes | None) -> Sequence[bytes] | None:
    return split_hashes(tile) if tile and len(tile) == TILE_WIDTH * HASH_BYTES else None


def _prev_of(row: Row | None) -> bytes | None:
    try:
        return bytes.fromhex(Leaf.parse(row.leaf).prev) if row else None
    except EntryError:
        return None


def _newest(snapshot: Snapshot) -> tuple[int, bytes]:
    for size, note in reversed(snapshot.checkpoints()):
        try:
            return size, Checkpoint.unverified(note).root
        except NoteError:
            continue  # fsck names it
    return 0, b""
