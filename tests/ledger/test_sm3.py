"""SM3 as others compute it, and the commitment that is made of it."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import commitment_sm3, sm3
from ledger.errors import EntryError


def openssl(content: bytes) -> bytes:
    """The digest Debian's openssl prints."""
    command = ("openssl", "dgst", "-sm3", "-binary")
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def test_the_published_examples_hold() -> None:
    # GB/T 32905-2016, appendix A
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=300))
def test_openssl_computes_the_same(content: bytes) -> None:
    assert openssl(content) == sm3(content)


def test_openssl_can_check_a_commitment() -> None:
    salt, content = bytes(range(32)), b"a cluster of video"
    made = openssl(b"ledger/commit/v1\0" + salt + openssl(content))
    assert made.hex() == commitment_sm3(salt, sm3(content))


@pytest.mark.parametrize(("salt", "digest"), [(31, 32), (32, 31), (32, 0)])
def test_a_commitment_takes_a_salt_and_a_digest(salt: int, digest: int) -> None:
    with pytest.raises(EntryError, match="SM3 digest"):
        commitment_sm3(bytes(salt), bytes(digest))
