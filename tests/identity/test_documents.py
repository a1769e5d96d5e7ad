"""From a specimen card held up in a call to fields, portrait and similarity."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from server.identity import card, match, models, resident_id
from server.identity.findings import DocumentReading, Field
from server.identity.ocr import Line, Reader
from server.rehearsal import face, specimen
from tests.identity.conftest import AT, TODAY, png, through_vp8

PERSON = specimen.Person()


def levels(reading: DocumentReading) -> set[str]:
    return {finding.level for finding in reading.findings}


def keys(reading: DocumentReading) -> list[str]:
    return [finding.text_key for finding in reading.findings]


def test_a_card_held_up_in_a_call_is_read(shown: dict[str, DocumentReading]) -> None:
    reading = shown["front"]
    assert reading.kind == "resident_id"
    assert {name: (field.value, field.check) for name, field in reading.fields.items()} == {
        "name": (PERSON.name, "none"),
        "sex": ("女", "ok"),
        "ethnicity": ("汉", "none"),
        "birth": ("1988-08-08", "ok"),
        "address": ("".join(PERSON.address), "none"),
        "number": (PERSON.number, "ok"),
    }
    assert levels(reading) == {"info"}
    assert reading.crop is not None
    assert len(reading.quad) == 4


def test_the_back_gives_authority_and_period(shown: dict[str, DocumentReading]) -> None:
    fields = shown["back"].fields
    assert fields["authority"].value == PERSON.authority
    assert (fields["valid_from"].value, fields["valid_to"].value) == ("2019-03-04", "2039-03-04")
    assert fields["valid_to"].check == "ok"
    assert shown["back"].portrait is None


def test_a_passport_is_read_by_its_zone(shown: dict[str, DocumentReading]) -> None:
    fields = shown["passport"].fields
    assert shown["passport"].kind == "passport"
    assert fields["number"] == Field(
        value="L98902C36", check="ok", confidence=fields["number"].confidence
    )
    assert fields["name"].value == "SHENQINGREN JIA"
    assert [fields[name].check for name in ("birth", "valid_to", "composite")] == ["ok"] * 3


def test_a_wrong_check_digit_is_a_problem_with_the_number_in_it(
    shown: dict[str, DocumentReading],
) -> None:
    reading = shown["wrong"]
    assert reading.fields["number"].check == "failed"
    assert reading.fields["number"].value == specimen.with_wrong_check(PERSON.number)
    problem = next(finding for finding in reading.findings if finding.level == "problem")
    assert problem.text_key == "document.number_check"
    assert problem.detail["number"] == reading.fields["number"].value
    assert problem.evidence["document"].startswith(b"\xff\xd8")


@pytest.mark.parametrize("document", ["front", "passport"])
def test_the_portrait_is_similar_to_the_person_holding_it(
    document: str, shown: dict[str, DocumentReading], live: list[bytes], networks: models.Models
) -> None:
    portrait = shown[document].portrait
    assert portrait is not None
    finding = match.compare(networks, portrait, live, at=AT)
    assert finding.detail["band"] == "similar"
    assert finding.level == "info"
    assert finding.score is not None
    assert finding.score >= match.SIMILAR
    assert set(finding.evidence) == {"portrait", "live"}


def test_the_portrait_is_not_similar_to_somebody_else(
    shown: dict[str, DocumentReading], networks: models.Models
) -> None:
    other = [png(frame) for frame in face.play(face.notary(), [face.Shot(seconds=0.2)])]
    portrait = shown["front"].portrait
    assert portrait is not None
    finding = match.compare(networks, portrait, other, at=AT)
    assert finding.detail["band"] == "not_similar"
    assert finding.level == "attention"  # never louder: nobody is rejected by a number


@pytest.mark.parametrize("document", ["front", "passport"])
def test_a_portrait_held_up_is_never_compared_with_itself(
    document: str,
    cards: dict[str, Any],
    shown: dict[str, DocumentReading],
    networks: models.Models,
) -> None:
    portrait = shown[document].portrait
    assert portrait is not None
    held = list(face.play(face.applicant(), [face.Shot(seconds=0.6, held=cards[document])]))
    finding = match.compare(networks, portrait, [png(through_vp8(held)[-1])], at=AT)
    assert (finding.level, finding.text_key, finding.score) == (
        "unavailable", "face.unavailable.printed", None,
    )  # fmt: skip


def test_without_a_live_face_the_comparison_is_unavailable(
    shown: dict[str, DocumentReading], networks: models.Models
) -> None:
    portrait = shown["front"].portrait
    assert portrait is not None
    finding = match.compare(
        networks, portrait, [png(np.full((240, 320, 3), 120, np.uint8)), b"junk"], at=AT
    )
    assert (finding.level, finding.text_key, finding.score) == (
        "unavailable", "face.unavailable.live", None,
    )  # fmt: skip


def test_an_upload_lying_on_its_side_is_turned(
    cards: dict[str, Any], networks: models.Models, reader: Reader
) -> None:
    turned = cv2.rotate(cards["front"], cv2.ROTATE_90_CLOCKWISE)
    reading = card.read_document(
        reader, networks, specimen.jpeg(turned), "front", at=AT, today=TODAY
    )
    assert reading.fields["number"].check == "ok"
    assert reading.portrait is not None


def test_without_a_card_the_finding_says_what_to_do(
    networks: models.Models, reader: Reader
) -> None:
    frame = face.applicant().frame(face.Pose())
    reading = card.read_document(reader, networks, png(frame), "front", at=AT, today=TODAY)
    assert (reading.kind, dict(reading.fields), reading.portrait) == ("unknown", {}, None)
    assert keys(reading) == ["document.not_found"]
    dark = (frame * 0.12).astype(np.uint8)
    reading = card.read_document(reader, networks, png(dark), "front", at=AT, today=TODAY)
    assert keys(reading) == ["document.dark", "document.not_found"]


def lines(*texts: str) -> list[Line]:
    return [Line(text, 0.99, ()) for text in texts]


def test_birth_and_sex_must_be_the_numbers() -> None:
    fields = resident_id.front(
        lines(
            "姓名申请人甲",
            "性别男民族汉",
            "出生1988年8月9日",
            "住址远山市",
            "公民身份号码" + PERSON.number,
        )
    )
    assert (fields["birth"].check, fields["sex"].check) == ("failed", "failed")
    assert fields["birth"].note == "note.differs_from_number"


@pytest.mark.parametrize(
    ("printed", "start", "end", "check"),
    [
        ("有效期限2019.03.04-2039.03.04", "2019-03-04", "2039-03-04", "ok"),
        ("有效期限2019.03.04-长期", "2019-03-04", "长期", "ok"),
        ("有效期限20190304-20290304", "2019-03-04", "2029-03-04", "ok"),
        ("有效期限2019.03.04-2037.03.04", "2019-03-04", "2037-03-04", "failed"),
        ("有效期限2019.13.04-2039.13.04", "", "", "unread"),
    ],
)
def test_periods(printed: str, start: str, end: str, check: str) -> None:
    fields = resident_id.back(lines("居民身份证", "签发机关远山市公安局", printed))
    assert (fields["valid_from"].value, fields["valid_to"].value) == (start, end)
    assert fields["valid_to"].check == check
