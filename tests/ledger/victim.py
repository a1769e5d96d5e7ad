"""A process that appends and seals until it is killed, and tells each promise it was given.

It is the whole way of an entry: commit, sign, publish, witness, attest. Whoever watches sees from
outside, in a few bytes of shared memory, in which steps it was when it died; and it can be told
to kill itself just before or after one of them.

Started through `multiprocessing`'s fork server, so that many kills cost little.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from aiohttp import ClientSession, ClientTimeout
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509 import load_der_x509_certificate

from ledger.cosigning import Witnesses
from ledger.log import Log
from ledger.merkle import FullTile
from ledger.note import LogKeys
from ledger.policy import Policy
from ledger.sqlite import SqliteStore
from ledger.store import COSIGNATURE, Row
from ledger.witness import Answer
from server.http.witness import Asker
from server.witness_house import wall_clock
from signing.tsa_client import Client
from tests.ledger.house import submission
from tests.ledger.neighbours import Secret, log_keys

CALLERS = 8
STEPS = (
    "opening",
    "commit",
    "sign",  # the guard is durable
    "publish",
    "witness",
    "keep cosignatures",
    "timestamp",
    "keep token",
)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a victim is to do.

    policy, timestamp: whom it asks. roots: the authority's (DER). start: the first submission.
    die: "before STEP" or "after STEP"; seal: every how many entries.
    """

    directory: str
    keys: Secret
    policy: bytes
    timestamp: str
    roots: tuple[bytes, ...]
    start: int
    die: str | None = None
    seal: int = 7

    @property
    def steps(self) -> Path:
        return Path(self.directory) / "steps"

    @property
    def database(self) -> Path:
        return Path(self.directory) / "ledger.db"

    @property
    def guard(self) -> Path:
        return Path(self.directory) / "guard"


class Steps:
    """Where a victim is, for those who find it dead."""

    def __init__(self, path: Path, die: str | None) -> None:
        path.write_bytes(bytes(len(STEPS)))
        with path.open("r+b") as file:
            self._taken = mmap.mmap(file.fileno(), len(STEPS))
        self._die = die

    @contextmanager
    def take(self, step: str) -> Iterator[None]:
        at = STEPS.index(step)
        self._die_if(f"before {step}")
        self._taken[at] += 1
        yield
        self._die_if(f"after {step}")
        self._taken[at] -= 1

    def _die_if(self, moment: str) -> None:
        if moment == self._die:
            os.kill(os.getpid(), signal.SIGKILL)


def steps_taken(path: Path) -> list[str]:
    """The steps that were begun and not ended."""
    return [step for step, begun in zip(STEPS, path.read_bytes(), strict=True) if begun]


class Watched(SqliteStore):
    """A store that tells when it works."""

    def __init__(self, path: Path, steps: Steps) -> None:
        super().__init__(path)
        self._steps = steps

    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        with self._steps.take("commit"):
            super().add_entries(rows, tiles)

    def add_checkpoint(self, *, size: int, note: str, heads: Mapping[str, int]) -> None:
        with self._steps.take("publish"):
            super().add_checkpoint(size=size, note=note, heads=heads)

    def add_attestation(self, *, size: int, kind: str, who: str, body: bytes, at: int) -> None:
        with self._steps.take("keep cosignatures" if kind == COSIGNATURE else "keep token"):
            super().add_attestation(size=size, kind=kind, who=who, body=body, at=at)


class WatchedKey:
    """A signing key that tells when it signs."""

    def __init__(self, key: Ed25519PrivateKey, steps: Steps) -> None:
        self._key = key
        self._steps = steps
        self.public_key = key.public_key

    def sign(self, data: bytes) -> bytes:
        with self._steps.take("sign"):
            return self._key.sign(data)


def run(orders: Orders, pipe: Connection) -> None:
    """Send ("receipt", number, receipt) and ("sealed", number, sealed) as they are promised."""
    logging.getLogger("ledger").setLevel(logging.CRITICAL)  # of witnesses that were killed
    asyncio.run(_run(orders, pipe))


async def _run(orders: Orders, pipe: Connection) -> None:
    steps = Steps(orders.steps, orders.die)
    pipe.send(("begun", 0, None))
    async with ClientSession(timeout=ClientTimeout(total=10)) as session, Asker() as asker:

        async def ask(url: str, body: bytes | None) -> Answer:
            with steps.take("witness"):
                return await asker(url, body)

        async def post(url: str, body: bytes) -> bytes:
            async with session.post(url, data=body) as answer:
                return await answer.read()

        authority = Client(
            [orders.timestamp], [load_der_x509_certificate(each) for each in orders.roots], post
        )

        async def timestamp(data: bytes) -> bytes:
            with steps.take("timestamp"):
                return (await authority.timestamp(sha256(data).digest())).token

        keys = log_keys(orders.keys)
        watched = cast(Any, WatchedKey(keys.ed25519, steps))
        with steps.take("opening"):
            log = await Log.open(
                Watched(orders.database, steps),
                keys=LogKeys(keys.origin, watched, keys.mldsa44),
                guard=orders.guard,
                clock=wall_clock,
                timestamp=timestamp,
                witnesses=Witnesses(
                    Policy.parse(orders.policy),
                    ask=ask,
                    log_keys=keys.verifiers,
                    clock=wall_clock,
                    retry_s=(0.01, 0.1),
                ),
                tick_s=0.02,
            )
        pipe.send(("open", 0, None))
        await _work(log, orders, pipe)


async def _work(log: Log, orders: Orders, pipe: Connection) -> None:
    async def caller(number: int) -> None:
        while True:
            receipt = await log.append(submission(number, case=number % 5))
            pipe.send(("receipt", number, receipt))
            if number % orders.seal == 0:
                pipe.send(("sealed", number, await log.seal(receipt.index)))
            number += CALLERS

    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(caller(orders.start + number))
