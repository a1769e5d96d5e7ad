"""Leaves are read fast in an audit, and as strictly as by the reader that reads them in full."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.audit import audit
from ledger.bodies import Bodies
from ledger.entry import NO_HASH, Leaf, canonical_json, parse_canonical
from ledger.errors import EntryError
from ledger.merkle import leaf_hash
from ledger.note import LogKeys, sign_checkpoint
from ledger.tiles import ENTRIES, tile_path, write_bundle
from tests.ledger.house import NOON
from tests.ledger.large import leaves

BODIES = st.sampled_from(
    [
        {"kind": "segment", "n": 5, "items": [{"name": "a", "sha256": "0f"}]},
        {"kind": "segment", "n": -7, "items": [{"name": "b", "sha256": ""}]},
        {"kind": "said", "text": "第一条\n", "ok": True, "none": None},
        {"kind": "x", "deep": [[["y"]], {}], "n": 10**15},
    ]
)


@given(st.lists(st.tuples(BODIES, st.integers(0, 200), st.binary(max_size=3)), max_size=30))
@settings(deadline=None, max_examples=400)
def test_bodies_that_look_alike_are_read_as_strictly(
    bodies: list[tuple[dict[str, object], int, bytes]],
) -> None:
    """Whatever the shapes let through, the strict reader takes too, and the other way round."""
    reader = Bodies()
    for value, at, put in bodies:
        body = canonical_json(value)
        body = body[:at] + put + body[at + len(put) :]
        try:
            strict = tuple(parse_canonical(b'{"body":%b}' % body)) == ("body",)
        except EntryError:
            strict = False
        try:
            reader.require(body)
            quick = True
        except EntryError:
            quick = False
        assert quick == strict


def test_nesting_counts_from_the_leaf() -> None:
    for depth, fits in ((31, True), (32, False)):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        if fits:
            Bodies().require(body)
        else:
            with pytest.raises(EntryError):
                Bodies().require(body)


@pytest.mark.parametrize("after", [b',"bodz":{}', b',"c":1', b"},{", b" ", b"}"])
def test_nothing_comes_after_a_body(after: bytes) -> None:
    """A key that sorts behind `body` would be a leaf's own."""
    reader = Bodies()
    reader.require(b'{"a":{}}')
    for body in (b'{"a":{}}' + after, b"{}" + after, b"{}" + after + b"{}"):
        with pytest.raises(EntryError):
            reader.require(body)


LEAF = next(leaves(1))
PIECES = st.sampled_from(
    [
        b'"',
        b"{}",
        b',"c":1',
        b',"bodz":{}',
        b"0",
        b"-0",
        b"1e3",
        b" ",
        b"\\u0041",
        b"\xff",
        b"A",
        b"",
    ]
)


@given(st.integers(0, len(LEAF)), st.integers(0, 3), PIECES)
@example(at=LEAF.index(b',"case":'), cut=0, piece=b',"bodz":{}')
@example(at=LEAF.index(b'"time":') + 7, cut=0, piece=b"999")
@example(at=LEAF.index(b'"event":"') + 9, cut=1, piece=b"A")
@settings(deadline=None, max_examples=200)
def test_what_an_audit_lets_through_is_a_leaf(
    keys: LogKeys, at: int, cut: int, piece: bytes
) -> None:
    """A log may sign any bytes; an audit that finds nothing has found a leaf of version 1."""
    data = LEAF[:at] + piece + LEAF[at + cut :]
    root = leaf_hash(data)
    with TemporaryDirectory() as name:
        directory = Path(name)
        for level, content in ((0, root), (ENTRIES, write_bundle([data]))):
            path = directory / tile_path(level, 0, 1)
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        note = sign_checkpoint(keys, size=1, root=root, at=NOON)
        (directory / "checkpoint").write_text(note, "utf-8")
        done = audit(directory, keys.verifiers)
    try:
        leaf = Leaf.parse(data)
        follows = (leaf.index, leaf.case_seq, leaf.prev, leaf.case_prev) == (0, 0, NO_HASH, NO_HASH)
    except EntryError:
        follows = False
    assert done.clean == follows
