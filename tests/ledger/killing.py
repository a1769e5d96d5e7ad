"""An office, its witnesses and its timestamp authority, each killed again and again.

`Town` keeps every promise that was heard from a victim and holds the next life against it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import Certificate

from ledger.entry import Receipt
from ledger.fsck import fsck
from ledger.guard import Guard
from ledger.log import Sealed
from ledger.note import Checkpoint, Cosigner, LogKeys
from ledger.policy import Policy
from ledger.proof import TlogProof, parse_leaf
from ledger.read import LogReader, State
from ledger.recovery import rebuild_edge
from ledger.snapshot import Snapshot
from ledger.sqlite import SqliteStore
from signing.ca import Office, open_office
from signing.certificates import encode
from signing.keys import Secret as Passphrase
from signing.tokens import read_token
from tests.ledger import neighbours, victim
from tests.ledger.neighbours import Unit, memory, to_secret
from tests.ledger.victim import CALLERS, Orders, steps_taken
from tests.signing.cast import PASSPHRASE, profile

LONGEST_LIFE_S = 0.35
PATIENCE_S = 60.0

_CONTEXT = multiprocessing.get_context("forkserver")


def found_office(directory: Path) -> Office:
    """Where the timestamp authority's certificate is from."""
    return open_office(
        directory, profile(), Passphrase(PASSPHRASE), clock=lambda: time.time_ns() // 1_000_000
    )


