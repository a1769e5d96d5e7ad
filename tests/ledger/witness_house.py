"""What the tests of the witness stand on: one over a file, with a clock in the hand."""

from __future__ import annotations

from pathlib import Path

from ledger.note import Cosigner, LogKeys, open_note
from ledger.witness import Answer, Request, Witness
from ledger.witness_store import WitnessStore
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


def cosigned(answer: Answer, request: Request) -> str:
    """The request's note with what the witness answered, every line of it verified."""
    assert answer.status == 200, answer
    note = request.note + answer.body.decode()
    assert [each.verifier for each in open_note(note, COSIGNER.verifiers).signatures] == [
        *COSIGNER.verifiers
    ]
    return note
