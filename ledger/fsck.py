"""`fsck`: recompute everything a ledger says about itself, from its leaves alone.

For each entry: canonical bytes, index, time, `prev`, the case chain, and where a case is found.
For each tile and each checkpoint: what the entries hash to at that size and, with keys given,
the signatures. It only reads, and sees one moment of a ledger that may be in use.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.entry import NO_HASH, Leaf
from ledger.errors import EntryError, NoteError, StoreError
from ledger.merkle import Edge, FullTile, leaf_hash
from ledger.note import Checkpoint, Verifier, open_checkpoint
from ledger.recovery import NO_HEAD, Head
from ledger.snapshot import Row, Snapshot

MAX_FINDINGS = 100
"""After so many the rest is counted, not listed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be. where: e.g. "entry 7", "tile 0/3"."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What fsck saw. signatures: whether keys were given, so that signatures were checked."""

    entries: int
    tiles: int
    checkpoints: int
    signatures: bool
    root: str
    findings: tuple[Finding, ...]
    omitted: int

    @property
    def clean(self) -> bool:
        return not self.findings


def fsck(
    snapshot: Snapshot,
    verifiers: Sequence[Verifier] = (),
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Check a whole ledger. `progress(done, total)` counts entries; what is found is returned."""
    check = _Check(verifiers)
    try:
        verdict = snapshot.verdict()
        if verdict != "ok":
            check.find("database", verdict)
        _check_all(check, snapshot, progress)
    except StoreError as error:
        check.find("database", str(error))
    return Report(
        entries=check.edge.size,
        tiles=check.tiles,
        checkpoints=check.checkpoints,
        signatures=bool(verifiers),
        root=check.edge.root().hex(),
        findings=tuple(check.findings),
        omitted=check.omitted,
    )


def _check_all(check: _Check, snapshot: Snapshot, progress: Callable[[int, int], None]) -> None:
    total = snapshot.size()
    notes = deque(snapshot.checkpoints())
    for row in snapshot.entries():
        while notes and notes[0][0] <= check.edge.size:
            check.note(*notes.popleft())
            check.filed(snapshot)
        for tile in check.entry(row):
            check.tile(tile, snapshot.tile(tile.level, tile.number))
        if check.edge.size % 1024 == 0:
            progress(check.edge.size, total)
    for size, note in notes:
        check.note(size, note)
        check.filed(snapshot)
    if snapshot.heads() != check.filed_heads:
        check.find("heads", f"{snapshot.heads()} are filed, the entries have {check.filed_heads}")
    if snapshot.tiles() != check.tiles:
        check.find("tiles", f"{snapshot.tiles()} are stored, the entries fill {check.tiles}")
    progress(total, total)


@dataclass(slots=True)
class _Check:
    """The state of a walk from the first entry to the last."""

    verifiers: Sequence[Verifier]
    edge: Edge = field(default_factory=Edge)
    tiles: int = 0
    checkpoints: int = 0
    prev: str = NO_HASH
    time: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)
    filed_heads: int = 0
    findings: list[Finding] = field(default_factory=list)
    omitted: int = 0

    def find(self, where: str, what: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(where, what))
        else:
            self.omitted += 1

    def entry(self, row: Row) -> list[FullTile]:
        """Take the next entry; the tiles it fills."""
        where = f"entry {row.idx}"
        if row.idx != self.edge.size:
            self.find(where, f"stands where entry {self.edge.size} must be: some are missing")
        hash_ = leaf_hash(row.leaf)
        try:
            leaf = Leaf.parse(row.leaf)
        except EntryError as error:
            self.find(where, str(error))
        else:
            self._links(where, row, leaf, hash_.hex())
        self.prev = hash_.hex()
        full: list[FullTile] = []
        self.edge.append(hash_, full)
        return full

    def _links(self, where: str, row: Row, leaf: Leaf, hash_: str) -> None:
        seq, before, case_prev = self.heads.get(leaf.case, NO_HEAD)
        for holds, what in (
            (leaf.index == row.idx, f"its leaf says it is entry {leaf.index}"),
            (leaf.prev == self.prev, "does not follow the entry before it"),
            (leaf.time >= self.time, "is earlier than the entry before it"),
            (leaf.case_seq == seq + 1, f"is number {leaf.case_seq} of its case, after {seq}"),
            (leaf.case_prev.encode() == case_prev, "does not follow its case's entry before it"),
            (row.event_key.hex().startswith(leaf.event), "is not filed under its event"),
            (row.case_before == before, f"points to {row.case_before} as its case's entry before"),
        ):
            if not holds:
                self.find(where, what)
        self.time = max(self.time, leaf.time)
        self.heads[leaf.case] = (leaf.case_seq, row.idx, hash_.encode())
        self.grown[leaf.case] = row.idx

    def filed(self, snapshot: Snapshot) -> None:
        """At a checkpoint, the newest entry of each case that has grown is filed."""
        for case, index in self.grown.items():
            if not snapshot.is_head(case, index):
                self.find(f"entry {index}", "is not filed as its case's newest at a checkpoint")
        self.filed_heads += len(self.grown)
        self.grown.clear()

    def tile(self, tile: FullTile, stored: bytes | None) -> None:
        self.tiles += 1
        if stored != tile.hashes:
            what = "is missing" if stored is None else "does not hold its entries' hashes"
            self.find(f"tile {tile.level}/{tile.number}", f"{what}; it can be rebuilt from them")

    def note(self, size: int, note: str) -> None:
        self.checkpoints += 1
        where = f"checkpoint {size}"
        try:
            if self.verifiers:
                checkpoint = open_checkpoint(note, self.verifiers)
            else:
                checkpoint = Checkpoint.unverified(note)
        except NoteError as error:
            self.find(where, str(error))
            return
        if checkpoint.size != size:
            self.find(where, f"its note is for size {checkpoint.size}")
        elif size > self.edge.size:
            self.find(where, f"the ledger ends at {self.edge.size}: entries were cut off")
        elif checkpoint.root != self.edge.root():
            self.find(where, "the entries do not hash to its root")
