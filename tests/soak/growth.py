"""A ledger of 10**4, 10**5, 10**6 and 10**7 entries: does anything cost more as it grows?

The entries go through the sequencer in groups of 512, as a log under load hands them over, into a
real file. At each size: CPU time of an append, an inclusion proof cold and warm, bytes on the disk.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.log import Log
from ledger.merkle import leaf_hash, verify_inclusion
from ledger.note import LogKeys
from ledger.read import LogReader
from ledger.sequencer import Sequencer, draft_of
from ledger.sqlite import SqliteStore
from server.witness_house import wall_clock
from tests.bench.ledger import submission

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
GROUP = 512
LAST = 9_000
"""The appends that are measured: the last so many before each size."""
PROOFS = 200
LONG_S = 1e6
"""The log itself signs nothing meanwhile: this run does, at each size."""
FLAT = 2.0
"""Nothing may cost more than so many times what it cost at the first size."""


def run(say: Callable[[str], None], sizes: tuple[int, ...] = SIZES) -> None:
    asyncio.run(_run(say, sizes))


async def _run(say: Callable[[str], None], sizes: tuple[int, ...]) -> None:
    began, costs = time.perf_counter(), []
    with TemporaryDirectory(prefix="farseal-soak-") as name:
        store = SqliteStore(Path(name) / "ledger.db")
        log = await Log.open(
            store,
            keys=LogKeys.generate("soak.example/ledger"),
            guard=Path(name) / "guard",
            clock=wall_clock,
            tick_s=LONG_S,
        )
        sequencer = log._sequencer
        for size in sizes:
            append_us = _grow(sequencer, size)
            sequencer.publish()
            cold_us, warm_us = prove(store, sequencer, size)
            on_disk = bytes_on_disk(Path(name) / "ledger.db") / size
            costs.append((append_us, cold_us, warm_us))
            say(
                f"{size:>10,} entries after {time.perf_counter() - began:,.0f} s: an append "
                f"{append_us:.1f} us of CPU, an inclusion proof {cold_us / 1000:.2f} ms cold and "
                f"{warm_us:.0f} us warm, {on_disk:.0f} bytes an entry"
            )
        sequencer.recover()
        assert log.size == sizes[-1]
        await log.close()
    first, last = costs[0], costs[-1]
    ratios = [after / before for before, after in zip(first, last, strict=True)]
    say(f"from the first size to the last: append x{ratios[0]:.2f}, cold proof x{ratios[1]:.2f}, "
        f"warm proof x{ratios[2]:.2f}")  # fmt: skip
    assert ratios[0] < FLAT, "appends cost more in a large ledger"
    assert ratios[1] < 2 * FLAT, "a proof reads more than one more tile for each 256-fold growth"


def _grow(sequencer: Sequencer, size: int) -> float:
    """Append up to `size`; CPU time of one append among the last, us."""
    at, measured = sequencer.state.edge.size, 0.0
    while at < size:
        stop = min(at + GROUP, size)
        drafts = [draft_of(submission(number)) for number in range(at, stop)]
        began = time.process_time()
        sequencer.commit(drafts)
        if stop > size - LAST:
            measured += time.process_time() - began
        at = stop
    return measured / min(LAST + GROUP, size) * 1e6


def prove(store: SqliteStore, sequencer: Sequencer, size: int) -> tuple[float, float]:
    """An inclusion proof by a reader that has read nothing, and by one that has: median CPU, us."""
    chance, cold, warm = random.Random(size), [], []
    root = sequencer.state.edge.root()
    for _ in range(PROOFS):
        index = chance.randrange(size)
        reader = LogReader(store, lambda: sequencer.state)
        began = time.thread_time()
        proof = reader.inclusion(index, size)
        half = time.thread_time()
        reader.inclusion(index, size)
        warm.append(time.thread_time() - half)
        cold.append(half - began)
        verify_inclusion(
            index=index,
            size=size,
            leaf=leaf_hash(store.leaves(index, index + 1)[0]),
            proof=[bytes.fromhex(each) for each in proof],
            root=root,
        )
    return statistics.median(cold) * 1e6, statistics.median(warm) * 1e6


def bytes_on_disk(database: Path) -> int:
    """The size of a database whose write-ahead log has been copied home."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    connection.close()
    return database.stat().st_size
