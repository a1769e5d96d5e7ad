"""DER read by asn1crypto and given back to the byte."""

import pytest
from asn1crypto import cms, x509
from hypothesis import given
from hypothesis import strategies as st

from signing import der


@given(st.integers(1, 700))
def test_a_value_is_given_back_as_it_was_read(size: int) -> None:
    # Not in DER's order, so that whoever encodes the set anew changes it.
    read = der.element(0x31, der.octets(b"b" * size), der.octets(b"a" * size))
    assert der.as_read(cms.SetOfOctetString.load(read)) == read


def test_a_length_that_ends_in_0x80_is_not_indefinite() -> None:
    read = der.element(0x31, der.octets(b"b" * 62), der.octets(b"a" * 62))
    assert read[:3] == b"\x31\x81\x80"
    assert cms.SetOfOctetString.load(read).dump() != read, "as_read is not needed any more"
    assert der.as_read(cms.SetOfOctetString.load(read)) == read


def test_a_choice_is_what_was_chosen() -> None:
    name = x509.Name.build({"common_name": "张远山"})
    assert der.as_read(x509.Name.load(name.dump())) == name.dump()


@pytest.mark.parametrize("encoding", ["", "30800000", "30810100", "30003000", "300500"])
def test_only_one_exact_element_is_der(encoding: str) -> None:
    with pytest.raises(ValueError, match=r"element|length"):
        der.require_exact(bytes.fromhex(encoding))
