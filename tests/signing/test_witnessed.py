"""A bundle under a trust that names witnesses: their quorum is needed, from when there is one."""

import time
from hashlib import sha256
from typing import Any

import pytest

from ledger.note import Checkpoint, Cosigner
from ledger.policy import Policy
from signing.ca import Office
from signing.errors import TrustError
from signing.report import Report
from signing.trust import Trust
from signing.verify import verify
from tests.signing.bundles import Genuine, rebuilt

WITNESSES = [Cosigner.generate(f"w{number}.example") for number in range(3)]
NAMES = [f"W{number}" for number in range(3)]
POLICY = Policy.parse(
    "\n".join(
        [
            *(
                f"witness {name} {witness.verifiers[1].vkey}"
                for name, witness in zip(NAMES, WITNESSES, strict=True)
            ),
            f"group enough 2 {' '.join(NAMES)}",
            "quorum enough",
        ]
    ).encode()
)


def now() -> int:
    return int(time.time() * 1000)


def trusting(genuine: Genuine, *, since: int = 0) -> Trust:
    named = [{"name": one.name, "vkey": one.verifier.vkey} for one in POLICY.witnesses]
    added = {"witnesses": named, "policy": POLICY.text, "witnessed_from": since}
    return Trust.parse(genuine.trust | added)


def witnessed(genuine: Genuine, office: Office, *numbers: int, tamper: bool = False) -> bytes:
    """The bundle as the office makes it when these witnesses have signed its checkpoint."""
    note = genuine.contents.checkpoint
    text = Checkpoint.unverified(note).text
    for number in numbers:
        lines = WITNESSES[number].cosign(text, at=now())
        if tamper:  # in the second line: the first is by a key that the policy does not name
            lines = lines[:-200] + ("A" if lines[-200] != "A" else "B") + lines[-199:]
        note += lines
    token = office.timestamp(sha256(note.encode()).digest())
    return rebuilt(genuine, office, checkpoint=note, checkpoint_token=token)


def checked(bundle: bytes, trust: Trust) -> Report:
    return verify(bundle, trust, ledger=None, at=now())


def test_a_quorum_is_found_and_named(genuine: Genuine, office: Office) -> None:
    report = checked(witnessed(genuine, office, 0, 2), trusting(genuine))
    assert report.exit_code == 0
    assert "no-witness" not in report.notes
    (check,) = (each for each in report.checks if each.key == "checkpoint")
    assert [each["name"] for each in check.detail["witnesses"]] == ["w0.example", "w2.example"]
    assert all(abs(each["at"] - now()) < 60_000 for each in check.detail["witnesses"])


@pytest.mark.parametrize("numbers", [(), (1,), (1, 1)])
def test_less_than_a_quorum_is_not_enough(
    genuine: Genuine, office: Office, numbers: tuple[int, ...]
) -> None:
    report = checked(witnessed(genuine, office, *numbers), trusting(genuine))
    assert report.exit_code == 1
    assert report.deciding is not None
    assert (report.deciding.key, report.deciding.reason) == ("checkpoint", "unwitnessed")


def test_a_cosignature_that_does_not_hold_spoils_the_checkpoint(
    genuine: Genuine, office: Office
) -> None:
    bundle = witnessed(genuine, office, 0, 1, 2, tamper=True)
    report = checked(bundle, trusting(genuine))
    assert report.deciding is not None
    assert (report.deciding.key, report.deciding.reason) == ("checkpoint", "checkpoint")


def test_what_is_older_than_the_witnesses_holds_and_is_said_to_be_unwitnessed(
    genuine: Genuine, office: Office
) -> None:
    size = Checkpoint.unverified(genuine.contents.checkpoint).size
    report = checked(genuine.bundle, trusting(genuine, since=size + 1))
    assert report.exit_code == 0
    assert "no-witness" in report.notes
    assert checked(genuine.bundle, trusting(genuine, since=size)).exit_code == 1


def test_lines_of_witnesses_nobody_named_change_nothing(genuine: Genuine, office: Office) -> None:
    report = checked(witnessed(genuine, office, 0, 1, 2), Trust.parse(genuine.trust))
    assert report.exit_code == 0
    assert "no-witness" in report.notes


def test_an_office_names_its_witnesses_once_they_have_signed(office: Office) -> None:
    since: list[int | None] = [None]
    office.trust_ledger(office.ledger.known.generations, POLICY, since=lambda: since[0])
    try:
        assert "no-witness" in Trust.parse(office.trust()).notes
        since[0] = 12
        trust = Trust.parse(office.trust())
        assert trust.policy == POLICY
        assert trust.witnessed_from == 12
        assert "no-witness" not in trust.notes
    finally:
        office.trust_ledger(
            office.ledger.known.generations, Policy.parse(b"quorum none\n"), since=lambda: None
        )


@pytest.mark.parametrize(
    "change",
    [
        {"witnesses": [{"name": "W0", "vkey": WITNESSES[0].verifiers[1].vkey}]},
        {"policy": POLICY.text},
        {"witnesses": [], "policy": "quorum nobody\n"},
        {"witnesses": [], "policy": 7},
        {"witnesses": [], "policy": "quorum none\n\ud800"},
        {"witnesses": ["W0"], "policy": "quorum none\n"},
        {"witnesses": [], "policy": "quorum none\n", "witnessed_from": "soon"},
    ],
)
def test_a_trust_that_contradicts_itself_is_refused(
    genuine: Genuine, change: dict[str, Any]
) -> None:
    with pytest.raises(TrustError):
        Trust.parse(genuine.trust | change)
