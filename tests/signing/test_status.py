"""Signed status lists: what they say, and that nobody else can say it."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing import status
from signing.ca import Office, open_office
from signing.errors import SigningError, StatusError
from signing.keys import Secret
from signing.trust import Trust
from tests.signing.cast import PASSPHRASE, profile


@pytest.fixture(scope="module")
def at(office: Office) -> int:
    """When the lists were made: not before the office was founded."""
    return office.clock()


@pytest.fixture(scope="module")
def trust(office: Office) -> Trust:
    return Trust.parse(office.trust())


@pytest.fixture(scope="module")
def signed(office: Office, at: int) -> dict[str, Any]:
    return status.build([3, 130, 200_000], office=office, at=at)


def test_a_list_says_who_is_revoked_and_as_of_when(
    signed: dict[str, Any], trust: Trust, at: int
) -> None:
    found = status.check(signed, trust)

    assert [index for index in range(200_008) if found.revoked(index)] == [3, 130, 200_000]
    assert found.as_of == at
    assert found.next_update == at + 24 * 3_600_000


def test_beyond_the_list_nothing_is_said(office: Office, trust: Trust, at: int) -> None:
    found = status.check(status.build([], office=office, at=at), trust)

    assert not found.revoked(131_071)
    for index in (131_072, -1):
        with pytest.raises(StatusError):
            found.revoked(index)


def test_the_credential_is_a_bitstring_status_list(signed: dict[str, Any]) -> None:
    payload = json.loads(base64.urlsafe_b64decode(signed["payload"] + "=="))
    subject = payload["credentialSubject"]
    bits = gzip.decompress(base64.urlsafe_b64decode(subject["encodedList"][1:] + "=="))

    assert "BitstringStatusListCredential" in payload["type"]
    assert subject["type"] == "BitstringStatusList"
    # Index 0 is the left-most bit of the first byte (Bitstring Status List 2.1).
    assert bits[0] == 0b0001_0000
    assert bits[16] == 0b0010_0000


@given(st.sampled_from(["protected", "payload", "signature"]), st.data())
def test_a_changed_list_does_not_hold(
    signed: dict[str, Any], trust: Trust, part: str, data: st.DataObject
) -> None:
    text = signed[part]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABab01-_=é").filter(lambda c: c != text[at]))

    with pytest.raises(SigningError):
        status.check({**signed, part: text[:at] + other + text[at + 1 :]}, trust)


@pytest.mark.parametrize("value", [{}, {"protected": 1}, {"protected": "e30", "payload": "e30"}])
def test_what_is_no_list_is_a_status_error(value: dict[str, Any], trust: Trust) -> None:
    with pytest.raises(StatusError):
        status.check(value, trust)


def test_another_offices_list_does_not_hold(
    signed: dict[str, Any], at: int, tmp_path: Path
) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=lambda: at)

    with pytest.raises(SigningError):
        status.check(signed, Trust.parse(other.trust()))
