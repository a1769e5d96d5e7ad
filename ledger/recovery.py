"""Starting is recovering: what a database must show before the log writes, or signs, again.

    file sound -> edge rebuilt -> last checkpoint ours, and still the root -> guard reached

The same steps after a crash, after a full disk and on a quiet Monday. What does not hold is
refused with what to do; nothing is repaired, for a repair would be a second history. Full
tiles are believed here; that every entry still hashes to them is for `fsck` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.entry import NO_HASH, Leaf
from ledger.errors import DamageError, EntryError, GuardError, NoteError, StoreError
from ledger.generations import Generation, Keybook, KnownLog
from ledger.guard import Guard, Mark
from ledger.handover import generations_of, own_case
from ledger.merkle import TILE_HEIGHT, TILE_WIDTH, Edge, expand, leaf_hash, split_hashes
from ledger.note import LogKeys, open_checkpoint
from ledger.read import LogReader, Published, State
from ledger.store import Store

CHUNK = 2048


Head = tuple[int, int, bytes]
"""A case's newest entry: its number in the case, its index, its leaf hash in hex."""

NO_HEAD: Head = (-1, -1, NO_HASH.encode())
"""What stands before the first entry of a case."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the log goes on: its state, the last leaf's hash (hex) and time (ms).

    heads: of the cases that have grown since the last checkpoint; the store has the others.
    generations: whose keys sign which trees, as the log's own case has it.
    """

    state: State
    prev: bytes
    time: int
    heads: Mapping[str, Head]
    generations: tuple[Generation, ...]


def recover(store: Store, *, keys: LogKeys, guard: Guard) -> Recovered:
    """Open a store for writing and check it; raises StoreError or RecoveryError.

    keys: those of a log that has never changed them; else its own case names them.
    """
    mark = guard.read()  # first: a process that begins to lead meanwhile raises it
    store.open()
    edge = rebuild_edge(store)
    last = _last_leaf(store, edge.size)
    reader = LogReader(store, lambda: State(edge, None))
    generations = _generations(store, keys)
    published = _published(store, reader, edge.size, KnownLog(keys.origin, generations))
    _require_guard(guard, mark, reader, edge.size, published)
    heads = _heads(store, published.checkpoint.size if published else 0, edge.size)
    if last is None:
        return Recovered(State(edge, published), NO_HASH.encode(), 0, heads, generations)
    return Recovered(State(edge, published), last.hash.encode(), last.time, heads, generations)


def rebuild_edge(store: Store) -> Edge:
    """The right edge of what is in the database; raises DamageError when a part is missing."""
    size = store.size()
    edge = Edge(size, [])
    level = 0
    while level == 0 or size >> TILE_HEIGHT * level:
        stop = size >> TILE_HEIGHT * level
        start = stop - stop % TILE_WIDTH
        if level == 0:
            row = [leaf_hash(leaf) for leaf in store.leaves(start, stop)]
        else:
            row = [_tile_root(store, level - 1, number) for number in range(start, stop)]
        if len(row) != stop - start:
            raise DamageError("entries are missing from the database; run `farseal ledger fsck`")
        edge.rows.append(row)
        level += 1
    return edge


def _tile_root(store: Store, level: int, number: int) -> bytes:
    hashes = store.tile(level, number)
    if hashes is None:
        raise DamageError(f"tile {level}/{number} is missing; run `farseal ledger fsck`")
    return expand(split_hashes(hashes))[-1][0]


def _last_leaf(store: Store, size: int) -> Leaf | None:
    return _parse(size - 1, store.leaves(size - 1, size)[0]) if size else None


def _heads(store: Store, start: int, stop: int) -> dict[str, Head]:
    """The newest entry of each case that has any from `start` on."""
    heads: dict[str, Head] = {}
    for first in range(start, stop, CHUNK):
        for index, data in enumerate(store.leaves(first, min(first + CHUNK, stop)), first):
            leaf = _parse(index, data)
            heads[leaf.case] = head_of(leaf)
    return heads


def head_of(leaf: Leaf) -> Head:
    return leaf.case_seq, leaf.index, leaf.hash.encode()


def _parse(index: int, data: bytes) -> Leaf:
    try:
        leaf = Leaf.parse(data)
    except EntryError as error:
        raise DamageError(
            f"entry {index} is damaged ({error}); run `farseal ledger fsck`"
        ) from error
    if leaf.index != index:
        raise DamageError(
            f"the entry at {index} says it is {leaf.index}; run `farseal ledger fsck`"
        )
    return leaf


def _generations(store: Store, keys: LogKeys) -> tuple[Generation, ...]:
    try:
        return generations_of(store.chain(own_case(keys.origin)), keys.verifiers)
    except (EntryError, NoteError, KeyError, TypeError) as error:
        raise DamageError(
            f"what the log says of its own keys cannot be read ({error}); nothing was written. "
            "Run `farseal ledger fsck`"
        ) from error


def _published(store: Store, reader: LogReader, entries: int, log: KnownLog) -> Published | None:
    stored = store.last_checkpoint()
    if stored is None:
        return None
    size, note = stored
    try:
        checkpoint = open_checkpoint(note, Keybook((log,)))
    except NoteError as error:
        raise DamageError(
            f"the last checkpoint was not signed by this log's keys ({error}); nothing was "
            "written. Start the ledger with the keys it was made with"
        ) from error
    if checkpoint.size != size:
        raise DamageError(f"the checkpoint stored for size {size} is for {checkpoint.size}")
    if size > entries:
        raise GuardError(
            f"the database ends at {entries} entries, but has signed {size}: entries were lost. "
            "Restore the newest complete copy; nothing was written"
        )
    if reader.root(size) != checkpoint.root:
        raise DamageError(
            f"the entries no longer hash to the checkpoint of size {size}; nothing was "
            "written. Run `farseal ledger fsck` to find which, and restore them from a mirror"
        )
    return Published(checkpoint, note, "".join(store.cosignatures(size).values()))


def _require_guard(
    guard: Guard, mark: Mark | None, reader: LogReader, entries: int, published: Published | None
) -> None:
    if mark is None:
        if published is None or published.checkpoint.size == 0:
            return
        if guard.read() is not None:
            raise StoreError("the ledger was first signed while it was read; look again")
        seen = published.checkpoint
        raise GuardError(
            f"the guard {guard.path} is missing, though the ledger has signed {seen.size} "
            "entries. Put it back from its volume. If it is lost for good, first make sure that "
            "nobody holds a newer checkpoint of this log, then write it anew as these three "
            f"lines: {guard.origin} / {seen.size} / {seen.root.hex()}"
        )
    if mark.size > entries:
        raise GuardError(
            f"the database has {entries} entries, but {mark.size} were signed before: it is an "
            "old copy, and going on would sign a second history. Restore the newest copy "
            f"(guard: {guard.path}); nothing was written"
        )
    if reader.root(mark.size).hex() != mark.root:
        raise GuardError(
            f"the first {mark.size} entries are not those that were signed: the database is an "
            "old copy that has grown again, or another log's. Restore the right one "
            f"(guard: {guard.path}); nothing was written"
        )
