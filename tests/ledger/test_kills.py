"""kill -9, again and again: nothing that was acknowledged is lost, and every start is clean."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ledger.entry import Receipt
from ledger.fsck import fsck
from ledger.log import Log
from ledger.note import LogKeys
from ledger.snapshot import Snapshot
from ledger.sqlite import SqliteStore
from tests.ledger import victim
from tests.ledger.house import NOON, submission

KILLS = 21


async def test_killed_again_and_again_it_loses_nothing(tmp_path: Path, keys: LogKeys) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ledger.victim"])
    chance = random.Random(20_261_123)
    secret = (
        keys.origin,
        keys.ed25519.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
        keys.mldsa44.private_bytes_raw(),
    )
    acknowledged: dict[int, Receipt] = {}
    start = 0
    for _ in range(KILLS):
        ours, theirs = context.Pipe()
        process = context.Process(target=victim.run, args=(str(tmp_path), secret, start, theirs))
        process.start()
        theirs.close()
        enough = chance.randrange(1, 40)
        killed = False
        try:
            while True:
                number, index, leaf_hash = ours.recv()
                acknowledged[number] = Receipt(index, leaf_hash)
                enough -= 1
                if enough == 0:
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
                    killed = True
        except EOFError:
            pass  # what was in the pipe when it died has been read
        process.join()
        assert killed
        assert process.exitcode == -signal.SIGKILL
        start = max(acknowledged) + 1
        with Snapshot.of(tmp_path / "ledger.db") as snapshot:
            report = fsck(snapshot, keys.verifiers)
        assert report.findings == ()
        assert report.entries >= len(acknowledged)
    log = await Log.open(
        SqliteStore(tmp_path / "ledger.db"),
        keys=keys,
        guard=tmp_path / "guard",
        clock=lambda: NOON,
    )
    size = log.size
    again = {n: await log.append(submission(n, case=n % 5)) for n in acknowledged}
    assert again == acknowledged
    assert log.size == size
    await log.close()
    assert len(acknowledged) >= KILLS
