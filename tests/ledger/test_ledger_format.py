"""The example in docs/ledger-format.md is true, and the example's example is whole."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.entry import Leaf, commitment, commitment_sm3, derive_salt, sm3
from ledger.merkle import Edge, leaf_hash
from ledger.note import Verifier, open_checkpoint
from ledger.policy import Policy
from ledger.proof import TlogProof, parse_leaf, verify_case
from ledger.sm2 import Sm2Verifier, available

DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger-format.md"


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    """The fenced blocks by their names."""
    text = DOCUMENT.read_text("utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 10
    return dict(found)


def test_leaves_hashes_and_root(blocks: dict[str, str]) -> None:
    leaves = blocks["leaf"].encode().splitlines()
    edge = Edge()
    for leaf in leaves:
        edge.append(leaf_hash(leaf), [])
    assert [leaf_hash(leaf).hex() for leaf in leaves] + [edge.root().hex()] == (
        blocks["hashes"].split()
    )
    verify_case([Leaf.parse(leaf) for leaf in leaves], case=Leaf.parse(leaves[0]).case, count=2)


def test_commitment(blocks: dict[str, str]) -> None:
    salt = derive_salt(bytes(range(32)), "video/1")
    committed = commitment(salt, sha256(b"a cluster of video").digest())
    beside = commitment_sm3(salt, sm3(b"a cluster of video"))
    assert [salt.hex(), committed, beside] == blocks["commitment"].split()
    second = Leaf.parse(blocks["leaf"].encode().splitlines()[1])
    assert second.body["items"][0]["sha256"] == committed


def test_checkpoint_and_proof(blocks: dict[str, str]) -> None:
    verifier = Verifier.parse(blocks["vkey"].strip())
    checkpoint = open_checkpoint(blocks["note"], [verifier])
    assert (checkpoint.size, checkpoint.root.hex()) == (2, blocks["hashes"].split()[2])
    proof = TlogProof.parse(blocks["proof"])
    assert proof.checkpoint == blocks["note"]
    leaf = blocks["leaf"].encode().splitlines()[1]
    assert proof.verify(leaf, [verifier]) == checkpoint
    assert parse_leaf(leaf, index=proof.index).time == 1_795_442_400_250


def test_the_sm2_line(blocks: dict[str, str]) -> None:
    verifier = Sm2Verifier.parse(blocks["sm2vkey"].strip())
    note = blocks["note"] + blocks["sm2line"]
    assert verifier.line_of(note) == ("held" if available() else "unchecked")
    assert open_checkpoint(note, [Verifier.parse(blocks["vkey"].strip())]).size == 2


def test_witness_and_policy(blocks: dict[str, str]) -> None:
    policy = Policy.parse(blocks["policy"].encode())
    (signature,) = policy.cosignatures(blocks["note"] + blocks["cosignature"])
    assert signature.time == 1_795_442_401
    assert policy.holds(blocks["note"] + blocks["cosignature"])
    assert not policy.holds(blocks["note"])
