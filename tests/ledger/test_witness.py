"""The witness: what it signs, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.note import (
    MAX_SIZE,
    Checkpoint,
    Cosigner,
    LogKeys,
    open_note,
    sign_checkpoint,
    write_line,
)
from ledger.witness import SIZE_TYPE, Answer, Request, Witness, origin_hash
from ledger.witness_store import MOST_EVIDENCE, WitnessStore
from tests.ledger.histories import History
from tests.ledger.house import NOON
from tests.ledger.witness_house import COSIGNER, House, cosigned


def test_growth_is_cosigned_step_by_step(house: House, log: History) -> None:
    size = 0
    for grown in (0, 1, 2, 3, 7, 8, 8, 100, 255):
        request = log.request(size, grown)
        note = cosigned(house.ask(request), request)
        # Everybody may read what it stands at: the log's lines and its own.
        shown = house.witness.checkpoint(origin_hash(log.keys.origin))
        assert (shown.status, shown.body.decode()) == (200, note)
        size = grown


def test_nothing_is_shown_of_a_log_it_has_cosigned_nothing_of(house: House) -> None:
    assert house.witness.checkpoint("0" * 64).status == 404


def test_it_says_where_it_stands(house: House, log: History) -> None:
    assert house.ask(log.request(1, 5)) == Answer(409, b"0\n", SIZE_TYPE)
    house.ask(log.request(0, 5))
    for old in (0, 4, 6):
        assert house.ask(log.request(old, 7)) == Answer(409, b"5\n", SIZE_TYPE)
    # A smaller tree than it has seen: the log was rolled back. It says what it has seen.
    assert house.ask(log.request(0, 3)) == Answer(409, b"5\n", SIZE_TYPE)


def test_two_histories_are_never_signed_and_the_second_is_kept(
    house: House, log: History, keys: LogKeys
) -> None:
    other = History(keys, "b", fork=4)
    cosigned(house.ask(log.request(0, 6)), log.request(0, 6))
    same_size = replace(other.request(6, 6), note=other.note(6))
    larger = other.request(6, 9)
    for forged in (
        same_size,
        larger,
        replace(larger, proof=()),
        replace(larger, proof=(b"x" * 32,)),
    ):
        assert house.ask(forged).status == 422
    # Under a wrong old size it is no growth to judge, but still two notes of one size.
    assert house.ask(other.request(0, 6)).status == 409
    kept = house.store.evidence(keys.origin)
    assert len(kept) == 5
    # Whoever has the file can show it: two trees of one size, both signed by the log.
    ours = open_note(house.store.read(keys.origin).note, keys.verifiers)  # type: ignore[union-attr]
    theirs = open_note(Request.parse(kept[0]).note, keys.verifiers)
    assert Checkpoint.parse(ours.text).size == Checkpoint.parse(theirs.text).size == 6
    assert ours.text != theirs.text
    cosigned(house.ask(log.request(6, 9)), log.request(6, 9))


def test_evidence_is_kept_once_and_not_without_end(
    house: House, log: History, keys: LogKeys
) -> None:
    house.ask(log.request(0, 6))
    for number in range(MOST_EVIDENCE + 10):
        forged = replace(History(keys, f"b{number}").request(6, 6))
        assert [house.ask(forged).status for _ in range(2)] == [422, 422]
    assert len(house.store.evidence(keys.origin)) == MOST_EVIDENCE


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (lambda log: replace(log.request(0, 5), proof=(b"x" * 32,)), 422),
        (lambda log: replace(log.request(0, 5), old=6), 400),
        (lambda log: replace(log.request(0, 5), old=MAX_SIZE), 400),
        (lambda log: History(LogKeys.generate("stranger.example")).request(0, 5), 404),
        (lambda log: History(LogKeys.generate(log.keys.origin)).request(0, 5), 403),
        (lambda log: replace(log.request(0, 5), note=resigned(log, tampered=True)), 403),
        (lambda log: replace(log.request(0, 0), note=resigned(log, size=0)), 422),
    ],
)
def test_what_does_not_hold_is_refused(
    house: House, log: History, wrong: object, status: int
) -> None:
    assert callable(wrong)
    answer = house.ask(wrong(log))
    assert answer.status == status
    assert house.store.read(log.keys.origin) is None


def resigned(log: History, *, size: int = 5, tampered: bool = False) -> str:
    """A note over some other root; tampered: it keeps the signatures of the right one."""
    other = sign_checkpoint(log.keys, size=size, root=bytes(32), at=NOON)
    if not tampered:
        return other
    return other.partition("\n\n")[0] + "\n\n" + log.note(size).partition("\n\n")[2]


def test_one_of_the_log_s_keys_is_enough_and_unknown_lines_are_ignored(
    tmp_path: Path, log: History, keys: LogKeys
) -> None:
    store = WitnessStore(tmp_path / "w.db", create=True)
    logs = {keys.origin: keys.verifiers[:1]}
    witness = Witness(COSIGNER, logs=logs, rows=store, clock=lambda: NOON)
    stranger = Cosigner.generate(COSIGNER.name)  # even under our own name
    text = Checkpoint.unverified(log.note(5)).text
    note = log.note(5) + stranger.cosign(text, at=NOON) * 8
    assert witness.add_checkpoint(Request(0, (), note).text.encode()).status == 200
    shown = witness.checkpoint(origin_hash(keys.origin)).body.decode()
    # What it shows is only what it has verified: the log's Ed25519 line, and its own two.
    assert len(shown.partition("\n\n")[2].splitlines()) == 3


def test_a_log_with_extension_lines_can_be_witnessed(tmp_path: Path, keys: LogKeys) -> None:
    log = History(keys)
    text = Checkpoint(keys.origin, 5, log.root(5)).text + "extension\n"
    line = write_line(keys.verifiers[0], keys.ed25519.sign(text.encode()))
    witness = House(tmp_path / "w.db", keys).witness
    answer = witness.add_checkpoint(Request(0, (), f"{text}\n{line}").text.encode())
    note = open_note(f"{text}\n{answer.body.decode()}", COSIGNER.verifiers)
    assert len(note.signatures) == 2
    blank = Request(0, (), f"{text}\nmore\n\n{line}")
    assert witness.add_checkpoint(blank.text.encode()).status == 400


@pytest.mark.parametrize("now", [0, 999, NOON - 1000])
def test_it_does_not_sign_with_a_clock_that_is_wrong(house: House, log: History, now: int) -> None:
    house.ask(log.request(0, 3))
    house.now = now
    assert house.ask(log.request(3, 5)).status == 503
    house.now = NOON
    assert house.ask(log.request(3, 5)).status == 200


def test_a_first_cosignature_needs_a_clock_too(house: House, log: History) -> None:
    house.now = 0
    assert house.ask(log.request(0, 3)).status == 503
    assert house.store.read(log.keys.origin) is None
