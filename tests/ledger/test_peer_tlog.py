"""Our mirror, audited by somebody else's program.

`aics-tlog` verifies C2SP logs; it is by other people. It needs Python 3.12, so it lives in an
environment of its own:

    python3.12 -m venv .peers && .peers/bin/pip install aics-tlog==0.2.1
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger.mirror import mirror
from ledger.note import LogKeys
from ledger.tiles import Mirror
from server.cli.log_site import LogSite
from tests.conftest import ROOT
from tests.ledger.large import write_log
from tests.ledger.site import serve

PEERS = Path(os.environ.get("FARSEAL_PEERS", ROOT / ".peers")) / "bin"
pytestmark = pytest.mark.skipif(
    not (PEERS / "aics-tlog").exists(),
    reason="aics-tlog is not installed (see this file's first lines)",
)
SIZES = (300, 66_000)
EVERY_TILE = """
import sys
from aics_tlog import DirectoryTileStore, audit_tiles
audit_tiles(DirectoryTileStore(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def copy(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror that has grown once, through three levels of tiles."""
    directory = tmp_path_factory.mktemp("peer")
    for size in SIZES:
        write_log(directory / str(size), keys, size)
        with serve(directory / str(size)) as url:
            mirror(LogSite(url), directory / "mirror", keys.verifiers)
    return directory / "mirror"


def theirs(keys: LogKeys, command: str, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a command of theirs, given our Ed25519 key."""
    key = ("--log-key", keys.verifiers[0].vkey)
    done = subprocess.run(
        [PEERS / "aics-tlog", command, *key, *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, json.loads(done.stdout)


def test_they_find_every_tile_in_order(copy: Path, keys: LogKeys) -> None:
    view = Mirror.at(copy).open(keys.verifiers)
    root = view.checkpoint.root.hex()
    command = [PEERS / "python", "-c", EVERY_TILE, copy, str(view.size), root]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    other = [*command[:-1], "00" * 32]
    assert subprocess.run(other, capture_output=True).returncode != 0


@pytest.mark.parametrize("index", [0, 299, 65_535, 65_536, 65_999])
def test_they_prove_an_entry_out_of_our_mirror(
    copy: Path, keys: LogKeys, tmp_path: Path, index: int
) -> None:
    with serve(copy) as url:
        code, answer = theirs(
            keys,
            "verify-inclusion",
            *("--tiles", url, "--index", str(index), "--entry-out", tmp_path / "entry"),
        )
    assert code == 0, answer
    ours = Mirror.at(copy).open(keys.verifiers).leaf(index)
    assert (tmp_path / "entry").read_bytes() == ours.data


def test_they_find_that_it_only_grew(copy: Path, keys: LogKeys) -> None:
    old = ("--old-checkpoint", copy / "checkpoints/300")
    code, answer = theirs(keys, "verify-consistency", "--tiles", copy, *old)
    assert code == 0, answer


def test_they_refuse_what_was_changed(copy: Path, keys: LogKeys) -> None:
    bundle = copy / "tile/entries/007"
    before = bundle.read_bytes()
    bundle.write_bytes(before[:100] + bytes([before[100] ^ 1]) + before[101:])
    try:
        code, _ = theirs(keys, "verify-inclusion", "--tiles", copy, "--index", str(7 * 256))
    finally:
        bundle.write_bytes(before)
    assert code == 1
    assert theirs(keys, "verify-inclusion", "--tiles", copy, "--index", str(7 * 256))[0] == 0
