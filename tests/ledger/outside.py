"""The world outside a log: witnesses one can ask, who answer, hang, lie or are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ledger.note import Cosigner, LogKeys
from ledger.policy import Policy
from ledger.witness import Answer, Row, Witness, origin_hash
from tests.ledger.house import Clock

Misbehaviour = Callable[[str, bytes | None], Awaitable[Answer]]


class Memory:
    """A witness's rows without a disk; evidence as it came."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.evidence: list[bytes] = []

    def read(self, origin: str) -> Row | None:
        return self.rows.get(origin)

    def by_hash(self, hash_: str) -> Row | None:
        return next((row for o, row in self.rows.items() if origin_hash(o) == hash_), None)

    def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
        if self.rows.get(origin) != before:
            return False
        self.rows[origin] = after
        return True

    def keep_evidence(self, origin: str, body: bytes) -> None:
        self.evidence.append(body)


@dataclass(slots=True)
class Neighbour:
    """One witness. `instead`: what it does in place of answering, while that is set."""

    keys: Cosigner
    witness: Witness
    memory: Memory
    instead: Misbehaviour | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.keys.name}"


@dataclass(slots=True)
class Outside:
    """Witnesses by name, and the network to them."""

    log_keys: LogKeys
    clock: Clock = field(default_factory=Clock)
    neighbours: list[Neighbour] = field(default_factory=list)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, name: str) -> Neighbour:
        keys, memory = Cosigner.generate(name), Memory()
        logs = {self.log_keys.origin: self.log_keys.verifiers}
        witness = Witness(keys, logs=logs, rows=memory, clock=lambda: self.clock.wall)
        neighbour = Neighbour(keys, witness, memory)
        self.neighbours.append(neighbour)
        return neighbour

    def policy(self, needed: int) -> Policy:
        """So many of all of them, each with both of its keys."""
        lines, names = [], []
        for each in self.neighbours:
            first, second = (key.vkey for key in each.keys.verifiers)
            name = each.keys.name
            names.append(name)
            lines += [
                f"witness {name}/a {first} {each.url}",
                f"witness {name}/b {second} {each.url}",
                f"group {name} all {name}/a {name}/b",
            ]
        lines += [f"group enough {needed} {' '.join(names)}", "quorum enough"]
        return Policy.parse("\n".join(lines).encode())

    async def ask(self, url: str, body: bytes | None) -> Answer:
        self.busy.set()
        for each in self.neighbours:
            if url.startswith(f"{each.url}/"):
                each.asked.append(url)
                if each.instead is not None:
                    return await each.instead(url, body)
                if body is None:
                    return each.witness.checkpoint(url.split("/")[3])
                return each.witness.add_checkpoint(body)
        raise OSError(f"nobody at {url}")


async def hang(url: str, body: bytes | None) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def gone(url: str, body: bytes | None) -> Answer:
    raise OSError("connection refused")


def always(status: int, body: bytes, media_type: str = "text/plain") -> Misbehaviour:
    """Answers the same to everything."""

    async def answer(url: str, asked: bytes | None) -> Answer:
        return Answer(status, body, media_type)

    return answer
