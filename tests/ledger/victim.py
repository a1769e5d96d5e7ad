"""A process that appends until it is killed, and says so after each acknowledgement.

Started by test_kills through `multiprocessing`'s fork server, so that many kills cost little.
"""

from __future__ import annotations

import asyncio
import time
from multiprocessing.connection import Connection
from pathlib import Path

from ledger.log import Log
from ledger.note import LogKeys
from ledger.sqlite import SqliteStore
from tests.ledger.house import submission

CALLERS = 8


def run(directory: str, keys: tuple[str, bytes, bytes], start: int, pipe: Connection) -> None:
    """Append the submissions from `start` on, sending (number, index, leaf hash) of each."""
    asyncio.run(_run(Path(directory), load_keys(*keys), start, pipe))


def load_keys(origin: str, ed25519: bytes, mldsa44: bytes) -> LogKeys:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    return LogKeys(
        origin,
        Ed25519PrivateKey.from_private_bytes(ed25519),
        MLDSA44PrivateKey.from_seed_bytes(mldsa44),
    )


async def _run(directory: Path, keys: LogKeys, start: int, pipe: Connection) -> None:
    log = await Log.open(
        SqliteStore(directory / "ledger.db"),
        keys=keys,
        guard=directory / "guard",
        clock=lambda: time.time_ns() // 1_000_000,
    )

    async def caller(number: int) -> None:
        while True:
            receipt = await log.append(submission(number, case=number % 5))
            pipe.send((number, receipt.index, receipt.leaf_hash))
            if number % 7 == 0:
                await log.seal(receipt.index)
            number += CALLERS

    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(caller(start + number))
