"""The power of attorney and the volume: PDF/A, the same bytes, data that stays data."""

import copy
import io
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from server.documents import (
    Attachment,
    FactsError,
    GlyphsMissingError,
    RenderError,
    missing_glyphs,
    page_images,
    render_certificate,
    render_document,
    serif,
)
from server.documents.dates import chinese_date, english_date
from signing.seal import office_seal_svg, strokes_svg
from tests.documents.sample import CERTIFICATE, CODE, DOCUMENT, VERIFY_URL, handwriting

ENGLISH: dict[str, Any] = {
    **DOCUMENT,
    "principal": {"name": "Zhou Mingyuan", "id_number": "110101198803120014"},
    "attorney": {"name": "Zhou Jianguo", "id_number": "110101195506150018", "relation": "Parent"},
    "matter": "Sale or transfer of a home",
    "subject": "66 Songtao Street, Yuanshan",
    "powers": ["Sign the contracts and papers", "Pay taxes and fees"],
    "place": "",
    "reference": "",
}


def changed(facts: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    result = copy.deepcopy(facts)
    *parents, last = path.split(".")
    place = result
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return result


def text(pdf: bytes, directory: Path) -> str:
    (directory / "x.pdf").write_bytes(pdf)
    shown = subprocess.run(
        ["pdftotext", "-raw", "x.pdf", "-"], cwd=directory, capture_output=True, text=True
    )
    return "".join(shown.stdout.split())


def draw(facts: dict[str, Any] = CERTIFICATE, *, specimen: bool = True, **more: Any) -> bytes:
    arguments: dict[str, Any] = {
        "document_pdf": b"%PDF-1.7 as signed",
        "applicant_strokes_svg": strokes_svg(handwriting()),
        "notary_strokes_svg": strokes_svg(handwriting(3)),
        "seal_svg": office_seal_svg("示例市远山公证处", font=serif()),
        "verify_url": VERIFY_URL,
        "code": CODE,
        "evidence": {"v": 1},
        **more,
    }
    return render_certificate(facts, specimen=specimen, **arguments)


@pytest.fixture(scope="module")
def volume() -> bytes:
    return draw()


def test_the_same_facts_give_the_same_bytes(volume: bytes) -> None:
    first = render_document(DOCUMENT, language="zh-CN", specimen=True)
    assert render_document(DOCUMENT, language="zh-CN", specimen=True) == first
    assert draw() == volume


@pytest.mark.parametrize(("language", "facts"), [("zh-CN", DOCUMENT), ("en", ENGLISH)])
def test_the_document_is_pdf_a_with_a_field_to_sign(language: Any, facts: dict[str, Any]) -> None:
    content = render_document(facts, language=language, specimen=True)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert str(pdf.Root.Lang).startswith(language[:2])
        assert pdf.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert pdf.Root.StructTreeRoot is not None
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "A")
        (field,) = pdf.Root.AcroForm.Fields
        assert field.T == "ApplicantSig"
        assert field.FT == "/Sig"
        assert "/V" not in field
        _require_embedded_fonts(pdf)


def _require_embedded_fonts(pdf: pikepdf.Pdf) -> None:
    fonts = [
        font
        for one in pdf.objects
        if isinstance(one, pikepdf.Dictionary) and one.get("/Type") == "/Font"
        for font in [one]
        if "/FontDescriptor" in font
    ]
    assert fonts
    for font in fonts:
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(font.FontDescriptor.keys())


def test_the_volume_is_pdf_a_3_with_its_evidence(volume: bytes) -> None:
    with pikepdf.open(io.BytesIO(volume)) as pdf:
        with pdf.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert set(pdf.attachments) == {"document-as-signed.pdf", "evidence.json"}
        assert [str(field.T) for field in pdf.Root.AcroForm.Fields] == ["NotarySig", "OfficeSeal"]
        assert "（2026）示远山证字第1号" in str(pdf.docinfo.get("/Title"))
        _require_embedded_fonts(pdf)


def test_more_may_be_attached() -> None:
    receipt = Attachment("receipt.json", b"{}", "application/json", "回执", "supplement")
    with pikepdf.open(io.BytesIO(draw(attachments=[receipt]))) as pdf:
        assert pdf.attachments["receipt.json"].get_file().read_bytes() == b"{}"


@pytest.mark.parametrize(
    "name",
    ['#panic("x")', "*粗* _斜_ $x$ `code`", "<anchor>@ref //", '"}\\u0000{', "'; DROP TABLE x;--"],
)
def test_markup_prints_as_text(name: str, tmp_path: Path) -> None:
    facts = changed(DOCUMENT, "principal.name", name.replace("\\u0000", "\\"))
    wanted = "".join(facts["principal"]["name"].split())
    document = render_document(facts, language="zh-CN", specimen=True)
    assert wanted in text(document, tmp_path)
    assert wanted in text(draw(changed(CERTIFICATE, "document", facts)), tmp_path)


@pytest.mark.parametrize("place", ["principal.name", "attorney.name", "subject", "place"])
def test_a_missing_glyph_is_refused_by_name(place: str) -> None:
    facts = changed(DOCUMENT, place, "𠮷田")
    with pytest.raises(GlyphsMissingError, match=r"U\+20BB7") as refusal:
        render_document(facts, language="zh-CN", specimen=True)
    assert refusal.value.characters == ("𠮷",)


def test_glyphs_are_named_once_in_order() -> None:
    assert missing_glyphs("𠮷田𠮷") == ("𠮷",)
    assert missing_glyphs("周明远 Zhou Míngyuǎn（二〇二六）\n") == ()
    assert missing_glyphs("\u202eabc\x00\ue000") == ("\u202e", "\x00", "\ue000")


