"""A damaged database is not mended but written anew, beside itself, and then takes its place.

    rows that are right + what a mirror proves -> a draft -> fsck, guard -> its place

The tables only take new rows, so there is no other way, and none is wanted: what was damaged is
kept (`ledger.beside`). Nothing is signed. An entry comes from a mirror only with a proof that leads
to a root the log's own keys have signed, and the whole must still hash to our newest checkpoint and
the guard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from ledger.beside import Draft, draft_beside
from ledger.entry import Leaf
from ledger.errors import (
    DamageError,
    EntryError,
    GuardError,
    VerificationError,
)
from ledger.fsck import fsck
from ledger.guard import Guard
from ledger.merkle import TILE_WIDTH, Edge, FullTile, leaf_hash, tile_width
from ledger.note import Checkpoint, Verifier
from ledger.recovery import NO_HEAD
from ledger.scrub import Scrub
from ledger.snapshot import Snapshot
from ledger.store import Row, Store, attest
from ledger.tiles import Mirror, View

BATCH = 512


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done. kept: where what was damaged lies now; restored: entries from the mirror.

    kept is a file, or a schema in PostgreSQL.
    """

    entries: int
    tiles: tuple[str, ...]
    restored: tuple[int, ...]
    kept: str


def rewrite(
    ledger: Path | str, guard: Path, verifiers: Sequence[Verifier], *, mirror: Path | None = None
) -> Rewritten:
    """Write a closed ledger anew: tiles from its entries, flipped entries from a mirror's folder.

    ledger: a SQLite file, or the URL of a PostgreSQL database. Raises DamageError, with nothing
    changed, when the result is not what was signed: without a mirror whenever an entry was changed;
    LockedError while a server runs; NoteError, MirrorError, ProofError, NotFoundError for the
    mirror; GuardError, StoreError, OSError.
    """
    with draft_beside(ledger) as draft:
        with Snapshot.of(ledger) as snapshot:
            scrub = Scrub()
            while not scrub.step(snapshot, bundles=64):
                pass
            tiles = tuple(each.where for each in sorted(scrub.faults) if each.kind == "tile")
            view = Mirror.at(mirror).open(verifiers) if mirror is not None else None
            leaves = _Leaves(snapshot, view)
            entries = _copy(snapshot, leaves, draft)
        _require(draft, guard, verifiers)
        kept = draft.swap()
    return Rewritten(entries, tiles, tuple(leaves.restored), kept)


class _Leaves:
    """The entries as they were signed: ours, and the mirror's where they differ and it proves."""

    def __init__(self, snapshot: Snapshot, view: View | None) -> None:
        self._snapshot = snapshot
        self._view = view
        self.restored: list[int] = []

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Event key and leaf of every entry, in order."""
        for row in self._snapshot.entries():
            if self._view is None or row.idx >= self._view.size:
                yield row.event_key, row.leaf
                continue
            leaf = self._proven(self._view, row.idx, row.leaf)
            if leaf != row.leaf:
                self.restored.append(row.idx)
            # the leaf has its event; whose it was stands in the key only
            event = bytes.fromhex(Leaf.parse(leaf).event)
            yield event + row.event_key[len(event) :], leaf

    def _proven(self, view: View, index: int, ours: bytes) -> bytes:
        """The leaf at an index; the mirror's bytes are believed only with their proof."""
        number, offset = divmod(index, TILE_WIDTH)
        width = tile_width(0, number, view.size)
        try:
            theirs = view.mirror.leaves(number, width)[offset]
        except VerificationError:
            return ours  # the mirror has its own damage here; the result is checked as a whole
        return ours if theirs == ours else view.leaf(index).data


def _copy(snapshot: Snapshot, leaves: _Leaves, draft: Draft) -> int:
    """Write every row into the draft, derived ones derived anew; how many entries."""
    store = draft.store()
    try:
        store.open()
        edge, heads = Edge(), dict[str, tuple[int, int]]()
        grown: dict[str, int] = {}
        rows: list[Row] = []
        tiles: list[FullTile] = []
        notes = snapshot.checkpoints()
        for event_key, data in leaves.rows():
            while notes and notes[0][0] <= edge.size:
                _flush(store, rows, tiles)
                _publish(store, notes.pop(0), grown)
            leaf = _parse(edge.size, data)
            _, before = heads.get(leaf.case, NO_HEAD[:2])
            rows.append((edge.size, event_key, before, data))
            heads[leaf.case] = leaf.case_seq, edge.size
            grown[leaf.case] = edge.size
            edge.append(leaf_hash(data), tiles)
            if len(rows) == BATCH:
                _flush(store, rows, tiles)
        _flush(store, rows, tiles)
        for note in notes:
            _publish(store, note, grown)
        for size, kind, who, body, at in snapshot.connection.execute(select(*attest.columns)):
            store.add_attestation(size=size, kind=kind, who=who, body=body, at=at)
    finally:
        store.close()
    return edge.size


def _parse(index: int, data: bytes) -> Leaf:
    try:
        return Leaf.parse(data)
    except EntryError as error:
        raise DamageError(
            f"entry {index} was changed ({error}); nothing was changed here. "
            "Give a mirror of this log with --from-mirror"
        ) from error


def _flush(store: Store, rows: list[Row], tiles: list[FullTile]) -> None:
    if rows:
        store.add_entries(rows, tiles)
        rows.clear()
        tiles.clear()


def _publish(store: Store, note: tuple[int, str], grown: dict[str, int]) -> None:
    store.add_checkpoint(size=note[0], note=note[1], heads=grown)
    grown.clear()


def _require(draft: Draft, guard: Path, verifiers: Sequence[Verifier]) -> None:
    """Refuse a draft that is not, in every bit, what was signed."""
    with Snapshot.of(draft.ledger) as snapshot:
        report = fsck(snapshot, verifiers)
        if not report.clean:
            first = report.findings[0]
            raise DamageError(
                f"the result would not be what was signed ({first.where}: {first.what}); "
                "nothing was changed. Give a mirror that has this part, or restore a backup that "
                "reaches the guard"
            )
        notes = snapshot.checkpoints()
        mark = Guard(guard, Checkpoint.unverified(notes[-1][1]).origin).read() if notes else None
        if mark is None:
            return
        edge = Edge()
        for row in snapshot.entries():
            if edge.size == mark.size:
                break
            edge.append(leaf_hash(row.leaf), [])
        if (edge.size, edge.root().hex()) != (mark.size, mark.root):
            raise GuardError("the result does not hash to what the guard has; nothing was changed")
