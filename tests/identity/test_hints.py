"""Hints over time, from readings made up and from real frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from server.identity import hints, models, quality
from server.identity.findings import Quality
from server.identity.hints import Face, FrameReading, Watch
from server.rehearsal import face, specimen
from tests.identity.conftest import png

GOOD = Quality(sharpness=80.0, light=180.0, width=150, height=180)
PERSON = Face((200, 90, 150, 180), GOOD)
ON_CARD = Face((400, 300, 40, 48), GOOD)


def reading(at: int, *faces: Face, signature: bytes | None = None) -> FrameReading:
    own = at.to_bytes(4, "big") if signature is None else signature
    return FrameReading(at=at, width=640, height=480, faces=faces, signature=own)


def said(watch: Watch, *readings: FrameReading) -> list[tuple[int, str]]:
    return [
        (finding.at, finding.kind)
        for each in readings
        for finding in watch.feed(each, picture=b"j")
    ]


def test_nothing_is_said_of_a_good_picture() -> None:
    assert said(Watch(), *(reading(at, PERSON) for at in range(0, 20_000, 500))) == []


def test_an_absence_is_said_once_after_two_seconds_and_again_after_a_return() -> None:
    watch = Watch()
    gone = [reading(at) for at in range(0, 5_000, 500)]
    assert said(watch, *gone) == [(2_000, "absent")]
    assert said(watch, reading(5_000, PERSON)) == []
    assert said(watch, *(reading(at) for at in range(6_000, 9_000, 500))) == [(8_000, "absent")]


@pytest.mark.parametrize(
    ("kind", "poor"),
    [
        ("dark", replace(GOOD, light=40.0)),
        ("blurred", replace(GOOD, sharpness=3.0)),
        ("too_small", replace(GOOD, width=30)),
    ],
)
def test_a_poor_picture_is_said_when_it_lasts(kind: str, poor: Quality) -> None:
    bad = Face(PERSON.box, poor)
    assert said(Watch(), *(reading(at, bad) for at in range(0, 3_000, 500))) == []
    assert said(Watch(), *(reading(at, bad) for at in range(0, 6_000, 500))) == [(3_000, kind)]


def test_a_second_face_is_said_unless_it_is_on_the_document() -> None:
    frames = [reading(at, PERSON, ON_CARD) for at in range(0, 3_000, 500)]
    assert said(Watch(), *frames) == [(1_000, "second_face")]
    watch = Watch()
    printed = replace(ON_CARD, on_document=True)
    held = [reading(at, PERSON, printed) for at in range(0, 3_000, 500)]
    assert said(watch, *held) == [(1_000, "document_face")]
    assert said(watch, *(reading(at, PERSON, ON_CARD) for at in range(3_000, 5_000, 500))) == [
        (4_000, "second_face")
    ]


def test_a_picture_that_stands_still_is_frozen() -> None:
    still = [reading(at, PERSON, signature=b"same") for at in range(0, 5_000, 500)]
    assert said(Watch(), *still) == [(3_500, "frozen")]


def test_a_finding_carries_the_frame_number_and_threshold() -> None:
    watch = Watch()
    dark = Face(PERSON.box, replace(GOOD, light=40.0))
    (finding,) = [f for at in (0, 3_000) for f in watch.feed(reading(at, dark), picture=b"jpeg")]
    assert (finding.score, finding.threshold) == (40.0, quality.FACE_LIGHT)
    assert finding.evidence == {"frame": b"jpeg"}
    assert finding.level == "attention"


def test_real_frames(networks: models.Models) -> None:
    frame = face.applicant().frame(face.Pose())
    seen = hints.read(networks, png(frame), at=1)
    assert len(seen.faces) == 1
    (only,) = seen.faces
    assert only.quality.light > quality.FACE_LIGHT
    assert only.quality.sharpness > quality.FACE_SHARPNESS
    assert only.quality.width > quality.FACE_WIDTH
    soft = hints.read(networks, png(cv2.GaussianBlur(frame, (0, 0), 4)), at=2)
    assert soft.faces[0].quality.sharpness < quality.FACE_SHARPNESS
    dark = hints.read(networks, png((frame * 0.3).astype(np.uint8)), at=3)
    assert dark.faces[0].quality.light < quality.FACE_LIGHT
    assert hints.read(networks, png(np.full((240, 320, 3), 99, np.uint8)), at=4).faces == ()


def test_the_face_on_a_card_is_told_from_a_second_person(networks: models.Models) -> None:
    person = face.applicant(size=(1280, 720)).frame(face.Pose())
    card = specimen.front(specimen.Person(), face.document_portrait())
    seen = hints.read(networks, png(face.holding(person, card, share=0.5)), at=0)
    assert [found.on_document for found in seen.faces] == [False, True]
    frames = [replace(seen, at=at, signature=bytes([at // 500])) for at in (0, 2_000)]
    assert said(Watch(), *frames) == [(2_000, "document_face")]

    other = cv2.resize(face.drawn_head(), (300, 300), interpolation=cv2.INTER_AREA)
    person[400:700, 60:360] = other
    seen = hints.read(networks, png(person), at=0)
    assert [found.on_document for found in seen.faces] == [False, False]
    frames = [replace(seen, at=at, signature=bytes([at // 500])) for at in (0, 2_000)]
    assert said(Watch(), *frames) == [(2_000, "second_face")]


def test_the_same_key_frame_again_is_not_a_frozen_picture() -> None:
    again = [reading(0, PERSON, signature=b"same")] * 20
    assert said(Watch(), *again, reading(4_000, PERSON)) == []
