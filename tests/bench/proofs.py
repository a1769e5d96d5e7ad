"""Inclusion proofs in a tree of a million entries: made cold and warm, and verified.

Cold: by a reader that has expanded no tile yet, out of the database. Warm: by one that has this
proof's tiles. Both are medians, on the wall. The tiles are in a real file; no entries are needed.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.merkle import Edge, FullTile, leaf_hash, verify_inclusion
from ledger.read import LogReader, State
from ledger.sqlite import SqliteStore
from tests.bench import Row

TITLE = "inclusion proofs at 1,000,000 entries"
SIZE = 1_000_000
PROOFS = 300


def grow(store: SqliteStore) -> Edge:
    """The tiles of a million leaves, in the store."""
    edge, tiles = Edge(), list[FullTile]()
    for number in range(SIZE):
        edge.append(_leaf(number), tiles)
    store.add_entries([], tiles)
    return edge


def _leaf(number: int) -> bytes:
    return leaf_hash(number.to_bytes(8, "big"))


def rows() -> Iterator[Row]:
    chance = random.Random(7)
    cold, warm, verified, hashed = [], [], [], []
    with TemporaryDirectory() as name:
        store = SqliteStore(Path(name) / "ledger.db")
        store.open()
        edge = grow(store)
        root = edge.root()
        for _ in range(PROOFS):
            index = chance.randrange(SIZE)
            reader = LogReader(store, lambda: State(edge, None))
            moments = [time.perf_counter()]
            reader.inclusion(index, SIZE)
            moments.append(time.perf_counter())
            proof = [bytes.fromhex(each) for each in reader.inclusion(index, SIZE)]
            moments.append(time.perf_counter())
            verify_inclusion(index=index, size=SIZE, leaf=_leaf(index), proof=proof, root=root)
            moments.append(time.perf_counter())
            for sibling in proof:
                sha256(b"\x01" + sibling + sibling).digest()
            moments.append(time.perf_counter())
            took = [after - before for before, after in pairwise(moments)]
            for times, seconds in zip((cold, warm, verified, hashed), took, strict=True):
                times.append(seconds)
        store.close()
    floor = statistics.median(hashed) * 1e6
    yield Row("cold", statistics.median(cold) * 1e3, "ms", promise=1.0)
    yield Row("warm", statistics.median(warm) * 1e6, "us", promise=60)
    verify = statistics.median(verified) * 1e6
    yield Row("verify", verify, "us", "its 20 SHA-256 alone", floor, promise=30)
