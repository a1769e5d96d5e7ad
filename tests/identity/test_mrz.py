"""ICAO 9303's own specimens, and what a text reader makes of them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identity import mrz
from server.identity.consistency import judge

TODAY = date(2026, 11, 23)
# ICAO Doc 9303-4 (8th edition) appendix B, 9303-6 appendix B, 9303-5 appendix B.
TD3 = (
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
)
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = (
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
)


def parse(*lines: str) -> mrz.Zone | None:
    return mrz.parse([(line, 0.9) for line in lines], today=TODAY)


@pytest.mark.parametrize(
    ("lines", "form", "number"),
    [(TD3, "TD3", "L898902C3"), (TD2, "TD2", "D23145890"), (TD1, "TD1", "D23145890")],
)
def test_the_specimens(lines: tuple[str, ...], form: str, number: str) -> None:
    zone = parse("REPUBLIC OF UTOPIA", *lines)
    assert zone is not None
    assert zone.format == form
    values = {name: field.value for name, field in zone.fields.items()}
    assert values["number"] == number
    assert values["name"] == "ERIKSSON ANNA MARIA"
    assert (values["birth"], values["sex"], values["valid_to"]) == (
        "1974-08-12", "女", "2012-04-15",
    )  # fmt: skip
    assert (values["nationality"], values["issuer"]) == ("UTO", "UTO")
    assert {zone.fields[n].check for n in ("number", "birth", "valid_to", "composite")} == {"ok"}


@pytest.mark.parametrize(
    "second",
    [
        "L898902C36UT07408122F1204159ZE184226B<<<<<10",  # UTO read as UT0
        "L8989O2C36UTO74O8122F12O4159ZE184226B<<<<<1O",  # noughts as letters
        "L898902C36UTO7408122F1204159ZE184226B<<<10",  # fillers lost
        "L898902C36UTO7408122F1204159ZE184226B<<<<<<<10",  # fillers gained
        "l898902c36uto7408122f1204159ze184226b《<<<10",  # two fillers read as one bracket
    ],
)
def test_what_readers_do_to_it(second: str) -> None:
    zone = parse(TD3[0], second)
    assert zone is not None
    assert zone.fields["number"].value == "L898902C3"
    checked = ("number", "birth", "valid_to", "composite", "personal_number")
    assert {zone.fields[name].check for name in checked} == {"ok"}


def test_a_repair_says_that_it_is_one() -> None:
    zone = parse(TD3[0], TD3[1].replace("L898902C3", "L8989O2C3"))
    assert zone is not None
    assert zone.fields["number"].note == "note.repaired"
    assert [f.text_key for f in judge(zone.fields, crop=b"", today=date(2010, 1, 1), at=1)] == [
        "document.repaired"
    ]


@given(st.integers(0, 43), st.sampled_from("3479ACEKM"))
def test_a_changed_character_is_never_called_ok_everywhere(place: int, to: str) -> None:
    covered = [*range(10), *range(13, 20), *range(21, 44)]
    if place not in covered or TD3[1][place] == to:
        return
    zone = parse(TD3[0], TD3[1][:place] + to + TD3[1][place + 1 :])
    checks = [] if zone is None else [
        zone.fields[name].check
        for name in ("number", "birth", "valid_to", "composite", "personal_number")
        if name in zone.fields
    ]  # fmt: skip
    # A letter worth the same as a digit modulo 10 passes any check digit of ICAO 9303.
    alike = (int(to, 36) - (0 if TD3[1][place] == "<" else int(TD3[1][place], 36))) % 10 == 0
    repaired = zone is not None and zone.fields["number"].note == "note.repaired"
    assert alike or repaired or checks.count("ok") < 5


def test_no_zone_no_fields() -> None:
    assert parse("姓名申请人甲", "公民身份号码329900198808080022") is None
    assert parse() is None


@given(st.lists(st.text(max_size=60), max_size=6))
def test_no_text_is_too_strange(texts: list[str]) -> None:
    mrz.parse([(text, 0.5) for text in texts], today=TODAY)


@given(st.text(alphabet="PUTO<0123456789ABCZLIS", min_size=30, max_size=48))
def test_no_line_is_too_strange(line: str) -> None:
    parse(line, TD3[1][:28] + line)
