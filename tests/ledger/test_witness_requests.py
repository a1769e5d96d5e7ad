"""What is put to a witness: malformed requests, and requests that were changed on the way."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.note import (
    MAX_SIZE,
    LogKeys,
)
from ledger.witness import Row, Witness
from tests.ledger.histories import History
from tests.ledger.house import NOON
from tests.ledger.witness_house import COSIGNER, House


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
