"""A note, its keys and a policy that the pages' tests read too: both say the same of every line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.errors import NoteError
from ledger.note import Verifier, open_checkpoint
from ledger.policy import Policy

SHARED = Path(__file__).parents[2] / "web" / "src" / "ledger" / "cosigned.json"


def test_the_log_and_a_quorum_have_signed_the_note_that_the_pages_tests_read():
    shared = json.loads(SHARED.read_text())
    policy = Policy.parse(shared["policy"].encode())
    log = [Verifier.parse(vkey) for vkey in shared["log"]]
    assert open_checkpoint(shared["note"], log).size == shared["size"]
    cosigned = policy.cosignatures(shared["note"])
    assert {each.verifier.vkey for each in cosigned} == set(shared["cosigned"])
    assert {each.time for each in cosigned} == {shared["time"]}
    assert policy.holds(shared["note"])
    for wrong in shared["forged"]:
        with pytest.raises(NoteError):
            policy.cosignatures(wrong)
    for lacking in shared["lacking"]:
        assert not policy.holds(lacking)
