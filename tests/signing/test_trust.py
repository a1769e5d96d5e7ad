"""trust.json: what it must say before anything is believed."""

import json
from typing import Any

import pytest

from signing.ca import Office
from signing.errors import TrustError
from signing.trust import Trust


def test_an_offices_trust_is_read_back(office: Office) -> None:
    trust = Trust.load(json.dumps(office.trust()).encode())

    assert trust.root_fingerprint == office.root_fingerprint
    assert trust.origin == office.profile.origin
    assert {key.vkey for key in trust.log_keys} == {v.vkey for v in office.log_keys.verifiers}
    assert trust.notes == ("demo-office", "no-witness", "own-time")


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"roots": []},
        {"roots": ["no certificate"]},
        {"tsa_roots": []},
        {"ledger": {"origin": "x", "vkeys": []}},
        {"ledger": {"origin": "x", "vkeys": ["x+00000000+AAAA"]}},
        {"seal": None},
        {"witnesses": None},
    ],
)
def test_a_trust_that_gives_nothing_to_stand_on_is_refused(
    office: Office, change: dict[str, Any]
) -> None:
    with pytest.raises(TrustError):
        Trust.parse(office.trust() | change)


@pytest.mark.parametrize(
    "field",
    [
        *("v", "office", "office.name_zh", "office.name_en", "demo", "ledger", "ledger.origin"),
        *("ledger.vkeys", "roots", "tsa_roots", "seal", "seal.subject", "witnesses", "valid_from"),
    ],
)
def test_what_it_lacks_is_named_in_a_sentence(office: Office, field: str) -> None:
    value = json.loads(json.dumps(office.trust()))
    *above, last = field.split(".")
    del (value[above[0]] if above else value)[last]

    with pytest.raises(TrustError) as refused:
        Trust.parse(value)

    assert (refused.value.reason, refused.value.detail["field"].partition(".")[0]) == (
        "lacks",
        field.partition(".")[0],
    )
    assert refused.value.detail["field"].startswith(field)
    named = refused.value.detail["field"]
    assert str(refused.value) == (
        f'this trust.json lacks the field "{named}"; take it from the office once more'
    )


def test_what_a_former_ledger_lacks_is_named_too(office: Office) -> None:
    value = office.trust()
    value["ledger"] = {**value["ledger"], "former": [{"origin": "old.example/ledger"}]}

    with pytest.raises(TrustError, match='lacks the field "vkeys"'):
        Trust.parse(value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * 1_000_001])
def test_what_is_no_trust_json_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError):
        Trust.load(data)


def test_a_ledger_key_of_another_ledger_is_refused(office: Office) -> None:
    value = office.trust()
    value["ledger"] = {**value["ledger"], "origin": "elsewhere/ledger"}

    with pytest.raises(TrustError, match="is not of the log"):
        Trust.parse(value)
