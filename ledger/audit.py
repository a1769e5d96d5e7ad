"""`audit`: recompute everything a mirrored log says, from its files and keys known before.

    notes -> entries (in stretches, by processes) -> tiles -> root -> what was kept before

A log is whole when its entries hash to the root that its keys have signed. Where they do not,
the signed root is followed downwards through whatever still leads to it, so that the report
names the entry or the tile that was changed, not everything above it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from ledger.entry import NO_HASH
from ledger.errors import LedgerError, MirrorError, NoteError, VerificationError
from ledger.folder import read_file
from ledger.fork import ForkProof
from ledger.generations import Keybook
from ledger.handover import FOLDER as HANDOVERS
from ledger.handover import LONGEST, Handover, known, newly_known, own_case
from ledger.kept import NEWEST, Kept, KeptNote, read_handovers, read_kept
from ledger.merkle import TILE_WIDTH
from ledger.note import Verifier, open_checkpoint, split_note
from ledger.replay import Finding, Findings, Stretch, Walk, Wanted, walk
from ledger.stored import Stored, Truth, compare_rest, judge
from ledger.tiles import ENTRIES, TileCache, tile_path, tiles_of

CHECKS = ("checkpoint", "entries", "tiles", "chain", "cases", "times", "kept", "witnesses")
"""What is looked at, in this order; a finding names one of these."""

STRETCH = 32
"""Bundles in one stretch: 8192 entries, a twentieth of a second or so."""
SMALL = 4 * STRETCH
"""Logs of fewer bundles are read in this process: others would take longer to start."""

MOST_ABSENT = 100_000
"""So many bundles may be missing from a mirror that is audited all the same."""

Progress = Callable[[int, int], None]


class Quorum(Protocol):
    """Whose cosignatures are enough: `ledger.policy.Policy`."""

    def holds(self, note: str) -> bool:
        """Whether a checkpoint note carries the quorum; raises NoteError for a false line."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit saw of a mirror.

    size, root (hex): of the newest checkpoint that its keys signed, empty when there is none.
    kept: the notes whose signatures hold. cases: how many case chains.
    witnessed: size of the newest note with the policy's quorum, None without a policy.
    beyond: files that no complete checkpoint covers yet.
    collected: index and bytes of each entry that was wanted. note: the checkpoint, verbatim.
    forks: proofs that the log signed two histories. learned: how many generations of keys the
    log has handed over to, beyond those that were given.
    """

    origin: str
    size: int
    root: str
    note: str
    kept: tuple[KeptNote, ...]
    tiles: int
    cases: int
    beyond: int
    witnessed: int | None
    findings: tuple[Finding, ...]
    omitted: int
    forks: tuple[ForkProof, ...]
    collected: tuple[tuple[int, bytes], ...]
    learned: int = 0

    @property
    def clean(self) -> bool:
        return not self.findings


def audit(
    directory: Path,
    verifiers: Sequence[Verifier],
    *,
    policy: Quorum | None = None,
    cases: Collection[str] = (),
    kinds: Collection[str] = (),
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Audit a mirror's folder. `progress(done, total)` counts entries.

    `cases` and `kinds` name entries to hand back; `workers` is one for each core unless given.
    Raises NotFoundError when there is no checkpoint, OSError when files cannot be read.
    """
    found = Findings()
    given = Keybook.of(verifiers)
    verifiers = read_handovers(directory, given)
    kept = read_kept(directory, verifiers)
    for where, error in kept.refused:
        found.add("checkpoint", where, "signature", error=error)
    newest = kept.newest
    if newest is None:
        _compare_handovers(directory, verifiers, None, found)
        return _nothing(found)
    own = own_case(newest.checkpoint.origin)
    wanted = Wanted(frozenset({*cases, own}), frozenset(kinds))
    size = newest.checkpoint.size
    _require_begun(directory, size)
    joined = _Joined(found)
    for stretch in _stretches(directory, size, wanted, workers):
        joined.take(stretch)
        progress(joined.size, size)
    stored = Stored(directory, size, joined.roots, joined.unlike)
    truth = Truth(stored, newest.checkpoint.root)
    judge(stored, truth, found)
    beyond = compare_rest(stored, truth, found)
    verifiers = _hear(verifiers, newest.checkpoint.origin, joined.collected, kept, found)
    _compare_handovers(directory, verifiers, joined.collected, found)
    forks = _compare_kept(kept, newest, TileCache(truth.hashes), verifiers, found)
    return Audit(
        origin=newest.checkpoint.origin,
        size=size,
        root=newest.checkpoint.root.hex(),
        note=newest.note,
        kept=kept.notes,
        tiles=sum(1 for _ in tiles_of(size)),
        cases=len(joined.heads),
        beyond=beyond,
        witnessed=None if policy is None else _witnessed(policy, kept.notes, found),
        findings=tuple(found.listed),
        omitted=found.omitted,
        forks=forks,
        collected=tuple(joined.collected),
        learned=newly_known(given, verifiers),
    )


def _hear(
    book: Keybook,
    origin: str,
    collected: Sequence[tuple[int, bytes]],
    kept: Kept,
    found: Findings,
) -> Keybook:
    """What the log says of its keys, and each kept note that retired keys had no right to sign."""
    book, refused = known(book, origin, collected)
    for index, error in refused:
        found.add("checkpoint", f"entry {index}", "keys", error=error)
    for each in kept.notes:
        try:
            open_checkpoint(each.note, book)
        except NoteError as failure:
            found.add("checkpoint", each.where, "signature", error=str(failure))
    return book


