"""After a leak: what a verifier says of bundles, and how a register goes on in the ledger after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ledger.audit import audit
from ledger.generations import Ending, Generation, KnownLog
from ledger.handover import own_case
from ledger.note import LogKeys
from ledger.replay import Findings
from server.cli import main
from signing import status
from signing.ca import Office
from signing.register import register_of
from signing.register_audit import KINDS, Numbers, audit_register, audit_status
from signing.trust import Trust
from tests.ledger.large import write_log
from tests.signing.bundles import Genuine
from tests.signing.test_register_audit import Entry, completed, intended, listed, number, revoked

ORIGIN = "office.example/ledger"


def verified(genuine: Genuine, folder: Path, ledger: dict[str, object]) -> Result:
    """`farseal verify` of the genuine bundle, under a trust.json with this ledger."""
    (folder / "bundle.zip").write_bytes(genuine.bundle)
    (folder / "trust.json").write_text(json.dumps(genuine.trust | {"ledger": ledger}))
    arguments = ["verify", str(folder / "bundle.zip"), "--trust", str(folder / "trust.json")]
    return CliRunner().invoke(main, [*arguments, "--lang", "en"])


def other(origin: str) -> KnownLog:
    return KnownLog(origin, (Generation(LogKeys.generate(origin).verifiers),))


@pytest.mark.parametrize(("leaked_ms_later", "code"), [(3_600_000, 0), (-3_600_000, 1)])
def test_a_bundle_counts_if_it_was_dated_before_the_leak(
    genuine: Genuine, office: Office, tmp_path: Path, leaked_ms_later: int, code: int
) -> None:
    keys = office.log_keys
    before = office.clock() + leaked_ms_later
    ending = Ending(10_000, bytes(32), before, "ledger-keys")
    old = KnownLog(keys.origin, (Generation(keys.verifiers),), ending)
    ledger = other(keys.origin + "/2").record() | {"former": [old.record()]}
    done = verified(genuine, tmp_path, ledger)
    assert done.exit_code == code, done.output
    assert ("leak" in done.output.lower()) == (code == 1)


def test_a_bundle_from_after_the_succession_holds(
    genuine: Genuine, office: Office, tmp_path: Path
) -> None:
    keys = office.log_keys
    old = other(keys.origin + "/0")
    ended = KnownLog(old.origin, old.generations, Ending(9, bytes(32), 1, "ledger-keys"), 4)
    ledger = KnownLog(keys.origin, (Generation(keys.verifiers),)).record()
    done = verified(genuine, tmp_path, ledger | {"former": [ended.record()]})
    assert done.exit_code == 0, done.output


def test_each_ledger_has_witnesses_from_a_tree_of_its_own(genuine: Genuine) -> None:
    keys = LogKeys.generate("x.example/log")
    old = KnownLog("x.example/log", (Generation(keys.verifiers),), Ending(9, bytes(32), 1), 4)
    ledger = dict(genuine.trust["ledger"]) | {"former": [old.record()]}
    trust = Trust.parse(genuine.trust | {"ledger": ledger, "witnessed_from": 0})
    assert trust.log_keys.logs[1] == old
    assert trust.witnessed_since("x.example/log") == 4
    assert trust.witnessed_since(trust.origin) == 0


def read(entries: list[Entry], folder: Path, keys: LogKeys) -> tuple[Numbers, Findings]:
    write_log(folder, keys, len(entries), entry=lambda index: entries[index])
    cases = {register_of(ORIGIN)}
    done = audit(folder, keys.verifiers, cases=cases, kinds=KINDS, workers=1)
    assert not done.findings
    found = Findings()
    return audit_register(ORIGIN, done.collected, found), found


def test_a_register_goes_on_in_the_ledger_after(office: Office, tmp_path: Path) -> None:
    keys = LogKeys.generate(ORIGIN)
    first = [intended(1, 0), completed(1, 0), intended(2, 1), revoked(2), intended(1, 2, year=2027)]
    numbers, found = read(first, tmp_path / "first", keys)
    assert not found.listed
    carried = numbers.carried()
    assert carried == {
        "revoked": [1],
        "series": [
            {"after": "号", "before": "（2026）示远山证字第", "last": 2},
            {"after": "号", "before": "（2027）示远山证字第", "last": 1},
        ],
        "status_index": 3,
    }
    began = (own_case(ORIGIN), {"former": {}, "kind": "log-began", "register": carried})
    taken_back = (
        register_of(ORIGIN),
        {"kind": "certificate-revoked", "number": number(1), "status_index": 0},
    )
    document = status.build([0, 1], office=office, at=office.clock())
    whole = [began, intended(3, 3), completed(3, 3), taken_back, listed(document)]
    numbers, found = read(whole, tmp_path / "whole", keys)
    audit_status(document, numbers, Trust.parse(office.trust()), found)
    assert not found.listed
    assert numbers.carried()["revoked"] == [0, 1]
    assert numbers.carried()["status_index"] == 4

    gap = [began, intended(4, 3), intended(5, 5), revoked(9), revoked(1)]
    _, found = read(gap, tmp_path / "gap", keys)
    assert [each.reason for each in found.listed] == [
        "number-gap",
        "index-gap",
        "number-unknown",
        "number-unknown",
    ]
