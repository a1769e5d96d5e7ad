"""The seal and handwriting are outlines, whole, and never carry markup."""

from xml.etree import ElementTree as xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.documents import serif
from signing.errors import SigningError
from signing.seal import SEAL_RED, Strokes, office_seal_svg, strokes_svg
from tests.documents.sample import handwriting

SVG = "{http://www.w3.org/2000/svg}"


def test_the_seal_is_rim_star_and_outlines_in_one_red() -> None:
    seal = xml.fromstring(office_seal_svg("示例市远山公证处", font=serif(), line="样本"))
    assert seal.get("viewBox") == "0 0 200 200"
    assert not seal.findall(f".//{SVG}text")  # outlines need no font where they are shown
    star, glyphs = seal.findall(f"{SVG}path")
    assert star.get("d", "").count("L") == 9
    assert star.get("fill") == glyphs.get("fill") == SEAL_RED
    # Each character has at least one closed outline.
    assert glyphs.get("d", "").count("Z") >= len("示例市远山公证处样本")


def test_long_names_stay_on_the_rim() -> None:
    seal = office_seal_svg("中华人民共和国示例省示例市远山区远山公证处", font=serif())
    numbers = [
        float(number)
        for path in xml.fromstring(seal).findall(f"{SVG}path")
        for number in _numbers(path.get("d", ""))
    ]
    assert min(numbers) > 0
    assert max(numbers) < 200


def _numbers(path: str) -> list[str]:
    for letter in "MLHVCQZ":
        path = path.replace(letter, " ")
    return path.replace(",", " ").replace("-", " -").split()


def test_a_seal_without_a_glyph_is_refused_by_name() -> None:
    with pytest.raises(SigningError, match="𠮷"):
        office_seal_svg("𠮷田公证处", font=serif())


def test_a_title_is_text_not_markup() -> None:
    svg = strokes_svg(handwriting(), title='<script>"&')
    title = xml.fromstring(svg).find(f"{SVG}title")
    assert title is not None
    assert title.text == '<script>"&'


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(
            st.tuples(st.floats(0, 320), st.floats(0, 120), st.floats(0, 9999), st.floats(0, 1)),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_every_stroke_is_drawn_in_both_forms(strokes: list[list[tuple[float, ...]]]) -> None:
    parsed = Strokes.parse({"width": 320, "height": 120, "strokes": strokes})
    path = xml.fromstring(strokes_svg(parsed)).find(f"{SVG}path")
    assert path is not None
    curves = sum(max(len(stroke) - 1, 1) for stroke in strokes)
    assert path.get("d", "").count("M") == len(strokes)
    assert path.get("d", "").count("C") == curves
    operators = parsed.pdf_operators(170, 62).decode().splitlines()
    assert sum(line.endswith(" m") for line in operators) == len(strokes)
    assert sum(line.endswith(" c") for line in operators) == curves
    assert operators[0] == "q"
    assert operators[-1] == "Q"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"width": 320, "height": 120, "strokes": []},
        {"width": 320, "height": 120, "strokes": [[]]},
        {"width": 0, "height": 120, "strokes": [[[1, 1, 0, 1]]]},
        {"width": 320, "height": 120, "strokes": [[[1, 1, 0]]]},
        {"width": 320, "height": 120, "strokes": [[["x", 1, 0, 1]]]},
        {"width": 320, "height": 120, "strokes": [[[float("nan"), 1, 0, 1]]]},
        {"width": float("nan"), "height": 120, "strokes": [[[1, 1, 0, 1]]]},
        {"width": 320, "height": 120, "strokes": [[[1, 1, 0, 1]] * 20_001]},
        {"width": 320, "height": 120, "strokes": 7},
    ],
)
def test_what_is_no_handwriting_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(SigningError):
        Strokes.parse(data)
