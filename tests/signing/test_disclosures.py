"""Opening commitments: by SHA-256, by SM3 where it stands beside, and no more said than checked."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from ledger.entry import (
    NO_HASH,
    Leaf,
    canonical_json,
    commitment,
    commitment_sm3,
    leaf_front,
    sm3,
    splice_leaf,
)
from signing.proofs import Chain, Disclosed, require_disclosed
from signing.report import Failed

CASE, EVENT, SALT, CONTENT = "c" * 32, "e" * 32, bytes(range(32)), b"seen and heard"
BY_SHA256 = commitment(SALT, sha256(CONTENT).digest())
BY_SM3 = commitment_sm3(SALT, sm3(CONTENT))


def chain(**digests: str) -> Chain:
    """A chain of one entry with one item, under these commitments."""
    body = canonical_json({"items": [{"name": "frame", **digests}], "kind": "evidence"})
    zeros = NO_HASH.encode()
    data = splice_leaf(
        leaf_front(body, CASE),
        case_prev=zeros,
        case_seq=0,
        event=EVENT.encode(),
        index=0,
        prev=zeros,
        time=1,
    )
    return Chain(CASE, (Leaf.parse(data),))


def opening(**shown: str) -> dict[str, str]:
    return {"event": EVENT, "name": "frame", "salt": SALT.hex(), **shown}


DIGESTS = {"sha256": sha256(CONTENT).hexdigest(), "sm3": sm3(CONTENT).hex()}
WHOLE = {"sha256": DIGESTS["sha256"], "content": CONTENT.decode()}


@pytest.mark.parametrize(
    ("digests", "shown", "by_sm3"),
    [
        ({"sha256": BY_SHA256}, {"sha256": DIGESTS["sha256"]}, 0),
        ({"sha256": BY_SHA256}, WHOLE, 0),
        ({"sha256": BY_SHA256, "sm3": BY_SM3}, DIGESTS, 1),
        ({"sha256": BY_SHA256, "sm3": BY_SM3}, WHOLE, 1),  # the content shows its own digests
        ({"sha256": BY_SHA256, "sm3": BY_SM3}, WHOLE | DIGESTS, 1),
    ],
)
def test_what_was_committed_to_opens(
    digests: Mapping[str, str], shown: dict[str, Any], by_sm3: int
) -> None:
    assert require_disclosed([opening(**shown)], [chain(**digests)]) == Disclosed(1, by_sm3, ())


@pytest.mark.parametrize(
    ("digests", "shown", "reason"),
    [
        ({"sha256": BY_SHA256, "sm3": BY_SHA256}, DIGESTS, "disclosure"),
        ({"sha256": BY_SM3, "sm3": BY_SM3}, DIGESTS, "disclosure"),
        ({"sm3": BY_SM3}, DIGESTS, "disclosure"),
        ({"sha256": BY_SHA256}, DIGESTS, "disclosure"),
        ({"sha256": BY_SHA256, "sm3": BY_SM3}, DIGESTS | {"sm3": "0" * 64}, "disclosure"),
        ({"sha256": BY_SHA256, "sm3": BY_SM3}, WHOLE | {"sm3": "0" * 64}, "disclosure"),
        (
            {"sha256": BY_SHA256, "sm3": BY_SM3},
            {"sha256": DIGESTS["sha256"]},
            "sm3-not-opened",
        ),
    ],
)
def test_nothing_else_does(digests: Mapping[str, str], shown: dict[str, Any], reason: str) -> None:
    with pytest.raises(Failed) as failed:
        require_disclosed([opening(**shown)], [chain(**digests)])
    assert failed.value.reason == reason


def test_a_digest_of_another_kind_is_named_as_not_checked() -> None:
    held = chain(sha256=BY_SHA256, blake3="0" * 64, streebog="0" * 64)
    found = require_disclosed([opening(sha256=DIGESTS["sha256"])], [held])
    assert found == Disclosed(1, 0, ("blake3", "streebog"))
