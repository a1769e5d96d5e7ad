"""A stretch of a mirrored log, read again from its bytes, without what came before it.

Stretches are walked in any order by any number of processes; each tells what it found and its
*seams*, what must fit to the stretch before it. `ledger.audit` joins them in order.
"""

from __future__ import annotations

import re
from binascii import hexlify
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.bodies import Bodies
from ledger.entry import MAX_INTEGER, MAX_LEAF_BYTES, Leaf
from ledger.errors import EntryError
from ledger.folder import read_file
from ledger.merkle import HASH_BYTES, TILE_WIDTH, expand, leaf_hash, split_hashes, tile_width
from ledger.tiles import ENTRIES, tile_path

MAX_FINDINGS = 100
"""After so many the rest is counted, not listed."""

_COUNT = rb"(0|[1-9][0-9]{0,15})"
# A canonical leaf has its keys in one order, so all but the body is one expression, anchored at
# the end. The two hashes are compared with what they must be, so any 64 bytes will do here.
_LEAF = re.compile(
    rb'\{"body":(\{.*\}),"case":"([0-9a-f]{32})","case_prev":"(.{64})","case_seq":'
    + _COUNT
    + rb',"event":"[0-9a-f]{32}","index":'
    + _COUNT
    + rb',"prev":"(.{64})","time":'
    + _COUNT
    + rb',"v":1\}',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    check: which of the audit's checks it belongs to. where: "entry 7", "tile 0/003", "checkpoint".
    reason: a word for what is wrong; the commands say it in two languages, with the detail.
    """

    check: str
    where: str
    reason: str
    detail: Mapping[str, object] = field(default_factory=dict)


class Findings:
    """What was found, the first hundred of it."""

    def __init__(self) -> None:
        self.listed: list[Finding] = []
        self.omitted = 0

    def add(self, check: str, where: str, reason: str, **detail: object) -> None:
        self.take([Finding(check, where, reason, detail)])

    def take(self, findings: Iterable[Finding], omitted: int = 0) -> None:
        for finding in findings:
            if len(self.listed) < MAX_FINDINGS:
                self.listed.append(finding)
            else:
                self.omitted += 1
        self.omitted += omitted


@dataclass(frozen=True, slots=True)
class Wanted:
    """Entries the caller wants handed back: of these cases, or of these kinds in any case."""

    cases: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a log's files are and which bundles to read: `start` to `stop`, of a log of `size`."""

    directory: Path
    size: int
    start: int
    stop: int
    wanted: Wanted = Wanted()


@dataclass(slots=True)
class Stretch:
    """What was seen on a walk. Hashes in seams and cases are lowercase hex, as leaves hold them.

    prev, time: of the first entry (empty, -1: unknown); head, last_time: of the last.
    firsts: each case's first entry's (index, case_seq, case_prev); lasts: its last one's
    (case_seq, hash).
    roots: the root of each full tile, as its entries have it. unlike: bundles whose entries are
    not what their tile says, with the hashes of those that can be read. lost: the hashes that
    such entries have, or should have; whatever follows one of them is not at fault itself.
    """

    entries: int = 0
    prev: bytes = b""
    time: int = -1
    head: bytes = b""
    last_time: int = 0
    firsts: dict[bytes, tuple[int, int, bytes]] = field(default_factory=dict)
    lasts: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    roots: list[bytes] = field(default_factory=list)
    unlike: dict[int, bytes] = field(default_factory=dict)
    lost: set[bytes] = field(default_factory=set)
    collected: list[tuple[int, bytes]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def read(directory: Path, level: int, number: int, width: int) -> tuple[bytes, int] | None:
    """A tile's or bundle's file and how wide it is; None when there is no file.

    The full one serves where the partial one has gone (C2SP tlog-tiles).
    """
    each = 2 + MAX_LEAF_BYTES if level == ENTRIES else HASH_BYTES
    for wide in (width, TILE_WIDTH):
        try:
            return read_file(directory / tile_path(level, number, wide), wide * each), wide
        except FileNotFoundError:
            continue
    return None


def read_tile(directory: Path, level: int, number: int, width: int) -> bytes | None:
    """A tile's first `width` hashes, or None when there is no file of its length."""
    found = read(directory, level, number, width)
    if found is None or len(found[0]) != found[1] * HASH_BYTES:
        return None
    return found[0][: width * HASH_BYTES]


def root_of(tile: bytes) -> bytes:
    """The root of a full tile."""
    return expand(split_hashes(tile))[-1][0]


def walk(task: Walk) -> Stretch:
    """Read a stretch. Raises OSError when a file cannot be read."""
    walker = _Walker(task)
    for number in range(task.start, task.stop):
        walker.bundle(number)
    return walker.seen


class _Walker:
    def __init__(self, task: Walk) -> None:
        self._task = task
        self._cases = frozenset(case.encode() for case in task.wanted.cases)
        # Canonical text has no second spelling, so this is how a body says its kind.
        kinds = b"|".join(re.escape(kind.encode()) for kind in sorted(task.wanted.kinds))
        self._of_kind = re.compile(b'"kind":"(?:%b)"' % kinds).search if kinds else None
        self._bodies = Bodies()
        self.seen = Stretch()

    def bundle(self, number: int) -> None:
        width = tile_width(0, number, self._task.size)
        tile = read_tile(self._task.directory, 0, number, width)
        leaves = self._leaves(number, width)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        computed = b"".join(hashes)
        first = number * TILE_WIDTH
        if computed == tile:
            self._entries(first, leaves, hashes)
        else:
            self.seen.unlike[number] = computed
            self._unlike(first, leaves, hashes, split_hashes(tile or computed))
        if width == TILE_WIDTH:
            whole = computed if len(hashes) == width else tile
            self.seen.roots.append(root_of(whole) if whole else bytes(HASH_BYTES))
        self.seen.entries += width

    def _leaves(self, number: int, width: int) -> list[bytes]:
        """The leaves of a bundle, as far as they can be read."""
        where = tile_path(ENTRIES, number).removeprefix("tile/")
        found = read(self._task.directory, ENTRIES, number, width)
        if found is None:
            self.seen.findings.add("entries", where, "missing")
            return []
        leaves, rest = split_bundle(found[0])
        if len(leaves) != found[1] or rest:
            entries = len(leaves) if not rest else None
            self.seen.findings.add("entries", where, "bundle", entries=entries, width=found[1])
        return leaves[:width]

    def _unlike(
        self, first: int, leaves: list[bytes], hashes: list[bytes], signed: list[bytes]
    ) -> None:
        """Go on where entries and tile differ; which of them is wrong, the root will tell."""
        for index, right in enumerate(signed, first):
            at = index - first
            hash_ = hashes[at] if at < len(hashes) else b""
            if hash_ == right:
                self._entries(index, leaves[at : at + 1], [hash_])
            else:
                self.seen.lost |= {hexlify(right), hexlify(hash_)}
                self.seen.head = hexlify(right)

    def _entries(self, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> None:
        """Follow the chains through entries that stand in their tile as they hash."""
        # Every entry of a log comes through here: no calls but those that are needed.
        seen, head, latest = self.seen, self.seen.head, self.seen.last_time
        lasts, fullmatch, require_canonical = seen.lasts, _LEAF.fullmatch, self._bodies.require
        cases, of_kind = self._cases, self._of_kind
        for index, leaf in enumerate(leaves, first):
            before, head = head, hexlify(hashes[index - first])
            match = fullmatch(leaf)
            if match is None:
                self._refuse(index, leaf, head)
                continue
            body, case, case_prev, case_seq, written, prev, time = match.groups()
            try:
                require_canonical(body)
            except EntryError as error:
                self._find("entries", index, "not-a-leaf", error=str(error))
            if int(written) != index:
                self._find("entries", index, "index", written=int(written))
            if prev != before:
                self._first(index, prev, before)
            at = int(time)
            if at < latest or at > MAX_INTEGER:
                self._find("times", index, "time", time=at, before=latest)
            else:
                latest = at
            number, last = int(case_seq), lasts.get(case)
            if last is None:
                seen.firsts[case] = index, number, case_prev
            elif number != last[0] + 1 or case_prev != last[1]:
                self._unchained(index, number, case_prev, last)
            lasts[case] = number, head
            if seen.time < 0:
                seen.time = at
            if case in cases or (of_kind and of_kind(body)):
                seen.collected.append((index, leaf))
        seen.head, seen.last_time = head, latest

    def _first(self, index: int, prev: bytes, before: bytes) -> None:
        if not before:
            self.seen.prev = prev
        elif before not in self.seen.lost:
            self._find("chain", index, "prev")

    def _unchained(
        self, index: int, number: int, case_prev: bytes, last: tuple[int, bytes]
    ) -> None:
        if case_prev not in self.seen.lost:
            reason = "case-prev" if number == last[0] + 1 else "case-seq"
            self._find("cases", index, reason, case_seq=number, before=last[0])

    def _refuse(self, index: int, leaf: bytes, hash_: bytes) -> None:
        """Say why a leaf is none. What the expression does not take, the reader refuses."""
        self.seen.lost.add(hash_)
        try:
            Leaf.parse(leaf)
            error = "not in its canonical form"
        except EntryError as failure:
            error = str(failure)
        self._find("entries", index, "not-a-leaf", error=error)

    def _find(self, check: str, index: int, reason: str, **detail: object) -> None:
        self.seen.findings.add(check, f"entry {index}", reason, **detail)


def split_bundle(data: bytes) -> tuple[list[bytes], bytes]:
    """The leaves of a bundle up to where it breaks off, and what is left then."""
    leaves, at = [], 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            break
        leaves.append(data[at + 2 : end])
        at = end
    return leaves, data[at:]
