"""The data beside the code: rule packs, words, calendar, canonical facts, document numbers."""

import hashlib
import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import CALENDAR, MONDAY, PACK

from ledger.entry import canonical_json
from server.domain.canonical import canonical
from server.domain.case import CaseState
from server.domain.certificate import format_number
from server.domain.errors import CODES, DomainError
from server.domain.resident_id import age_on, check_character, require_resident_id
from server.domain.rules import BUILT_IN, LANGUAGES, load_pack
from server.domain.words import load_words


def test_the_pack_has_nine_steps_and_claims_over_them():
    assert [step.number for step in PACK.steps] == list(range(1, 10))
    keys = {step.key for step in PACK.steps}
    known = {each.key for step in PACK.steps for each in step.evidence}
    for claim in PACK.claims:
        assert set(claim.steps) <= keys
        assert set(claim.evidence) <= known


def test_every_word_of_the_pack_is_there_in_both_languages():
    shown = [PACK.title, PACK.summary, PACK.instead, PACK.explanation, PACK.means]
    shown += [field.label for field in PACK.fields]
    shown += [option.label for field in PACK.fields for option in field.options]
    shown += [words for each in PACK.consents for words in (each.title, each.text, each.refusal)]
    shown += [words for each in PACK.steps for words in (each.title, each.instruction)]
    shown += [each.title for step in PACK.steps for each in step.evidence]
    for words in shown:
        assert all(words[language] for language in LANGUAGES)


def test_a_pack_without_a_step_is_refused(tmp_path):
    text = (BUILT_IN / "poa-remote.toml").read_text()
    broken = tmp_path / "broken.toml"
    start = text.index("[[steps]]")
    broken.write_text(text[:start] + text[text.index("[[steps]]", start + 1) :])
    with pytest.raises(ValueError, match="nine steps"):
        load_pack(broken)
    broken.write_text(text.replace("fee_yuan = 150", ""))
    with pytest.raises(ValueError, match="fee_yuan"):
        load_pack(broken)


def test_every_state_has_words():
    words = load_words()
    assert words.keys("state") == {state.value for state in CaseState}
    for state in CaseState:
        assert words.word("state", state.value, "en") != state.value


def test_a_refusal_has_a_known_code():
    with pytest.raises(LookupError):
        DomainError("never-heard-of")
    assert all(set(code) <= set(string.ascii_lowercase + "-") for code in CODES)


def test_the_calendar_knows_moved_days():
    assert not CALENDAR.is_working(date(2026, 10, 1))
    assert CALENDAR.is_working(date(2026, 10, 10))  # a Saturday that is worked
    assert not CALENDAR.is_working(date(2026, 11, 22))
    assert CALENDAR.day(MONDAY) == date(2026, 11, 23)
    assert CALENDAR.day(MONDAY - 8 * 3_600_000 - 1) == date(2026, 11, 22)


def test_the_number_is_printed_as_the_office_does():
    text = format_number(PACK.number_format, year=2026, number_class=PACK.number_class, serial=12)
    assert text == "（2026）示远山证字第12号"


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.printable, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_our_canonical_form_is_the_ledgers(value):
    assert canonical(value) == canonical_json(value)


@pytest.mark.parametrize("value", [1.5, {"a": [0.1]}, {1: 2}, {"é": 1}, object()])
def test_what_has_no_single_form_is_refused(value):
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [2**53, {"a": [-(2**53)]}, 10**30])
def test_an_integer_the_ledger_refuses_never_becomes_an_event(value):
    with pytest.raises(ValueError, match="2\\^53"):
        canonical(value)


def test_the_published_example_of_gb_11643():
    # GB 11643-1999, annex: 11010519491231002X
    assert check_character("11010519491231002") == "X"
    assert require_resident_id("11010519491231002X") == date(1949, 12, 31)


@given(st.from_regex(r"[1-9][0-9]{16}", fullmatch=True), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(digits, place, change):
    right = check_character(digits)
    wrong = digits[:place] + str((int(digits[place]) + change) % 10) + digits[place + 1 :]
    assert check_character(wrong) != right


def test_an_age_is_of_completed_years():
    assert age_on(date(2008, 11, 24), date(2026, 11, 23)) == 17
    assert age_on(date(2008, 11, 23), date(2026, 11, 23)) == 18


def test_a_consent_names_the_words_it_was_given_to():
    rule = PACK.consents[0]
    assert rule.text_sha256("en") == hashlib.sha256(rule.text["en"].encode()).hexdigest()


def test_the_consent_to_comparison_says_what_is_measured_of_everybody():
    """The watcher counts faces and looks at the picture's quality also for who refuses."""
    (rule,) = [each for each in PACK.consents if each.id == "biometrics"]
    assert not rule.required
    assert "无论您是否同意" in rule.text["zh-CN"]
    assert "几张脸" in rule.text["zh-CN"]
    assert "Whether you agree or not" in rule.text["en"]
    assert "counts the faces" in rule.text["en"]
