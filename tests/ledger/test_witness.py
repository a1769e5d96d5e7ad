"""The witness: what it signs, what it refuses, and that it never forgets."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import DamageError, StoreError
from ledger.note import (
    MAX_SIZE,
    Checkpoint,
    Cosigner,
    LogKeys,
    open_note,
    sign_checkpoint,
    write_line,
)
from ledger.witness import (
    SIZE_TYPE,
    Answer,
    Request,
    Row,
    Witness,
    origin_hash,
)
from ledger.witness_store import MOST_EVIDENCE, WitnessStore
from tests.ledger.histories import History
from tests.ledger.house import NOON

COSIGNER = Cosigner.generate("witness.example/w1")


class House:
    """A witness over a file, with a clock the test holds."""

    def __init__(self, path: Path, keys: LogKeys) -> None:
        self.now = NOON
        self.store = WitnessStore(path, create=True)
        self.witness = Witness(
            COSIGNER, logs={keys.origin: keys.verifiers}, rows=self.store, clock=lambda: self.now
        )

    def ask(self, request: Request | bytes) -> Answer:
        body = request if isinstance(request, bytes) else request.text.encode()
        return self.witness.add_checkpoint(body)


@pytest.fixture
def house(tmp_path: Path, keys: LogKeys) -> House:
    return House(tmp_path / "witness.db", keys)


@pytest.fixture
def log(keys: LogKeys) -> History:
    return History(keys)


def cosigned(answer: Answer, request: Request) -> str:
    """The request's note with what the witness answered, every line of it verified."""
    assert answer.status == 200, answer
    note = request.note + answer.body.decode()
    assert [each.verifier for each in open_note(note, COSIGNER.verifiers).signatures] == [
        *COSIGNER.verifiers
    ]
    return note


# -- the witness ----------------------------------------------------------------------------------


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


def malformed(log: History) -> list[bytes]:
    body = log.request(3, 7).text
    first, _, rest = body.partition("\n")
    note = log.note(7)
    filler = b64encode(bytes(32)).decode()
    return [
        b"",
        b"\n\n",
        body.encode("utf-16"),
        b"\xff" + body.encode(),
        body.replace("\n", "\r\n").encode(),
        f"{first}\r\n{rest}".encode(),
        body.replace("old 3", "old 03").encode(),
        body.replace("old 3", "old +3").encode(),
        body.replace("old 3", "old  3").encode(),
        body.replace("old 3", "old -1").encode(),
        body.replace("old 3", "old \u0663").encode(),
        body.replace("old 3", f"old {MAX_SIZE + 1}").encode(),
        body.replace("old 3", "old " + "9" * 5000).encode(),
        body.replace("old 3", "Old 3").encode(),
        body.replace("old 3\n", "").encode(),
        body.replace("=\n", "\n").encode(),
        body.replace("\n\n", "\n", 1).encode(),
        body.replace("\n\n", "\n\n\n", 1).encode(),
        ("old 3\n" + f"{filler}\n" * 64 + "\n" + note).encode(),
        f"old 3\n{b64encode(bytes(31)).decode()}\n\n{note}".encode(),
        f"old 0\n\n{note.replace(chr(10) + '7' + chr(10), chr(10) + '07' + chr(10))}".encode(),
        f"old 0\n\n{note.rstrip()}".encode(),
        f"old 0\n\n{note.partition(chr(10) * 2)[0]}\n\n".encode(),
        f"old 0\n\n{note}\x00".encode(),
        b"x" * 5_000_000,
    ]