@dataclass(slots=True)
class Town:
    """Two processes that die, and what was heard from them."""

    directory: Path
    keys: LogKeys
    office: Office
    witnesses: list[Cosigner] = field(
        default_factory=lambda: [Cosigner.generate(f"w{number}.example") for number in range(3)]
    )
    receipts: dict[int, Receipt] = field(default_factory=dict)
    sealed: dict[int, Sealed] = field(default_factory=dict)
    died_in: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _outside: BaseProcess | None = None

    # -- the outside --------------------------------------------------------------------------

    def open_outside(self) -> None:
        """Start the witnesses and the authority, again if need be."""
        _CONTEXT.set_forkserver_preload(["tests.ledger.victim", "tests.ledger.neighbours"])
        unit = self.office.tsa
        ours, theirs = _CONTEXT.Pipe()
        self._outside = _CONTEXT.Process(
            target=neighbours.run,
            args=(
                str(self.directory),
                [to_secret(each) for each in self.witnesses],
                [each.vkey for each in self.keys.verifiers],
                Unit(
                    unit.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
                    encode(unit.certificate),
                    tuple(encode(each) for each in unit.chain),
                ),
                theirs,
            ),
        )
        self._outside.start()
        theirs.close()
        assert ours.poll(PATIENCE_S)
        self.port = ours.recv()

    def kill_outside(self) -> None:
        if self._outside is not None:
            assert self._outside.pid is not None
            os.kill(self._outside.pid, signal.SIGKILL)
            self._outside.join()
            self._outside = None

    @property
    def policy(self) -> Policy:
        """Two of the three, each with both of its keys."""
        lines = []
        for each in self.witnesses:
            url = f"http://127.0.0.1:{self.port}/{each.name}"
            first, second = (key.vkey for key in each.verifiers)
            lines += [
                f"witness {each.name}/a {first} {url}",
                f"witness {each.name}/b {second} {url}",
                f"group {each.name} all {each.name}/a {each.name}/b",
            ]
        names = " ".join(each.name for each in self.witnesses)
        lines += [f"group enough 2 {names}", "quorum enough"]
        return Policy.parse("\n".join(lines).encode())

    @property
    def roots(self) -> list[Certificate]:
        return [self.office.root]

    # -- lives --------------------------------------------------------------------------------

    def orders(self, die: str | None = None) -> Orders:
        return Orders(
            str(self.directory),
            to_secret(self.keys),
            self.policy.text.encode(),
            f"http://127.0.0.1:{self.port}/timestamp",
            tuple(encode(each) for each in self.roots),
            max(self.receipts, default=-CALLERS) + CALLERS,
            die,
        )

    def live_and_die(self, chance: random.Random) -> None:
        """A life of the office that ends at a random moment; sometimes the outside's ends too."""
        in_opening, outside_too = chance.random() < 0.15, chance.random() < 0.25
        process, pipe = self._start(self.orders())
        if not in_opening:
            self._await_open(pipe)
        if outside_too:
            self._listen(pipe, until=time.monotonic() + chance.random() * LONGEST_LIFE_S / 2)
            self.kill_outside()
        self._listen(pipe, until=time.monotonic() + chance.random() * LONGEST_LIFE_S)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        self._bury(process, pipe)
        if outside_too:
            self.open_outside()

    def die_at(self, moment: str) -> None:
        """A life that ends at its own hand, just before or after a step."""
        process, pipe = self._start(self.orders(die=moment))
        self._listen(pipe, until=time.monotonic() + PATIENCE_S)
        self._bury(process, pipe)

    def live_until_sealed(self) -> int:
        """A life in which a seal is heard of; the number of what was sealed."""
        process, pipe = self._start(self.orders())
        before = set(self.sealed)
        ends = time.monotonic() + PATIENCE_S
        while set(self.sealed) == before:
            assert time.monotonic() < ends, "nothing was sealed"
            self._listen(pipe, until=time.monotonic() + 0.05)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        self._bury(process, pipe)
        return min(set(self.sealed) - before)

    def _start(self, orders: Orders) -> tuple[BaseProcess, Connection]:
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=victim.run, args=(orders, theirs))
        process.start()
        theirs.close()
        assert ours.poll(PATIENCE_S)  # "begun": its life is counted from there
        return process, ours

    def _await_open(self, pipe: Connection) -> None:
        """However long a busy machine takes to open it: a life begins there."""
        while True:
            assert pipe.poll(PATIENCE_S)
            what, number, said = pipe.recv()
            if what == "open":
                return
            self._hear(what, number, said)

    def _listen(self, pipe: Connection, *, until: float) -> None:
        """Take down what is promised, to a moment or to the victim's end."""
        try:
            while pipe.poll(max(0.0, until - time.monotonic())):
                self._hear(*pipe.recv())
                if time.monotonic() > until:
                    return
        except (EOFError, ConnectionResetError):
            return

    def _hear(self, what: str, number: int, said: object) -> None:
        if isinstance(said, Receipt):
            assert self.receipts.setdefault(number, said) == said
        elif isinstance(said, Sealed):
            assert self.sealed.setdefault(number, said) == said

    def _bury(self, process: BaseProcess, pipe: Connection) -> None:
        self._listen(pipe, until=time.monotonic() + PATIENCE_S)  # what was in the pipe counts
        process.join(PATIENCE_S)
        assert process.exitcode == -signal.SIGKILL, f"it ended by itself: {process.exitcode}"
        self.died_in.update(steps_taken(self.orders().steps) or ["between steps"])

    # -- what must hold -----------------------------------------------------------------------

    def inspect(self) -> None:
        """Hold the dead office's files, and the witnesses' memories, against all that was heard."""
        database = self.orders().database
        with Snapshot.of(database) as snapshot:
            report = fsck(snapshot, self.keys.verifiers)
            signed = snapshot.checkpoints()
        assert report.findings == ()
        store = SqliteStore(database)
        try:
            edge = rebuild_edge(store)
            reader = LogReader(store, lambda: State(edge, None))
            self._require_receipts(store)
            shown = [Checkpoint.unverified(note) for _, note in signed]
            shown += self._cosigned()
            mark = Guard(self.orders().guard, self.keys.origin).read()
            if mark is not None:  # it may lead the checkpoints, and never stand behind them
                shown.append(Checkpoint(self.keys.origin, mark.size, bytes.fromhex(mark.root)))
                assert all(checkpoint.size <= mark.size for checkpoint in shown)
            for checkpoint in shown:  # one history: whatever anybody was shown is its beginning
                assert checkpoint.size <= edge.size
                assert reader.root(checkpoint.size) == checkpoint.root
        finally:
            store.close()

    def _require_receipts(self, store: SqliteStore) -> None:
        by_index = {receipt.index: receipt for receipt in self.receipts.values()}
        assert len(by_index) == len(self.receipts)
        leaves = store.leaves(0, store.size())
        for index, receipt in by_index.items():
            assert parse_leaf(leaves[index], index=index).hash == receipt.leaf_hash

    def _cosigned(self) -> list[Checkpoint]:
        found = []
        for each in self.witnesses:
            path = memory(self.directory, each.name)
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                rows = connection.execute("SELECT size, root FROM cosigned").fetchall()
                (contradictions,) = connection.execute("SELECT count(*) FROM evidence").fetchone()
            connection.close()
            assert contradictions == 0
            found += [Checkpoint(self.keys.origin, size, root) for size, root in rows]
        return found

    def verify_seals(self) -> None:
        """Check every seal that was handed out as a stranger would, offline."""
        policy = self.policy
        for number, sealed in self.sealed.items():
            proof = TlogProof(sealed.index, sealed.inclusion, sealed.checkpoint)
            assert proof.verify(sealed.leaf, self.keys.verifiers).size == sealed.tree_size
            assert self.receipts[number].index == sealed.index
            assert policy.holds(sealed.checkpoint)
            assert sealed.timestamp is not None
            digest = sha256(sealed.checkpoint.encode()).digest()
            read_token(sealed.timestamp, digest=digest, roots=self.roots)
