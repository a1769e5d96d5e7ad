"""Certificates from before and after the ledger's keys changed, by old and new trust.json."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import RetiredError
from ledger.generations import Ending, Generation, Keybook, KnownLog
from ledger.note import open_checkpoint, sign_checkpoint
from ledger.policy import Policy
from signing.ca import Office, open_office
from signing.errors import TrustError
from signing.keys import Secret
from signing.trust import Trust
from signing.verify_bundle import verify
from tests.signing.bundles import Genuine
from tests.signing.cast import PASSPHRASE, profile


def now() -> int:
    return time.time_ns() // 1_000_000


def told(genuine: Genuine, **changes: object) -> Trust:
    """The office's trust.json, its ledger other than it is."""
    ledger = dict(genuine.trust["ledger"]) | changes
    return Trust.parse(genuine.trust | {"ledger": ledger})


def failure(genuine: Genuine, trust: Trust) -> tuple[str, str]:
    report = verify(genuine.bundle, trust, at=now())
    return next(((c.key, c.reason) for c in report.checks if c.outcome == "failed"), ("", ""))


def test_a_certificate_from_before_the_rotation_holds_after_it(
    genuine: Genuine, office: Office
) -> None:
    fresh = type(office.log_keys).generate(office.log_keys.origin)
    old = Generation(office.log_keys.verifiers, until_size=10_000)
    new = Generation(fresh.verifiers, from_size=9_000)
    trust = told(genuine, **KnownLog(fresh.origin, (old, new)).record())
    assert verify(genuine.bundle, trust, at=now()).verdict == "valid"
    early = Generation(office.log_keys.verifiers, until_size=1)
    trust = told(genuine, **KnownLog(fresh.origin, (early, replace(new, from_size=1))).record())
    assert failure(genuine, trust) == ("checkpoint", "key-retired")


def test_a_certificate_of_a_ledger_that_leaked_holds_up_to_its_last_tree(
    genuine: Genuine, office: Office
) -> None:
    keys = office.log_keys
    note = genuine.contents.checkpoint
    checkpoint = open_checkpoint(note, keys.verifiers)
    after = type(keys).generate(keys.origin + "/2")
    present = KnownLog(after.origin, (Generation(after.verifiers),)).record()

    def trust(size: int, root: bytes, before: int) -> Trust:
        former = KnownLog(
            keys.origin, (Generation(keys.verifiers),), Ending(size, root, before)
        ).record()
        return told(genuine, **present, former=[former])

    last = trust(checkpoint.size, checkpoint.root, 0)
    assert verify(genuine.bundle, last, at=now()).verdict == "valid"
    beside = trust(checkpoint.size, bytes(32), 0)
    assert failure(genuine, beside) == ("checkpoint", "key-retired")
    beyond = trust(checkpoint.size - 1, bytes(32), 0)
    assert failure(genuine, beyond) == ("checkpoint", "key-retired")
    # A smaller tree counts if a clock that is not the ledger's saw it before the leak.
    assert verify(genuine.bundle, trust(10_000, bytes(32), now() * 2), at=now()).verdict == "valid"
    assert failure(genuine, trust(10_000, bytes(32), 1)) == ("checkpoint", "after-leak")


def test_a_former_ledger_without_its_end_is_no_trust(genuine: Genuine, office: Office) -> None:
    other = KnownLog(
        "x.example/log",
        (Generation(type(office.log_keys).generate("x.example/log").verifiers),),
    )
    with pytest.raises(TrustError, match="where it ended"):
        told(genuine, former=[other.record()])


def reopened(directory: Path) -> Office:
    return open_office(directory, profile(), Secret(PASSPHRASE), clock=now)


def test_trust_json_on_disk_is_what_the_office_gives_out(tmp_path: Path) -> None:
    office = reopened(tmp_path / "office")
    on_disk = tmp_path / "office" / "trust.json"

    def read() -> dict[str, object]:
        value: dict[str, object] = json.loads(on_disk.read_bytes())
        return value

    assert read() == office.trust()
    fresh = office.ledger.prepare()
    assert office.ledger.prepare().verifiers == fresh.verifiers
    first = Generation(office.log_keys.verifiers, until_size=9)
    generations = (first, Generation(fresh.verifiers, from_size=5))
    from ledger.note import Cosigner

    witness = Cosigner.generate("w.example").verifiers[0].vkey
    policy = Policy.parse(f"witness w {witness} https://w.example\nquorum w\n".encode())
    since: list[int | None] = [None]
    office.trust_ledger(generations, policy, since=lambda: since[0])
    assert read()["witnesses"] == []
    since[0] = 7
    assert office.trust()["witnessed_from"] == 7
    assert read() == office.trust()
    assert office.log_keys.verifiers == fresh.verifiers
    # A process that is told neither, such as a command, forgets neither.
    again = reopened(tmp_path / "office")
    assert again.trust() == read() == office.trust()
    assert again.log_keys.verifiers == fresh.verifiers
    assert [keys.verifiers for keys in again.ledger.at_hand] == [
        first.verifiers,
        fresh.verifiers,
    ]
    assert again.ledger.destroy(first.verifiers) == 2
    assert again.ledger.destroy(first.verifiers) == 0
    later = reopened(tmp_path / "office")
    assert [keys.verifiers for keys in later.ledger.at_hand] == [fresh.verifiers]
    assert Trust.parse(read()).log_keys.logs[0].generations == generations
    # The number of the pair that is gone is not given out again, nor half a pair forgotten.
    third = later.ledger.prepare()
    assert (tmp_path / "office" / "ledger-ed25519-3.key").exists()
    (tmp_path / "office" / "ledger-mldsa44-3.key").unlink()
    torn = reopened(tmp_path / "office").ledger
    assert len(torn.at_hand) == 1
    assert torn.prepare().verifiers[0] == third.verifiers[0]


def test_only_the_whole_of_a_leaked_ledger_is_believed(office: Office) -> None:
    keys = office.log_keys
    book = Keybook(
        (KnownLog(keys.origin, (Generation(keys.verifiers),), Ending(3, bytes(32), now())),)
    )
    with pytest.raises(RetiredError):
        open_checkpoint(sign_checkpoint(keys, size=4, root=bytes(32), at=now()), book)
