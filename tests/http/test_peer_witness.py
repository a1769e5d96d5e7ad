"""Somebody else's witness and ours, each with the other's client.

`aics-witness` is another program for the same protocol, by other people. It needs Python 3.12, so
it lives in an environment of its own:

    python3.12 -m venv .peers && .peers/bin/pip install aics-witness==0.1.0
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledger.cosigning import Witnesses
from ledger.errors import HistoryError
from ledger.note import Signature, Verifier, open_note
from ledger.policy import Policy
from server.app import wall_clock
from server.http.witness import Asker
from tests.conftest import ROOT
from tests.http.test_witness_process import KEYS, NAME, running
from tests.ledger.histories import History

PEERS = Path(os.environ.get("FARSEAL_PEERS", ROOT / ".peers")) / "bin"
pytestmark = pytest.mark.skipif(
    not (PEERS / "aics-witness").exists(),
    reason="aics-witness is not installed (see this file's first lines)",
)


async def peer(*arguments: str, at: Path, entry: str = "aics-witness", stdin: bytes = b"") -> str:
    """What a command of theirs prints."""
    process = await asyncio.create_subprocess_exec(
        str(PEERS / entry), *arguments, cwd=at, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, error = await process.communicate(stdin)
    assert process.returncode == 0, error.decode()
    return out.decode()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@asynccontextmanager
async def their_witness(at: Path) -> AsyncIterator[tuple[str, Verifier]]:
    """Their witness, watching our log by its Ed25519 key."""
    said = await peer("init", "--name", "theirs.example/w1", at=at)
    vkey = re.search(r"theirs\.example/w1\+\S+", said)
    assert vkey is not None
    ours = KEYS.verifiers[0].vkey
    await peer("add-log", "--origin", KEYS.origin, "--vkey", ours, at=at)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(PEERS / "aics-witness"), "serve", "--listen", f"127.0.0.1:{port}",
        cwd=at, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        async with Asker() as ask, asyncio.timeout(30):
            while True:
                try:
                    await ask(f"{url}/healthz", None)
                    break
                except OSError:
                    assert process.returncode is None
        yield url, Verifier.parse(vkey[0])
    finally:
        process.kill()
        await process.communicate()


class Tree:
    """A history, as the asking side needs it."""

    def __init__(self, log: History) -> None:
        self._log = log

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        return tuple(hash_.hex() for hash_ in self._log.tree(new).consistency(old))

    async def root(self, size: int) -> bytes:
        return self._log.root(size)


async def test_their_witness_signs_our_growth_and_shows_our_fork(tmp_path: Path) -> None:
    signed: list[Signature] = []

    async def found(signatures: tuple[Signature, ...]) -> None:
        signed.extend(signatures)

    async with their_witness(tmp_path) as (url, key), Asker() as ask:
        policy = Policy.parse(f"witness theirs {key.vkey} {url}\nquorum theirs\n".encode())

        def fresh() -> Witnesses:
            return Witnesses(
                policy, ask=ask, log_keys=KEYS.verifiers, clock=wall_clock, timeout_s=30.0
            )

        witnesses, log = fresh(), History(KEYS)
        for size in (1, 2, 7, 200):
            await witnesses.round(log.note(size), Tree(log), found)
            assert witnesses.peers[0].trouble is None
            assert policy.holds(log.note(size) + signed.pop().line)
        await fresh().require_known(log.note(200), Tree(log), found)
        # An old copy of our database, and one that has grown past it again.
        with pytest.raises(HistoryError, match="old copy"):
            await fresh().require_known(log.note(150), Tree(log), found)
        other = History(KEYS, "b", fork=150)
        with pytest.raises(HistoryError, match="old copy"):
            await fresh().round(other.note(220), Tree(other), found)
    evidence = await peer("evidence", "--origin", KEYS.origin, at=tmp_path)
    assert other.note(220).split("\n")[2] in json.dumps(json.loads(evidence))


CLIENT = """
import json, sys
from aics_witness.feeder import WitnessClient
url, vkey, state, steps = json.load(sys.stdin)
client = WitnessClient(url, vkey, state_path=state)
for note, proofs in steps:
    prove = lambda old, new: [bytes.fromhex(one) for one in proofs.get(str(old), ())]
    try:
        print(json.dumps(client.submit(note.encode(), prove)))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


async def test_their_client_has_our_witness_sign(tmp_path: Path) -> None:
    log, other = History(KEYS), History(KEYS, "b", fork=5)

    def step(history: History, size: int) -> list[object]:
        tree = history.tree(size)
        proofs = {
            old: [hash_.hex() for hash_ in tree.consistency(old)] for old in range(1, size + 1)
        }
        return [history.note(size), proofs]

    steps = [step(log, size) for size in (3, 8, 8, 200)] + [step(other, 210), step(log, 150)]
    async with running(tmp_path / "w", "--name", NAME) as witness:
        ed25519 = witness.verifiers[0]
        told = [witness.url, ed25519.vkey, str(tmp_path / "state.json"), steps]
        said = await peer(
            "-c", CLIENT, at=tmp_path, entry="python", stdin=json.dumps(told).encode()
        )
    lines = [json.loads(line) for line in said.splitlines()]
    for (note, _), line in zip(steps[:4], lines, strict=False):
        opened = open_note(f"{note}{line.rstrip()}\n", (ed25519,))
        assert opened.signatures[0].verifier == ed25519
    assert lines[4].startswith("WitnessRejected")
    assert lines[5].startswith("WitnessAhead")
