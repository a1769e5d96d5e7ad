"""Canonical bytes, leaves and commitments."""

from __future__ import annotations

import hmac
import json
from enum import StrEnum
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import (
    NO_HASH,
    Leaf,
    Submission,
    canonical_json,
    commitment,
    derive_salt,
    leaf_front,
    parse_canonical,
    splice_leaf,
)
from ledger.errors import EntryError

ascii_keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_keys, inner, max_size=4),
    max_leaves=20,
)
bodies = st.dictionaries(ascii_keys, values, max_size=5)


@given(values)
@settings(deadline=None)
def test_canonical_bytes_are_those_of_the_rfc8785_package(value: Any) -> None:
    data = canonical_json(value)
    assert data == rfc8785.dumps(value)
    assert parse_canonical(data) == value


@given(bodies, st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
@settings(deadline=None)
def test_a_spliced_leaf_is_canonical_and_reads_back(body: Any, index: int, time: int) -> None:
    fields: dict[str, Any] = {
        "case": "1" * 32,
        "case_prev": NO_HASH,
        "case_seq": 0,
        "event": "2" * 32,
        "index": index,
        "prev": "3" * 64,
        "time": time,
    }
    names = ("case_seq", "index", "time")
    data = splice_leaf(
        leaf_front(canonical_json(body), fields["case"]),
        **{name: fields[name] for name in names},
        **{name: fields[name].encode() for name in ("case_prev", "event", "prev")},
    )
    assert data == rfc8785.dumps(fields | {"body": body, "v": 1})
    leaf = Leaf.parse(data)
    assert leaf.body == body
    assert (leaf.index, leaf.time, leaf.case_seq) == (index, time, 0)
    assert leaf.hash == sha256(b"\0" + data).hexdigest()
    assert not data.startswith(leaf_front(canonical_json(body), "4" * 32))


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {"\ud800": 1},
        {"中": 1},
        {1: 2},
        {None: 2},
        {"a": {1.5}},
        b"bytes",
        object(),
        deep(33),
        deep(5000),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(EntryError):
        canonical_json({"value": value})


def test_texts_in_any_script_and_text_enums_are_taken() -> None:
    class Kind(StrEnum):
        EVIDENCE = "evidence"

    assert canonical_json({"k": Kind.EVIDENCE, "n": ("远证", True, None)}) == (
        '{"k":"evidence","n":["远证",true,null]}'.encode()
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a": 1}',
        '{"b":1,"a":2}',
        '{"a":1e400}',
        '{"a":NaN}',
        '{"a":-0}',
        '{"a":1.0}',
        '{"a":"\\u0061"}',
        '{"a":"\\ud800"}',
        '{"a":1}\n',
        "\ufeff{}",
        "",
        "[" * 100_000,
    ],
)
def test_other_spellings_of_json_are_refused_at_the_door(text: str) -> None:
    with pytest.raises(EntryError):
        parse_canonical(text.encode())


def leaf_with(**changes: object) -> bytes:
    leaf: dict[str, object] = {
        "body": {"kind": "evidence"},
        "case": "1" * 32,
        "case_prev": NO_HASH,
        "case_seq": 0,
        "event": "2" * 32,
        "index": 0,
        "prev": NO_HASH,
        "time": 0,
        "v": 1,
    }
    return canonical_json({k: v for k, v in (leaf | changes).items() if v is not ...})


def test_the_plain_leaf_of_these_tests_is_one() -> None:
    assert Leaf.parse(leaf_with()).body == {"kind": "evidence"}


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": True, "index": ...},
        {"extra": 1},
        {"time": ...},
        {"index": -1},
        {"index": "0"},
        {"time": True},
        {"case": "1" * 31},
        {"case": "G" * 32},
        {"event": 5},
        {"prev": "A" * 64},
        {"case_prev": None},
        {"body": []},
        {"body": {"t": "x" * 65_536}},
    ],
)
def test_what_is_not_quite_a_leaf_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(EntryError):
        Leaf.parse(leaf_with(**changes))


@pytest.mark.parametrize("bad", ["", "1" * 31, "1" * 33, "A" * 32, "g" * 32, "1" * 32 + "\n"])
def test_ids_are_32_lowercase_hex(bad: str) -> None:
    with pytest.raises(EntryError):
        Submission("test", bad, "1" * 32, {})
    with pytest.raises(EntryError):
        Submission("test", "1" * 32, bad, {})


def test_the_commitment_is_what_the_format_says() -> None:
    key, content = bytes(range(32)), sha256(b"a picture").digest()
    # HKDF by hand (RFC 5869): extract with an empty salt, expand one block.
    prk = hmac.digest(bytes(32), key, "sha256")
    salt = hmac.digest(prk, b"video/1\x01", "sha256")
    assert derive_salt(key, "video/1") == salt
    expected = sha256(b"ledger/commit/v1\0" + salt + content).hexdigest()
    assert commitment(salt, content) == expected
    assert commitment(derive_salt(key, "video/2"), content) != expected
    with pytest.raises(EntryError):
        commitment(salt[:31], content)
    with pytest.raises(EntryError):
        commitment(salt, content.hex().encode())


def test_a_body_survives_the_json_of_others() -> None:
    leaf = leaf_with(body={"t": 'tab\tquote"back\\slash\u2028\x7f\x1f'})
    assert json.loads(leaf)["body"]["t"] == 'tab\tquote"back\\slash\u2028\x7f\x1f'
    assert Leaf.parse(leaf).data == leaf
