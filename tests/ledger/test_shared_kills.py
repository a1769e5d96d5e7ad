"""Four writers, one PostgreSQL, and whoever leads is killed, again and again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ledger.entry import Leaf
from ledger.fsck import fsck
from ledger.merkle import leaf_hash
from ledger.note import LogKeys
from ledger.snapshot import Snapshot
from tests.ledger import sharer
from tests.ledger.postgresql import Server
from tests.ledger.sharer import Said

WRITERS = 4
KILLS = 4
TAKEOVER_S = 5.0
LIFE = 1_000_000
"""The numbers of one life's submissions are apart from those of another's."""

_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(slots=True)
class House:
    """The writers, and all that they were told."""

    url: str
    directory: Path
    secret: tuple[str, bytes, bytes]
    said: list[Said] = field(default_factory=list)
    running: dict[Connection, tuple[int, BaseProcess]] = field(default_factory=dict)
    lives: int = 0

    def start(self, writer: int) -> None:
        ours, theirs = _CONTEXT.Pipe()
        guard = self.directory / f"guard-{writer}"
        if self.lives and not guard.exists():  # whoever joins brings a guard
            guard.write_bytes((self.directory / "guard-0").read_bytes())
        args = (self.url, str(guard), self.secret, self.lives * LIFE, theirs)
        process = _CONTEXT.Process(target=sharer.run, args=args)
        process.start()
        theirs.close()
        self.lives += 1
        self.running[ours] = writer, process

    def hear(self) -> list[tuple[Connection, Said]]:
        """What was said next; nobody may be silent for longer than a takeover."""
        ready = wait(list(self.running), timeout=30)
        assert ready, "nobody says anything any more"
        heard = []
        for pipe in ready:
            assert isinstance(pipe, Connection)
            try:
                heard.append((pipe, pipe.recv()))
            except EOFError:
                writer, process = self.running[pipe]
                raise AssertionError(f"writer {writer} ended by itself: {process}") from None
        self.said += [each for _, each in heard]
        return heard

    def leader_after(self, moment: float, *, all_spoke: bool) -> tuple[Connection, float]:
        """Who was the first to lead after a moment, and when; wait until all have been answered."""
        spoke: set[Connection] = set()
        first: tuple[Connection, float] | None = None
        while first is None or (all_spoke and spoke != set(self.running)):
            for pipe, said in self.hear():
                if said.at > moment:
                    spoke.add(pipe)
                    if said.led and first is None:
                        first = pipe, said.at
        return first

    def kill(self, pipe: Connection) -> tuple[int, float]:
        writer, process = self.running.pop(pipe)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        self._drain(pipe)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        return writer, killed

    def stop(self) -> None:
        for pipe in self.running:
            pipe.send("stop")
        for pipe, (_, process) in self.running.items():
            self._drain(pipe)
            process.join()
            assert process.exitcode == 0
        self.running.clear()

    def _drain(self, pipe: Connection) -> None:
        try:
            while True:
                self.said.append(pipe.recv())
        except (EOFError, ConnectionResetError):
            pass


def test_a_killed_leader_is_followed_within_5_s_and_nothing_is_lost(
    postgresql: Server, tmp_path: Path, keys: LogKeys
) -> None:
    _CONTEXT.set_forkserver_preload(["tests.ledger.sharer"])
    secret = (
        keys.origin,
        keys.ed25519.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
        keys.mldsa44.private_bytes_raw(),
    )
    house = House(postgresql.fresh(), tmp_path, secret)
    takeovers = []
    try:
        house.start(0)
        house.leader_after(0, all_spoke=True)
        for writer in range(1, WRITERS):
            house.start(writer)
        leader, _ = house.leader_after(0, all_spoke=True)
        for _ in range(KILLS):
            writer, killed = house.kill(leader)
            leader, led = house.leader_after(killed, all_spoke=True)
            takeovers.append(led - killed)
            house.start(writer)
        house.leader_after(time.monotonic(), all_spoke=True)
        house.stop()
    finally:
        for _, process in house.running.values():  # only when something failed
            process.kill()
            process.join()
    print("takeovers:", ", ".join(f"{each:.2f} s" for each in takeovers))
    assert len(takeovers) == KILLS
    assert max(takeovers) < TAKEOVER_S
    with Snapshot.of(house.url) as snapshot:
        report = fsck(snapshot, keys.verifiers)
        leaves = [row.leaf for row in snapshot.entries()]
    assert report.findings == ()
    assert len(leaves) >= len(house.said) > WRITERS * KILLS
    for said in house.said:
        assert leaf_hash(leaves[said.index]).hex() == said.leaf_hash
        assert Leaf.parse(leaves[said.index]).body["n"] == said.number
    events = [Leaf.parse(leaf).event for leaf in leaves]
    assert len(set(events)) == len(events)
