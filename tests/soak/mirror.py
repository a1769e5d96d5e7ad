"""A log of 10**6 entries: mirrored over HTTP, audited, and audited again with one bit flipped."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from ledger.audit import audit, cores
from ledger.mirror import mirror
from ledger.note import LogKeys
from server.cli.log_site import LogSite
from tests.ledger.large import write_log
from tests.ledger.site import serve

ENTRIES = 1_000_000
CHECKPOINTS = (1, 300_000, 65_536 * 8, 999_999)

_T = TypeVar("_T")


def run(say: Callable[[str], None]) -> None:
    keys = LogKeys.generate("soak.example/ledger")
    with TemporaryDirectory(prefix="farseal-soak-") as directory:
        log, copy = Path(directory) / "log", Path(directory) / "copy"
        _timed(say, "written", lambda: write_log(log, keys, ENTRIES, checkpoints=CHECKPOINTS))
        with serve(log) as url:
            _timed(say, "mirrored", lambda: mirror(LogSite(url), copy, keys.verifiers))
        for path in (log / "checkpoints").iterdir():
            (copy / "checkpoints" / path.name).write_bytes(path.read_bytes())
        done = _timed(say, f"audited on {cores()} cores", lambda: audit(copy, keys.verifiers))
        assert (done.size, done.findings) == (ENTRIES, ())
        for kind in ("entries", "0", "1"):
            _flip(copy, kind, keys, say)


def _flip(copy: Path, kind: str, keys: LogKeys, say: Callable[[str], None]) -> None:
    files = sorted(path for path in (copy / "tile" / kind).rglob("*") if path.is_file())
    path = random.choice(files)
    before = path.read_bytes()
    changed = bytearray(before)
    at, bit = random.randrange(len(before)), 1 << random.randrange(8)
    changed[at] ^= bit
    path.write_bytes(changed)
    done = audit(copy, keys.verifiers)
    path.write_bytes(before)
    where = path.relative_to(copy).as_posix()
    say(f"{where}, byte {at} ^ {bit}: {[finding.where for finding in done.findings][:3]}")
    assert done.findings


def _timed(say: Callable[[str], None], what: str, work: Callable[[], _T]) -> _T:
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    say(f"{what}: {ENTRIES:,} entries in {seconds:.1f} s, {ENTRIES / seconds:,.0f}/s")
    return result
