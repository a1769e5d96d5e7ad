"""A verifier written from the document alone checks its examples and our mirrors."""

from __future__ import annotations

import ast
import random
import shutil
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from ledger.note import LogKeys
from tests.ledger import second_verifier as second
from tests.ledger.large import write_log
from tests.ledger.test_ledger_format import blocks

__all__ = ["blocks"]
SIZE = 700


@pytest.fixture(scope="module")
def log(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("second") / "log"
    write_log(directory, keys, SIZE, checkpoints=(1, 256, 600))
    return directory


def test_it_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(second.__file__).read_text("utf-8"))
    names = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    names |= {
        alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.Import)
        for alias in each.names
    }
    roots = {str(name).split(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_finds_the_examples_true(blocks: dict[str, str]) -> None:
    leaves = blocks["leaf"].encode().splitlines()
    hashes = [second.leaf_hash(leaf) for leaf in leaves]
    root = second.root_of(hashes)
    assert [each.hex() for each in (*hashes, root)] == blocks["hashes"].split()
    entries = second.check_chains(leaves)
    salt, committed = second.commit(bytes(range(32)), "video/1", b"a cluster of video")
    assert [salt, committed] == blocks["commitment"].split()[:2]
    assert entries[1]["body"]["items"][0]["sha256"] == committed
    key = second.read_vkey(blocks["vkey"].strip())
    assert second.open_note(blocks["note"], [key]) == (key.name, 2, root)
    assert second.check_proof(blocks["proof"], leaves[1], [key]) == 1
    witness = second.read_vkey(blocks["policy"].split()[2])
    assert second.signers(blocks["note"] + blocks["cosignature"], [witness])[1] == [witness]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE])
def test_it_reads_a_mirror(tmp_path: Path, keys: LogKeys, size: int) -> None:
    write_log(tmp_path / "log", keys, size, checkpoints=(size // 2,) if size else ())
    vkeys = [each.vkey for each in keys.verifiers]
    assert len(second.read_mirror(tmp_path / "log", vkeys)) == size


@pytest.mark.parametrize("seed", range(25))
def test_it_finds_a_flipped_bit(log: Path, tmp_path: Path, keys: LogKeys, seed: int) -> None:
    """In an entry, a tile or a root; a bit of a signature too."""
    chance = random.Random(seed)
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    path = chance.choice(sorted(each for each in copy.rglob("*") if each.is_file()))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
    path.write_bytes(data)
    with pytest.raises((AssertionError, ValueError, InvalidSignature, UnicodeDecodeError)):
        second.read_mirror(copy, [each.vkey for each in keys.verifiers])