@pytest.mark.parametrize("number", range(25))
def test_a_malformed_request_is_refused_without_a_parser_s_exception(
    house: House, log: History, number: int
) -> None:
    house.ask(log.request(0, 3))
    before = house.store.read(log.keys.origin)
    assert house.ask(malformed(log)[number]).status == 400
    assert house.store.read(log.keys.origin) == before


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_request_is_never_cosigned_as_another(data: st.DataObject) -> None:
    log = History(KEYS)
    request = log.request(3, 7)
    raw = bytearray(request.text.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    seen = Row(3, log.root(3), 0, "")
    moved = Once(seen)
    witness = Witness(COSIGNER, logs={KEYS.origin: KEYS.verifiers}, rows=moved, clock=lambda: NOON)
    answer = witness.add_checkpoint(bytes(raw))
    if answer.status == 200:  # another line than a signature's, or nothing, was changed
        assert (moved.row.size, moved.row.root) == (7, log.root(7))
    else:
        assert moved.row == seen
        assert answer.status in (400, 403, 404, 409, 422)


KEYS = LogKeys.generate("office.example/ledger")


class Once:
    """One row in memory."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def read(self, origin: str) -> Row | None:
        return self.row

    def by_hash(self, origin_hash: str) -> Row | None:
        return self.row

    def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
        self.row = after
        return True

    def keep_evidence(self, origin: str, body: bytes) -> None:
        """Nobody looks at it here."""


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


# -- its memory -----------------------------------------------------------------------------------


def test_of_two_at_once_one_wins(tmp_path: Path, keys: LogKeys) -> None:
    """Two histories, two connections to one file, at the same moment, many times."""
    for number in range(10):
        together = threading.Barrier(2, timeout=30)
        houses = [House(tmp_path / f"{number}.db", keys) for _ in "ab"]
        requests = [History(keys, name).request(0, 5) for name in "ab"]

        def ask(house: House, request: Request, together: threading.Barrier = together) -> int:
            together.wait()
            return house.ask(request).status

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(ask, houses, requests)) == [200, 409]
        for house in houses:
            house.store.close()


def test_a_race_between_look_and_replace_is_lost_by_the_second(
    house: House, log: History, keys: LogKeys, tmp_path: Path
) -> None:
    """The specification's race: the smaller tree is checked first and recorded last."""

    class Slow(WitnessStore):
        def read(self, origin: str) -> Row | None:
            row = super().read(origin)
            if not self.late:
                self.late = True
                house.ask(log.request(0, 9))
            return row

        late = False

    slow = Slow(tmp_path / "witness.db", create=False)
    witness = Witness(COSIGNER, logs={keys.origin: keys.verifiers}, rows=slow, clock=lambda: NOON)
    answer = witness.add_checkpoint(log.request(0, 4).text.encode())
    assert answer == Answer(409, b"9\n", SIZE_TYPE)
    row = house.store.read(keys.origin)
    assert row is not None
    assert row.size == 9
    slow.close()


def dies_after_replacing(path: str, body: bytes, origin: str, vkeys: tuple[str, ...]) -> None:
    """Run in a process of its own: the row is durable, the answer never leaves."""
    from ledger.note import Verifier

    class Dying(WitnessStore):
        def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
            done = super().replace(origin, before=before, after=after)
            os.kill(os.getpid(), signal.SIGKILL)
            return done

    logs = {origin: tuple(Verifier.parse(vkey) for vkey in vkeys)}
    store = Dying(Path(path), create=False)
    Witness(COSIGNER, logs=logs, rows=store, clock=lambda: NOON).add_checkpoint(body)


def test_killed_between_the_row_and_the_answer_it_signs_no_second_history(
    house: House, log: History, keys: LogKeys, tmp_path: Path
) -> None:
    house.ask(log.request(0, 3))
    house.store.close()
    process = multiprocessing.get_context("forkserver").Process(
        target=dies_after_replacing,
        args=(
            str(tmp_path / "witness.db"),
            log.request(3, 8).text.encode(),
            keys.origin,
            tuple(key.vkey for key in keys.verifiers),
        ),
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    again = House(tmp_path / "witness.db", keys)
    other = History(keys, "b", fork=3)
    # To the log nothing was cosigned. To the witness something was, and it does not forget.
    assert again.ask(other.request(3, 8)) == Answer(409, b"8\n", SIZE_TYPE)
    assert again.ask(other.request(8, 8)).status == 422
    assert again.ask(log.request(3, 8)) == Answer(409, b"8\n", SIZE_TYPE)
    cosigned(again.ask(log.request(8, 8)), log.request(8, 8))


def test_a_disk_that_does_not_record_gets_no_cosignature(
    house: House, log: History, tmp_path: Path
) -> None:
    house.ask(log.request(0, 3))
    house.store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="Nothing was cosigned"):
        house.ask(log.request(3, 5))
    house.store._connection.execute("PRAGMA query_only = OFF")
    cosigned(house.ask(log.request(3, 5)), log.request(3, 5))


def test_a_lost_memory_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match="retire"):
        WitnessStore(tmp_path / "witness.db", create=False)
    assert not (tmp_path / "witness.db").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM cosigned",
        "UPDATE cosigned SET size = 4",
        "UPDATE cosigned SET root = zeroblob(32)",
        "UPDATE cosigned SET origin = 'other'",
        "INSERT OR REPLACE INTO cosigned SELECT origin, origin_hash, 0, root, 0, note "
        "FROM cosigned",
    ],
)
def test_the_table_itself_does_not_forget(house: House, log: History, statement: str) -> None:
    house.ask(log.request(0, 5))
    with pytest.raises(Exception, match=r"forget|grows|has a row"):
        house.store._connection.execute(statement)
    row = house.store.read(log.keys.origin)
    assert row is not None
    assert row.size == 5
