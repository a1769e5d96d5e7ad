"""The register and the timestamps of a mirror, as anyone recomputes them."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ledger.audit import Audit, audit
from ledger.entry import canonical_json
from ledger.kept import read_kept
from ledger.note import LogKeys
from ledger.replay import Findings
from server.cli import audit_words, main
from server.cli.audit import ORDER
from signing import status
from signing.ca import Office, open_office
from signing.keys import Secret
from signing.register import register_of
from signing.register_audit import (
    KINDS,
    Numbers,
    Tokens,
    audit_register,
    audit_status,
    audit_tokens,
)
from signing.trust import Trust
from tests.ledger.large import session, write_log
from tests.signing.cast import PASSPHRASE, profile

ORIGIN = "office.example/ledger"
Entry = tuple[str, dict[str, object]]


def number(serial: int, year: int = 2026) -> str:
    return f"（{year}）示远山证字第{serial}号"


def intended(serial: int, index: int, year: int = 2026) -> Entry:
    body = {"kind": "act-intended", "number": number(serial, year), "status_index": index}
    return register_of(ORIGIN), body


def completed(serial: int, index: int) -> Entry:
    body = {"kind": "act-completed", "number": number(serial), "status_index": index}
    return register_of(ORIGIN), body | {"pdf_sha256": "ab" * 32}


def revoked(serial: int) -> Entry:
    return register_of(ORIGIN), {"kind": "certificate-revoked", "number": number(serial)}


def listed(document: dict[str, Any]) -> Entry:
    digest = sha256(canonical_json(document)).hexdigest()
    return register_of(ORIGIN), {"kind": "status-list", "sha256": digest}


GENUINE = [
    intended(1, 0),
    completed(1, 0),
    intended(2, 1),
    intended(3, 2),
    completed(3, 2),
    intended(1, 3, year=2027),
    revoked(3),
]


@pytest.fixture(scope="module")
def keys() -> LogKeys:
    return LogKeys.generate(ORIGIN)


@pytest.fixture
def write(tmp_path: Path, keys: LogKeys) -> Callable[[list[Entry]], Path]:
    """A mirror whose every third entry is one of these."""

    def write(entries: list[Entry]) -> Path:
        shutil.rmtree(tmp_path / "log", ignore_errors=True)

        def entry(index: int) -> Entry:
            return entries[index // 3] if index % 3 == 0 else session(index)

        write_log(tmp_path / "log", keys, len(entries) * 3, entry=entry)
        return tmp_path / "log"

    return write


def examine(directory: Path, keys: LogKeys) -> tuple[Audit, Numbers, list[tuple[str, str]]]:
    done = audit(directory, keys.verifiers, cases={register_of(ORIGIN)}, kinds=KINDS)
    assert done.findings == ()
    found = Findings()
    numbers = audit_register(ORIGIN, done.collected, found)
    return done, numbers, [(each.where, each.reason) for each in found.listed]


def test_a_register_as_it_must_be(write: Callable[[list[Entry]], Path], keys: LogKeys) -> None:
    _, numbers, found = examine(write(GENUINE), keys)

    assert found == []
    assert list(numbers.indexes.values()) == [0, 1, 2, 3]
    assert (len(numbers.completed), numbers.revoked) == (2, [number(3)])


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (intended(4, 5), "index-gap"),
        (intended(5, 4), "number-gap"),
        (intended(2, 4), "number-twice"),
        (intended(1, 4, year=2028), None),
        (intended(2, 4, year=2028), "number-gap"),
        (completed(1, 0), "completed-twice"),
        (completed(2, 2), "index-other"),
        (completed(9, 4), "number-unknown"),
        (revoked(9), "number-unknown"),
        ((register_of(ORIGIN), {"kind": "act-intended", "status_index": 4}), "number-none"),
        ((register_of(ORIGIN), {"kind": "act-intended", "number": number(4)}), "number-none"),
        (("ab" * 16, intended(4, 4)[1]), "other-register"),
        (("ab" * 16, completed(2, 1)[1]), "other-register"),
        (("ab" * 16, {"kind": "evidence"}), None),
    ],
)
def test_what_breaks_the_register_is_named(
    write: Callable[[list[Entry]], Path], keys: LogKeys, entry: Entry, reason: str | None
) -> None:
    _, _, found = examine(write([*GENUINE, entry]), keys)

    assert found == ([(f"entry {len(GENUINE) * 3}", reason)] if reason else [])


@pytest.mark.parametrize(
    ("bits", "reasons"), [([2], []), ([], ["not-shown"]), ([1, 2], ["not-revoked"])]
)
def test_the_status_list_follows_from_the_entries_before_it(
    write: Callable[[list[Entry]], Path],
    keys: LogKeys,
    office: Office,
    bits: list[int],
    reasons: list[str],
) -> None:
    document = status.build(bits, office=office, at=office.clock())
    entries = [*GENUINE, listed(document), intended(4, 4), revoked(1)]
    _, numbers, _ = examine(write(entries), keys)
    found = Findings()

    audit_status(document, numbers, Trust.parse(office.trust()), found)

    assert [each.reason for each in found.listed] == reasons


def test_a_list_that_was_never_logged_or_signed_is_named(
    write: Callable[[list[Entry]], Path], keys: LogKeys, office: Office
) -> None:
    _, numbers, _ = examine(write(GENUINE), keys)
    trust = Trust.parse(office.trust())
    document = status.build([2], office=office, at=office.clock())
    for changed, reason in (
        (document, "not-logged"),
        (document | {"signature": document["signature"][:-4] + "AAAA"}, "signature"),
    ):
        found = Findings()
        audit_status(changed, numbers, trust, found)
        assert [each.reason for each in found.listed] == [reason]


def test_timestamps_beside_the_notes_are_verified(
    write: Callable[[list[Entry]], Path], keys: LogKeys, office: Office
) -> None:
    directory, trust = write(GENUINE), Trust.parse(office.trust())
    notes = read_kept(directory, keys.verifiers).notes
    before = office.clock()
    token = office.timestamp(sha256((directory / "checkpoint").read_bytes()).digest())
    beside = directory / f"checkpoints/{len(GENUINE) * 3}.tsr"

    found = Findings()
    assert audit_tokens(directory, notes, trust, found) == Tokens((), ())
    beside.write_bytes(token)
    tokens = audit_tokens(directory, notes, trust, found)
    (time,) = tokens.times
    assert before - 1000 <= time <= office.clock()
    assert found.listed == []
    for wrong in (token[:-1], office.timestamp(bytes(32)), b""):
        beside.write_bytes(wrong)
        found = Findings()
        audit_tokens(directory, notes, trust, found)
        assert [each.reason for each in found.listed] == ["token"]


def test_a_token_of_an_authority_nobody_has_named_is_no_finding_and_no_proof(
    write: Callable[[list[Entry]], Path], keys: LogKeys, office: Office, tmp_path: Path
) -> None:
    """A verifier who holds a trust.json from before the office named that authority."""
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=office.clock)
    directory = write(GENUINE)
    trust = office.trust()
    trust["ledger"] = {"origin": ORIGIN, "vkeys": [each.vkey for each in keys.verifiers]}
    newer = trust | {"tsa_roots": [*trust["tsa_roots"], *other.trust()["tsa_roots"]]}
    token = other.timestamp(sha256((directory / "checkpoint").read_bytes()).digest())
    (directory / f"checkpoints/{len(GENUINE) * 3}.tsr").write_bytes(token)

    told = {}
    for name, value in (("older", trust), ("newer", newer)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(value))
        words = ["ledger", "audit", str(directory), "--trust", str(path), "--lang", "en"]
        done = CliRunner(env={"COLUMNS": "300"}).invoke(main, words)
        assert done.exit_code == 0, done.output
        told[name] = next(line for line in done.stdout.splitlines() if "timestamps at hand" in line)

    assert told["older"].endswith(
        "not checked  The timestamps at hand hold  0 hold; 1 of an authority that this trust file "
        "does not name are not checked: take a newer trust.json from the office"
    )
    assert " holds  The timestamps at hand hold  1, the latest of 20" in told["newer"]


def test_the_command_checks_all_of_it(
    write: Callable[[list[Entry]], Path], keys: LogKeys, office: Office, tmp_path: Path
) -> None:
    document = status.build([2], office=office, at=office.clock())
    directory = write([*GENUINE, listed(document)])
    trust = office.trust()
    trust["ledger"] = {"origin": ORIGIN, "vkeys": [each.vkey for each in keys.verifiers]}
    (directory / "trust.json").write_text(json.dumps(trust))
    (tmp_path / "status.json").write_text(json.dumps(document))
    token = office.timestamp(sha256((directory / "checkpoint").read_bytes()).digest())
    (directory / "checkpoints/24.tsr").write_bytes(token)
    arguments = ["ledger", "audit", str(directory), "--json"]
    arguments += ["--trust", str(directory / "trust.json")]
    arguments += ["--status", str(tmp_path / "status.json")]

    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    outcomes = {each["check"]: each["outcome"] for each in report["checks"]}
    assert {outcomes.pop(key) for key in ("anchors", "sm2", "witnesses")} == {"unavailable"}
    assert set(outcomes.values()) == {"ok"}
    assert (report["numbers"], report["completed"], report["revoked"]) == (4, 2, 1)

    (directory / "checkpoints/24.tsr").unlink()
    arguments.remove("--json")
    said = CliRunner().invoke(main, [*arguments, "--lang", "en"]).output
    assert "no timestamp at hand" in said
    assert "no trust file" not in said.partition("The timestamps")[2].splitlines()[0]


ROOMS = (
    "ledger/audit",
    "ledger/between",
    "ledger/replay",
    "ledger/stored",
    "signing/register_audit",
)


def test_every_check_and_reason_has_words_in_both_languages() -> None:
    said = "\n".join(
        path.read_text("utf-8")
        for name in ROOMS
        for path in [Path(__file__).parents[2] / f"{name}.py"]
    )
    assert set(audit_words.CHECKS) == set(ORDER)
    for catalogue in (audit_words.CHECKS, audit_words.REASONS, audit_words.FOUND):
        assert all(set(words) == {"zh-CN", "en"} for words in catalogue.values())
    assert all(f'"{reason}"' in said for reason in audit_words.REASONS)
