"""Entries per second of an audit of a local mirror, beside reading and hashing them alone.

The audit follows both chains, checks canonical bytes, times and indexes, and compares every tile;
the floor under it is one SHA-256 of each leaf, in one process. The goal is 200,000 entries a
second on two cores.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.audit import audit, cores
from ledger.merkle import leaf_hash
from ledger.note import LogKeys
from ledger.tiles import ENTRIES, read_bundle, tile_path
from tests.bench import Row
from tests.ledger.large import write_log

TITLE = "audit: entries/s of a mirror, leaf of about 420 bytes"
BUNDLES = 800
SIZE = BUNDLES * 256
HASHING = "read + SHA-256, 1 process"


def hash_alone(directory: Path) -> None:
    for number in range(BUNDLES):
        for leaf in read_bundle((directory / tile_path(ENTRIES, number)).read_bytes()):
            leaf_hash(leaf)


def rows() -> Iterator[Row]:
    keys = LogKeys.generate("bench.example/ledger")
    with TemporaryDirectory() as name:
        directory = Path(name)
        write_log(directory, keys, SIZE)

        def measure(workers: int) -> tuple[float, float]:
            """Entries per second, and microseconds of this process for each."""
            began, cpu = time.perf_counter(), time.process_time()
            if workers:
                assert audit(directory, keys.verifiers, workers=workers).clean
            else:
                hash_alone(directory)
            return SIZE / (time.perf_counter() - began), (time.process_time() - cpu) / SIZE * 1e6

        alone, alone_us = max(measure(0) for _ in range(2))
        one, one_us = max(measure(1) for _ in range(2))
        every, _ = max(measure(cores()) for _ in range(2))
        yield Row("1 process", one, "/s", HASHING, alone)
        yield Row("1 process, CPU each", one_us, "us", HASHING, alone_us)
        yield Row(f"{cores()} processes", every, "/s", HASHING, alone, promise=200_000)