def _compare_handovers(
    directory: Path, book: Keybook, collected: Sequence[tuple[int, bytes]] | None, found: Findings
) -> None:
    """Name each handover in the mirror that does not hold.

    One by keys that nobody here knows cannot be verified; its entry must be one of the log's, as
    far as these were `collected`.
    """
    entries = None if collected is None else {data for _, data in collected}
    ours = {(key.name, key.key_id) for key in book}
    folder = directory / HANDOVERS
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in sorted((name for name in names if name.isdecimal()), key=int):
        signed: set[tuple[str, bytes]] = set()
        leaf = None
        try:
            handover = Handover.parse(read_file(folder / name, 2 * LONGEST).decode())
            _, lines = split_note(handover.proof.checkpoint)
            signed, leaf = {(who, key_id) for who, key_id, _ in lines}, handover.leaf
            handover.follow(book)
        except (LedgerError, FileNotFoundError, UnicodeDecodeError) as error:
            foreign = entries is not None and leaf not in entries
            if leaf is None or foreign or ours & signed:
                found.add("checkpoint", f"{HANDOVERS}/{name}", "keys", error=str(error))


def _require_begun(directory: Path, size: int) -> None:
    """Refuse a note over more than anybody could walk through, when hardly any of it is here.

    Raises MirrorError. Else a note and a few tiles would keep an audit busy for years.
    """
    bundles = (size + TILE_WIDTH - 1) // TILE_WIDTH
    if bundles <= MOST_ABSENT:
        return
    here = sum(1 for _ in (directory / tile_path(ENTRIES, 0)).parent.rglob("*"))
    if bundles - here > MOST_ABSENT:
        raise MirrorError(f"of {bundles} bundles of entries no more than {here} are here")


class _Joined:
    """What the stretches say, in order; each must begin where the one before it ended."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._head = NO_HASH.encode()
        self._time = 0
        self._lost: set[bytes] = set()
        self.size = 0
        self.heads: dict[bytes, tuple[int, bytes]] = {}
        self.roots: list[bytes] = []
        self.unlike: dict[int, bytes] = {}
        self.collected: list[tuple[int, bytes]] = []

    def take(self, stretch: Stretch) -> None:
        first = f"entry {self.size}"
        if stretch.prev and stretch.prev != self._head and self._head not in self._lost:
            self._found.add("chain", first, "prev")
        if 0 <= stretch.time < self._time:
            self._found.add("times", first, "time", time=stretch.time, before=self._time)
        self._lost |= stretch.lost
        for case, (index, number, case_prev) in stretch.firsts.items():
            last, hash_ = self.heads.get(case, (-1, NO_HASH.encode()))
            if (number, case_prev) != (last + 1, hash_) and case_prev not in self._lost:
                reason = "case-prev" if number == last + 1 else "case-seq"
                where = f"entry {index}"
                self._found.add("cases", where, reason, case_seq=number, before=last)
        self._found.take(stretch.findings.listed, stretch.findings.omitted)
        self._head = stretch.head
        self._time = max(self._time, stretch.last_time)
        self.size += stretch.entries
        self.heads.update(stretch.lasts)
        self.roots.extend(stretch.roots)
        self.unlike.update(stretch.unlike)
        self.collected.extend(stretch.collected)


def _stretches(
    directory: Path, size: int, wanted: Wanted, workers: int | None
) -> Iterator[Stretch]:
    bundles = (size + TILE_WIDTH - 1) // TILE_WIDTH
    tasks = [
        Walk(directory, size, start, min(start + STRETCH, bundles), wanted)
        for start in range(0, bundles, STRETCH)
    ]
    if workers == 1 or (workers is None and bundles < SMALL):
        yield from map(walk, tasks)
        return
    # Started anew, not forked: whoever calls this may have threads and open files.
    with ProcessPoolExecutor(workers or cores(), mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(walk, tasks)
        except BrokenExecutor as error:
            raise OSError("a process of the audit was ended from outside: try again") from error


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compare_kept(
    kept: Kept,
    newest: KeptNote,
    tiles: TileCache,
    verifiers: Sequence[Verifier],
    found: Findings,
) -> tuple[ForkProof, ...]:
    """Hold every checkpoint that was kept against the newest one's tree."""
    forks = []
    for each in kept.notes:
        size, root = each.checkpoint.size, each.checkpoint.root
        if size > newest.checkpoint.size:
            continue  # kept before its files were complete
        try:
            same = size == newest.checkpoint.size
            expected = newest.checkpoint.root if same else tiles.tree(size).root()
            if expected == root:
                continue
            proof = ForkProof.between(each.note, newest.note, tiles.tree(newest.checkpoint.size))
            proof.verify(verifiers)
        except VerificationError:
            continue  # its tiles are lost, which is said already
        forks.append(proof)
        found.add("kept", each.where, "fork", size=size, newest=newest.checkpoint.size)
    return tuple(forks)


def _witnessed(policy: Quorum, notes: Sequence[KeptNote], found: Findings) -> int:
    """The newest size that enough witnesses have signed: the very newest may wait for them yet."""
    # Every note is looked at: a false line under an old one is a finding, too.
    sizes = []
    for each in notes:
        try:
            if policy.holds(each.note):
                sizes.append(each.checkpoint.size)
        except NoteError as error:
            found.add("witnesses", each.where, "signature", error=str(error))
    if not sizes:
        found.add("witnesses", NEWEST, "quorum")
    return max(sizes, default=0)


def _nothing(found: Findings) -> Audit:
    """Without a signed checkpoint there is nothing to hold the files against."""
    return Audit("", 0, "", "", (), 0, 0, 0, None, tuple(found.listed), found.omitted, (), ())
