"""The tree against RFC 6962's definition, published vectors, and a library that is not ours."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof, InvalidProof

from ledger.errors import ProofError
from ledger.merkle import (
    EMPTY_ROOT,
    Edge,
    FullTile,
    Tree,
    expand,
    leaf_hash,
    node_hash,
    split_hashes,
    tile_width,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.house import vectors

BOUNDARIES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537)


def reference_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 2.1, as it is written there."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(reference_root(hashes[:k]), reference_root(hashes[k:]))


class Grown:
    """A tree grown leaf by leaf, with its full tiles and the edge at every size asked for."""

    def __init__(self, size: int) -> None:
        self.hashes = [leaf_hash(b"%d" % i) for i in range(size)]
        self.edge = Edge()
        full: list[FullTile] = []
        for hash_ in self.hashes:
            self.edge.append(hash_, full)
        self.full = {(tile.level, tile.number): tile.hashes for tile in full}

    def tile(self, level: int, number: int, width: int) -> list[list[bytes]]:
        stored = self.full.get((level, number))
        hashes = split_hashes(stored) if stored else self.edge.rows[level]
        return expand(hashes[:width])

    def tree(self, size: int) -> Tree:
        return Tree(size, self.tile)


@pytest.fixture(scope="module")
def grown() -> Grown:
    return Grown(65_537 + 300)


def test_reference_tree_has_the_published_roots() -> None:
    data = json.loads(vectors("rfc6962_reference.json").read_text())
    edge = Edge()
    roots = []
    for leaf in data["leaf_inputs"]:
        edge.append(leaf_hash(bytes.fromhex(leaf)), [])
        roots.append(edge.root().hex())
    assert roots == data["roots_by_size_from_1"]
    assert len(roots) == 8


def cases(kind: str) -> list[Path]:
    return sorted(vectors("tdev-merkle", "testdata", kind).rglob("*.json"))


def decoded(text: str | None) -> bytes:
    return b64decode(text) if text else b""


def test_every_published_inclusion_and_consistency_case_is_judged_as_published() -> None:
    judged, wrong = 0, []
    for path in cases("inclusion"):
        data = json.loads(path.read_text())
        judged += 1
        try:
            verify_inclusion(
                index=data["leafIdx"],
                size=data["treeSize"],
                leaf=decoded(data["leafHash"]),
                proof=[decoded(hash_) for hash_ in data["proof"] or []],
                root=decoded(data["root"]),
            )
            refused = False
        except ProofError:
            refused = True
        if refused != data["wantErr"]:
            wrong.append(path.name)
    for path in cases("consistency"):
        data = json.loads(path.read_text())
        judged += 1
        try:
            verify_consistency(
                old=data["size1"],
                new=data["size2"],
                old_root=decoded(data["root1"]),
                new_root=decoded(data["root2"]),
                proof=[decoded(hash_) for hash_ in data["proof"] or []],
            )
            refused = False
        except ProofError:
            refused = True
        if refused != data["wantErr"]:
            wrong.append(path.name)
        if data["size1"] == 0:
            assert refused, path
    assert wrong == []
    assert judged == 196


@given(st.integers(0, 700))
@settings(max_examples=60, deadline=None)
def test_the_edge_has_the_root_of_the_definition(size: int) -> None:
    grown = Grown(size)
    assert grown.edge.root() == reference_root(grown.hashes)
    assert grown.tree(size).root() == grown.edge.root()


@pytest.mark.parametrize("size", BOUNDARIES)
def test_a_tree_at_an_older_size_has_that_size_s_root(grown: Grown, size: int) -> None:
    assert grown.tree(size).root() == reference_root(grown.hashes[:size])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_proofs_hold_and_tampered_ones_do_not(grown: Grown, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(grown.hashes)) | st.sampled_from(BOUNDARIES))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    tree = grown.tree(size)
    root, old_root = tree.root(), grown.tree(old).root()
    inclusion, consistency = tree.inclusion(index), tree.consistency(old)
    leaf = grown.hashes[index]
    verify_inclusion(index=index, size=size, leaf=leaf, proof=inclusion, root=root)
    verify_consistency(old=old, new=size, old_root=old_root, new_root=root, proof=consistency)

    for proof in tampered(inclusion, data):
        with pytest.raises(ProofError):
            verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=root)
    for proof in tampered(consistency, data):
        with pytest.raises(ProofError):
            verify_consistency(old=old, new=size, old_root=old_root, new_root=root, proof=proof)


def tampered(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    wrong = [[*proof, bytes(32)], [bytes(32), *proof], [*proof, b""]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = bytearray(proof[at])
        flipped[bit // 8] ^= 1 << bit % 8
        wrong += [proof[:-1], [*proof[:at], bytes(flipped), *proof[at + 1 :]]]
    return wrong


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_inclusion_proofs_are_accepted_by_pymerkle(grown: Grown, data: st.DataObject) -> None:
    """Its proofs carry the path's shape; we hand it ours, and it recomputes the shape itself."""
    size = data.draw(st.integers(1, len(grown.hashes)))
    index = data.draw(st.integers(0, size - 1))
    tree = grown.tree(size)
    root = tree.root()
    leaf = grown.hashes[index]

    rule, _ = _inclusion_path_layout(index + 1, size)
    proof = InclusionProof("sha256", True, size, index + 1, rule, [leaf, *tree.inclusion(index)])
    proof.verify(leaf, root, index=index + 1, size=size)
    with pytest.raises(InvalidProof):
        proof.verify(leaf, bytes(32))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 5), (5, 5), (6, 5)])
def test_no_proof_outside_the_tree(grown: Grown, index: int, size: int) -> None:
    with pytest.raises(ProofError):
        grown.tree(size).inclusion(index)
    with pytest.raises(ProofError):
        verify_inclusion(index=index, size=size, leaf=bytes(32), proof=[], root=bytes(32))


@pytest.mark.parametrize("old", [0, -1, 11])
def test_consistency_with_nothing_proves_nothing(grown: Grown, old: int) -> None:
    with pytest.raises(ProofError):
        grown.tree(10).consistency(old)
    with pytest.raises(ProofError):
        verify_consistency(old=old, new=10, old_root=EMPTY_ROOT, new_root=bytes(32), proof=[])


def test_an_edge_in_use_is_not_changed_by_its_copy() -> None:
    edge = Grown(300).edge
    root = edge.root()
    copy = edge.copy()
    copy.append(bytes(32), [])
    assert edge.root() == root
    assert copy.root() != root


def test_tile_widths_are_those_of_the_specification() -> None:
    # C2SP tlog-tiles, "Partial Tiles": the example of a tree of 70,000.
    assert [tile_width(0, n, 70_000) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(1, n, 70_000) for n in (0, 1, 2)] == [256, 17, 0]
    assert tile_width(2, 0, 70_000) == 1
    assert (tile_width(0, 0, 256), tile_width(1, 0, 256)) == (256, 1)
