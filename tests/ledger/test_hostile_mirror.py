"""A mirror by somebody who means harm, or spoiled anywhere: the audit ends, and names it."""

from __future__ import annotations

import os
import random
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

import pytest

from ledger.audit import Quorum, audit
from ledger.errors import MirrorError, NotFoundError
from ledger.folder import read_file
from ledger.generations import Keybook, KnownLog
from ledger.merkle import Edge
from ledger.mirror import mirror
from ledger.note import Checkpoint, Cosigner, LogKeys, Verifier, sign_checkpoint
from ledger.policy import Policy
from ledger.tiles import export, tile_path
from tests.ledger.commands import run
from tests.ledger.house import NOON, Office
from tests.ledger.large import write_log
from tests.ledger.outside import Outside
from tests.ledger.test_rotation import rotated

LARGE = 1 << 30


@pytest.fixture(scope="module")
def log(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hostile") / "log"
    write_log(directory, keys, 700, checkpoints=(300,))
    return directory


@pytest.mark.parametrize("kind", ["endless", "loop", "pipe", "folder", "sparse", "elsewhere"])
@pytest.mark.parametrize(
    "where",
    ["tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001", "checkpoints/300"],
)
def test_what_is_no_file_is_named_and_not_waited_for(
    log: Path, tmp_path: Path, key: Path, where: str, kind: str
) -> None:
    target = Path(shutil.copytree(log, tmp_path / "log"))
    path = target / where
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(LARGE)
    else:
        path.symlink_to({"endless": "/dev/zero", "loop": path, "elsewhere": "/etc/passwd"}[kind])
    code, out, _ = run("audit", target, "--key", key)
    name = {"tile/entries/001": "entry 256", "checkpoints/300": "300"}.get(where, where[5:10])
    assert (code, name in out) == (1, True)


def test_no_more_is_read_than_shows_that_a_file_is_too_long(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(LARGE)
    assert read_file(tmp_path / "sparse", 100) == bytes(101)
    with pytest.raises(FileNotFoundError):
        read_file(Path("/dev/zero"), 100)


def _unnoticed(
    directory: Path, keys: Iterable[Verifier], policy: Quorum | None = None, *, each: int
) -> list[str]:
    """Flip `each` bits of every file, one at a time; those that the audit did not see."""
    hand, unseen, keys = random.Random(3), [], tuple(keys)
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        before = path.read_bytes()
        for _ in range(each):
            changed, at, bit = bytearray(before), hand.randrange(len(before)), hand.randrange(8)
            changed[at] ^= 1 << bit
            path.write_bytes(changed)
            if audit(directory, keys, policy=policy, workers=1).clean:
                unseen.append(f"{path.relative_to(directory)} {at} {bit}")
        path.write_bytes(before)
    return unseen


def test_no_flipped_bit_goes_unnoticed(log: Path, tmp_path: Path, keys: LogKeys) -> None:
    target = Path(shutil.copytree(log, tmp_path / "log"))
    assert audit(target, keys.verifiers).clean
    assert _unnoticed(target, keys.verifiers, each=12) == []


async def test_a_spoiled_handover_is_named(office: Office, tmp_path: Path, keys: LogKeys) -> None:
    fresh = LogKeys.generate(keys.origin)
    await rotated(office, keys, fresh)
    target = tmp_path / "mirror"
    export(office.opened[-1].reader, target)
    told = Keybook((KnownLog(keys.origin, office.opened[-1].generations),))
    for known in (keys.verifiers, told):
        assert [each.where for each in audit(target, known).findings] == []
        path = target / "keys/1"
        before = path.read_bytes()
        spoiled = bytearray(before)
        spoiled[len(spoiled) // 2] ^= 1
        path.write_bytes(spoiled)
        assert "keys/1" in [each.where for each in audit(target, known).findings]
        path.write_bytes(before)


def test_a_false_line_under_an_older_note_is_named(
    log: Path, tmp_path: Path, keys: LogKeys
) -> None:
    target = Path(shutil.copytree(log, tmp_path / "log"))
    outside = Outside(keys)
    witness: Cosigner = outside.add("w0.example").keys
    policy: Policy = outside.policy(1)
    for where in ("checkpoint", "checkpoints/300", "checkpoints/700"):
        note = (target / where).read_text()
        lines = witness.cosign(Checkpoint.unverified(note).text, at=NOON)
        (target / where).write_text(note + lines)
    done = audit(target, keys.verifiers, policy=policy)
    assert (done.findings, done.witnessed) == ((), 700)
    path = target / "checkpoints/300"
    head, _, last = path.read_text().rstrip("\n").rpartition(" ")
    data = bytearray(b64decode(last))
    data[-1] ^= 1
    path.write_text(f"{head} {b64encode(data).decode()}\n")
    done = audit(target, keys.verifiers, policy=policy)
    assert [(each.check, each.where) for each in done.findings] == [
        ("witnesses", "checkpoints/300")
    ]
    assert done.witnessed == 700


def test_a_log_that_signs_an_endless_tree_fills_no_memory(keys: LogKeys, tmp_path: Path) -> None:
    size = 3 << 48
    row = [bytes([number]) * 32 for number in range(3)]
    root = Edge(size, [*([] for _ in range(6)), row]).root()
    note = sign_checkpoint(keys, size=size, root=root, at=NOON)
    files = {"checkpoint": note.encode(), tile_path(6, 0, 3): b"".join(row)}

    def fetch(path: str, most: int) -> bytes:
        if path not in files:
            raise NotFoundError(path)
        return files[path]

    with pytest.raises(NotFoundError, match="tile/5/000"):
        mirror(fetch, tmp_path / "mirror", keys.verifiers)
    (tmp_path / "mirror/checkpoint").write_text(note)
    with pytest.raises(MirrorError, match="are here"):
        audit(tmp_path / "mirror", keys.verifiers)
