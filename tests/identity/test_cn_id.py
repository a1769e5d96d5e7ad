"""GB 11643 numbers: the standard's own examples, and every wrong digit."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.resident_id import check_character
from server.identity import cn_id
from server.identity.consistency import judge
from server.identity.findings import Field


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_examples_of_the_standard_add_up(number: str) -> None:
    assert cn_id.adds_up(number)


@given(st.from_regex(r"[0-9]{17}", fullmatch=True), st.integers(0, 17), st.integers(1, 9))
def test_any_single_wrong_digit_is_noticed(first: str, place: int, off: int) -> None:
    number = first + check_character(first)
    assert cn_id.adds_up(number)
    old = 10 if number[place] == "X" else int(number[place])
    wrong = number[:place] + str((old + off) % 10) + number[place + 1 :]
    assert wrong == number or not cn_id.adds_up(wrong)


@given(st.from_regex(r"[0-9]{17}", fullmatch=True), st.integers(0, 15))
def test_any_two_neighbours_swapped_are_noticed(first: str, place: int) -> None:
    number = first + check_character(first)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert swapped == number or not cn_id.adds_up(swapped)


def test_facts() -> None:
    facts = cn_id.facts("11010519491231002X")
    assert facts == cn_id.NumberFacts("110105", date(1949, 12, 31), "女")
    assert cn_id.facts("110105194913310021") is None
    assert cn_id.facts("x") is None


def test_an_expired_document_is_a_problem() -> None:
    def field(value: str) -> Field:
        return Field(value=value, check="ok", confidence=1.0)

    fields = {"valid_from": field("2015-01-01"), "valid_to": field("2025-01-01")}
    today = date(2026, 1, 1)
    (finding,) = judge(fields, crop=b"", today=today, at=1)
    assert (finding.level, finding.text_key) == ("problem", "document.expired")
    fields = {"valid_from": field("2027-01-01"), "valid_to": field("长期")}
    (finding,) = judge(fields, crop=b"", today=today, at=1)
    assert finding.text_key == "document.not_yet_valid"
