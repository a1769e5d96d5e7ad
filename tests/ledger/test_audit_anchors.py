"""`farseal ledger audit` holds what a log wrote down of others against what they said."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.anchors import COSIGNATURE, TIMESTAMP, Anchor
from ledger.between import Held, Shown, check_anchors, hear
from ledger.merkle import EMPTY_ROOT
from ledger.note import Checkpoint, Cosigner
from ledger.replay import Findings
from tests.ledger.commands import run
from tests.ledger.house import NOON, Office
from tests.ledger.site import serve
from tests.ledger.test_between import Told, tell, told

__all__ = ["told"]
ORIGIN = "office.example/ledger"


def audited(told: Told, *arguments: str, source: str | None = None) -> tuple[int, str]:
    trust = told.mirror.parent / "trust.json"
    trust.write_text(json.dumps(told.trust))
    code, out, _ = run("audit", source or told.mirror, "--trust", trust, *arguments)
    return code, out


def report(told: Told, source: str | None = None) -> tuple[str, dict[str, Any], list[list[str]]]:
    """The outcome of the check of anchors, the whole report, and what was found."""
    found = json.loads(audited(told, "--json", source=source)[1])
    outcomes = {each["check"]: each["outcome"] for each in found["checks"]}
    findings = [[each["check"], each["where"], each["reason"]] for each in found["findings"]]
    return outcomes["anchors"], found, findings


def test_anchors_that_hold_are_counted(told: Told) -> None:
    outcome, found, findings = report(told)
    assert (outcome, findings) == ("ok", [])
    # Three witnesses with two keys each, and a token, were logged back in front of the entry.
    assert found["anchors"]["verified"] == 7
    assert (found["anchors"]["unverified"], found["anchors"]["absent"]) == (0, 0)
    assert found["anchors"]["latest"] == NOON
    assert "7 hold" in audited(told)[1]
    assert "7 条成立" in audited(told, "--lang", "zh-CN")[1]


def test_over_a_url_what_anchors_name_is_fetched_and_checked(told: Told) -> None:
    with serve(told.mirror) as url:
        outcome, found, findings = report(told, source=url)
    assert (outcome, findings, found["anchors"]["verified"]) == ("ok", [], 7)


def test_what_is_not_at_hand_or_of_nobody_known_is_no_proof_and_no_finding(told: Told) -> None:
    for path in (told.mirror / "attest").rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"\x30"):
            path.unlink()
    told.trust |= {"witnesses": []}
    del told.trust["policy"]
    outcome, found, findings = report(told)
    assert (outcome, findings) == ("unavailable", [])
    assert found["anchors"] == {"verified": 0, "unverified": 6, "absent": 1, "latest": 0}
    assert "6 not verified for want of a key (--trust), 1 not at hand" in audited(told)[1]
    assert "都不算证明" in audited(told, "--lang", "zh-CN")[1]


def test_a_token_of_an_authority_nobody_knows_is_no_finding(told: Told) -> None:
    told.trust["tsa_roots"] = told.trust["roots"]
    _, found, findings = report(told)
    named = [each for each in findings if each[0] == "anchors"]
    assert (named, found["anchors"]["unverified"]) == ([], 1)


def test_a_spoiled_file_is_named(told: Told) -> None:
    files = (told.mirror / "attest/1").iterdir()
    (token,) = (path for path in files if path.read_bytes().startswith(b"\x30"))
    token.write_bytes(token.read_bytes()[:-1] + b"\0")
    where = token.relative_to(told.mirror).as_posix()
    _, found, findings = report(told)
    assert findings == [["anchors", where, "anchor-digest"]]
    assert (found["anchors"]["verified"], found["anchors"]["absent"]) == (6, 1)
    code, out = audited(told, "--lang", "zh-CN")
    assert (code, "内容与文件名不符" in out) == (1, True)


async def test_a_forged_token_is_named(office: Office, tmp_path: Path) -> None:
    """The log wrote down a token that is over something else."""
    told = await tell(office, tmp_path, over=b"something else")
    outcome, _, findings = report(told)
    (named,) = (each for each in findings if each[0] == "anchors")
    assert (outcome, named[2]) == ("failed", "anchor-token")
    assert named[1].startswith("entry ")
    code, out = audited(told)
    assert (code, "the timestamp it names does not hold" in out) == (1, True)


async def test_an_anchor_with_a_wrong_time_is_named(office: Office, tmp_path: Path) -> None:
    told = await tell(office, tmp_path, later_ms=60_000)
    _, _, findings = report(told)
    assert [each[2] for each in findings] == ["anchor-time"]
    code, out = audited(told)
    assert (code, "but what it names says" in out) == (1, True)
    assert "与原件所说的" in audited(told, "--lang", "zh-CN")[1]


def test_a_log_that_does_not_hold_is_not_held_against_others(told: Told) -> None:
    (bundle,) = (told.mirror / "tile/entries").rglob("000.p/*")
    data = bytearray(bundle.read_bytes())
    data[data.index(b'"index":0,') + 30] ^= 1
    bundle.write_bytes(data)
    outcome, _, findings = report(told)
    assert outcome == "unavailable"
    assert {each[0] for each in findings} == {"entries"}
    assert "the log itself does not hold" in audited(told)[1]


@pytest.mark.parametrize("known", [True, False])
def test_a_line_of_a_known_witness_that_fails_is_found(known: bool) -> None:
    witness, other = Cosigner.generate("w0.example"), Cosigner.generate("w0.example")
    text = Checkpoint("another.example/log", 1, bytes(32)).text
    line = witness.cosign(text, at=NOON).splitlines(keepends=True)[0].encode()
    shown = Shown()
    shown.add(line)
    key = (witness if known else other).verifiers[0]
    who = f"{witness.verifiers[0].name}+{witness.verifiers[0].key_id.hex()}"
    anchor = Anchor(COSIGNATURE, 1, NOON, who, sha256(line).hexdigest())
    found = Findings()
    checked = check_anchors(
        [(2, anchor)],
        Held({1: shown}, ()),
        [],
        found,
        witnesses=[key],
        false_token=lambda token, note: False,
    )
    assert [each.reason for each in found.listed] == (["anchor-line"] if known else [])
    assert checked.unverified == (0 if known else 1)


def test_what_was_said_of_the_empty_tree_holds_too() -> None:
    """A log that was founded shows it to its witnesses before it has an entry."""
    witness = Cosigner.generate("w0.example")
    lines = witness.cosign(Checkpoint(ORIGIN, 0, EMPTY_ROOT).text, at=NOON)
    shown, anchors = Shown(), []
    for index, line in enumerate(lines.encode().splitlines(keepends=True)):
        shown.add(line)
        who = f"w0.example+{witness.verifiers[index].key_id.hex()}"
        anchors.append((index, Anchor(COSIGNATURE, 0, NOON, who, sha256(line).hexdigest())))
    held, found = Held({0: shown}, ()), Findings()
    said = hear(held, _no_root, origin=ORIGIN, size=2, witnesses=witness.verifiers, read_token=None)
    checked = check_anchors(
        anchors,
        held,
        said,
        found,
        witnesses=witness.verifiers,
        false_token=lambda token, note: False,
    )
    assert (checked.verified, found.listed) == (2, [])


def _no_root(size: int) -> bytes:
    raise AssertionError(size)


def test_an_anchor_of_a_tree_that_was_not_there_yet_is_found() -> None:
    found = Findings()
    anchor = Anchor(TIMESTAMP, 9, NOON, "somebody", "ab" * 32, "cd" * 32)
    checked = check_anchors(
        [(4, anchor)], Held({}, ()), [], found, witnesses=[], false_token=lambda token, note: False
    )
    assert [(each.where, each.reason) for each in found.listed] == [("entry 4", "anchor-size")]
    assert checked.absent == 1
