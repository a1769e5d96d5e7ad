"""A process that shares a ledger with others, appends until it is told to stop, or is killed.

Started by test_shared_kills through `multiprocessing`'s fork server. Of each acknowledgement it
says what it was, whether it led then, and when (the machine's monotonic clock, in seconds).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from ledger.log import Log
from ledger.note import LogKeys
from ledger.shared import SharedLog
from tests.ledger.house import submission

CALLERS = 4


@dataclass(frozen=True, slots=True)
class Said:
    number: int
    index: int
    leaf_hash: str
    led: bool
    at: float


def run(url: str, guard: str, keys: tuple[str, bytes, bytes], start: int, pipe: Connection) -> None:
    """Append the submissions from `start` on until something comes through the pipe."""
    asyncio.run(_run(url, Path(guard), load_keys(*keys), start, pipe))


def load_keys(origin: str, ed25519: bytes, mldsa44: bytes) -> LogKeys:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    return LogKeys(
        origin,
        Ed25519PrivateKey.from_private_bytes(ed25519),
        MLDSA44PrivateKey.from_seed_bytes(mldsa44),
    )


async def _run(url: str, guard: Path, keys: LogKeys, start: int, pipe: Connection) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)
    clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
    log = await SharedLog.open(
        url,
        lead=partial(Log.open, keys=keys, guard=guard, clock=clock, tick_s=0.1),
        keys=keys,
        guard=guard,
    )

    async def call(number: int) -> None:
        while not stop.is_set():
            receipt = await log.append(submission(number, case=number % 7))
            led, at = log.leads, time.monotonic()
            pipe.send(Said(number, receipt.index, receipt.leaf_hash, led, at))
            if number % 40 == 0:
                await log.seal(receipt.index)
            number += CALLERS

    async with asyncio.TaskGroup() as group:
        for each in range(CALLERS):
            group.create_task(call(start + each))
    await log.close()
