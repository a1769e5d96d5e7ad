"""What is kept of what somebody types into one field."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.fields import clean, problems
from server.domain.resident_id import check_character
from server.domain.rules import load_packs

FIELDS = {field.key: field for field in load_packs()["poa-remote"].fields}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("周\u202e杰", "周杰"),  # right to left from here
        ("\u2066周杰\u2069\u200b", "周杰"),
        ("周\x00杰\x1b", "周杰"),
        ("周\n杰\t夫", "周 杰 夫"),
        ("\u3000周杰\u00a0", "周杰"),
        ("买买提·艾力", "买买提·艾力"),
        ("O'Neil-Ünal", "O'Neil-Ünal"),
        ("周\U00030000", "周\U00030000"),
    ],
)
def test_of_a_name_is_kept_what_can_be_seen(typed, kept):
    assert clean(FIELDS["applicant_name"], typed) == kept


def test_lines_stay_where_there_are_lines():
    typed = "一\r\n二\n\u202e三"
    assert clean(FIELDS["subject"], typed) == "一\n二\n三"


@pytest.mark.parametrize(
    "typed", ["１１０１０１１９９００１０１１２３ｘ", "110101 19900101 123x", "11010119900101123X"]
)
def test_a_number_is_read_however_a_keyboard_writes_it(typed):
    assert clean(FIELDS["document_number"], typed) == "11010119900101123X"


@given(st.text(max_size=60))
def test_cleaning_twice_is_cleaning_once(typed):
    field = FIELDS["applicant_name"]
    once = clean(field, typed)
    assert clean(field, once) == once
    assert "\n" not in str(once)


@pytest.mark.parametrize("key", ["document_number", "attorney_number"])
def test_nobody_is_born_tomorrow(key):
    digits = "11010520300102123"
    number = digits + check_character(digits)
    pack, form = load_packs()["poa-remote"], {"document_type": "resident_id", key: number}
    found = problems(pack, form, day=date(2030, 1, 1), missing_glyphs=lambda _: ())
    assert found[key].code == "id-number-birth-date"
    born = problems(pack, form, day=date(2060, 1, 2), missing_glyphs=lambda _: ())
    assert key not in born