@settings(deadline=None, max_examples=25)
@given(name=st.text(min_size=1, max_size=12).filter(str.strip))
def test_what_the_check_passes_typst_prints(name: str) -> None:
    facts = changed(DOCUMENT, "principal.name", name)
    if missing_glyphs(name):
        with pytest.raises(GlyphsMissingError):
            render_document(facts, language="zh-CN", specimen=False)
    else:
        assert render_document(facts, language="zh-CN", specimen=False).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("principal", None, "principal"),
        ("principal.name", None, r"principal\.name"),
        ("principal.name", "", r"principal\.name"),
        ("principal.id_number", 7, r"principal\.id_number"),
        ("attorney.name", None, r"attorney\.name"),
        ("powers", [], "powers"),
        ("powers", "all", "powers"),
        ("sub_delegation", "no", "sub_delegation"),
        ("term_until", "tomorrow", "term_until"),
        ("signed_on", None, "signed_on"),
        ("principal.born", "1988", r"principal\.born"),
    ],
)
def test_a_fact_that_is_missing_is_named(path: str, value: object, named: str) -> None:
    with pytest.raises(FactsError, match=named):
        render_document(changed(DOCUMENT, path, value), language="zh-CN", specimen=True)


def test_specimen_stands_on_every_page_and_only_while_demo(volume: bytes, tmp_path: Path) -> None:
    with pikepdf.open(io.BytesIO(volume)) as pdf:
        pages = len(pdf.pages)
    assert text(volume, tmp_path).count("样本") == pages
    assert text(volume, tmp_path).count("SPECIMEN") == pages
    assert "样本" not in text(draw(specimen=False), tmp_path)
    plain = render_document(DOCUMENT, language="zh-CN", specimen=False)
    assert "样本" not in text(plain, tmp_path)


def test_the_certificate_says_what_the_format_asks(volume: bytes, tmp_path: Path) -> None:
    said = text(volume, tmp_path)
    for part in (
        "公证书",
        "（2026）示远山证字第1号",
        "申请人：周明远，男，一九八八年三月十二日出生，公民身份号码：110101198803120014",
        "公证事项：委托",
        "兹证明周明远于二〇二六年十一月二十三日通过本处远程视频公证系统",
        "在前面的《委托书》上签名，并表示知悉委托的法律意义和法律后果",
        "示例市远山公证处",
        "公证员",
        "二〇二六年十一月二十四日",
    ):
        assert part in said, part


def test_the_means_clause_is_a_parameter(tmp_path: Path) -> None:
    said = text(draw({**CERTIFICATE, "means": "到本处窗口"}), tmp_path)
    assert "二〇二六年十一月二十三日到本处窗口，在本公证员的面前" in said
    assert "远程视频公证系统" not in said


def test_english_is_complete(tmp_path: Path) -> None:
    facts = {
        **CERTIFICATE,
        "office": {"name": "Yuanshan Notary Office"},
        "notary": {"name": "Lin Wangshu"},
        "document": ENGLISH,
    }
    said = text(draw(facts, language="en", specimen=False), tmp_path)
    assert "NotarialCertificate" in said
    assert "Thisistocertifythaton23November2026" in said
    assert not [one for one in said.replace("（2026）示远山证字第1号", "") if "一" <= one <= "鿿"]


def test_a_long_document_takes_more_pages(tmp_path: Path) -> None:
    powers = [f"代为办理第{number}项事务，并签署与之有关的一切文件" for number in range(40)]
    content = render_document({**DOCUMENT, "powers": powers}, language="zh-CN", specimen=True)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pages = len(pdf.pages)
    assert pages > 1
    said = text(content, tmp_path)
    for page in range(1, pages + 1):
        assert f"第{page}页，共{pages}页" in said
    # The signature never stands alone: the closing sentence is on its page.
    assert said.rindex("真实、自愿") > said.rindex("第39项")


def test_pages_are_the_same_pixels_every_time(volume: bytes) -> None:
    first = page_images(volume, width=400)
    assert page_images(volume, width=400) == first
    assert len(first) == 2
    with Image.open(io.BytesIO(first[0])) as picture:
        assert picture.format == "PNG"
        assert picture.size == (400, 566)


@pytest.mark.parametrize(
    ("content", "width"), [(b"", 100), (b"<html>", 100), (None, 0), (None, 9000)]
)
def test_pages_that_cannot_be_drawn_are_refused(
    volume: bytes, content: bytes | None, width: int
) -> None:
    with pytest.raises(RenderError):
        page_images(volume if content is None else content, width=width)


@pytest.mark.parametrize(
    ("day", "chinese", "english"),
    [
        (date(2026, 11, 23), "二〇二六年十一月二十三日", "23 November 2026"),
        (date(2030, 10, 10), "二〇三〇年十月十日", "10 October 2030"),
        (date(2000, 1, 1), "二〇〇〇年一月一日", "1 January 2000"),
        (date(2027, 12, 31), "二〇二七年十二月三十一日", "31 December 2027"),
        (date(2026, 2, 20), "二〇二六年二月二十日", "20 February 2026"),
    ],
)
def test_dates_are_written_as_the_languages_do(day: date, chinese: str, english: str) -> None:
    assert chinese_date(day) == chinese
    assert english_date(day) == english


def test_no_two_days_of_a_year_are_written_alike() -> None:
    days = [date(2028, 1, 1) + timedelta(days=offset) for offset in range(366)]
    assert len({chinese_date(day) for day in days}) == len({english_date(d) for d in days}) == 366
