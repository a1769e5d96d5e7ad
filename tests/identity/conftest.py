"""Networks, pictures and readings the tests of this room share; each is made once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import av
import cv2
import pytest

from server.identity import card, models
from server.identity.findings import DocumentReading
from server.identity.ocr import Reader
from server.rehearsal import face, specimen

AT = 1_795_000_000_000
TODAY = date(2026, 11, 18)


def png(image: Any) -> bytes:
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def through_vp8(frames: Sequence[Any], *, fps: int = 15, bit_rate: int = 600_000) -> list[Any]:
    """What is left of a picture after a call: VP8 at realtime settings and back."""
    height, width = frames[0].shape[:2]
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as output:
        stream = output.add_stream("libvpx", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = bit_rate
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "bgr24")))
        output.mux(stream.encode())
    file.seek(0)
    with av.open(file) as received:
        return [frame.to_ndarray(format="bgr24") for frame in received.decode(video=0)]


@pytest.fixture(scope="session")
def networks() -> models.Models:
    return models.load()


@pytest.fixture(scope="session")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="session")
def cards() -> dict[str, Any]:
    person, portrait = specimen.Person(), face.document_portrait()
    return {
        "front": specimen.front(person, portrait),
        "back": specimen.back(person),
        "passport": specimen.passport(person, portrait),
        "wrong": specimen.front(person, portrait, number=specimen.with_wrong_check(person.number)),
    }


@pytest.fixture(scope="session")
def live() -> list[bytes]:
    """The applicant talking, after compression: three frames."""
    talk = list(face.play(face.applicant(), [face.Shot(action="talk", seconds=1.2)]))
    return [png(frame) for frame in through_vp8(talk)[5::6]]


@pytest.fixture(scope="session")
def shown(
    cards: dict[str, Any], networks: models.Models, reader: Reader
) -> dict[str, DocumentReading]:
    """Each card held up to the camera at 640 x 480, compressed, and read from one frame."""
    readings = {}
    for name, drawn in cards.items():
        held = list(face.play(face.applicant(), [face.Shot(seconds=0.6, held=drawn)]))
        frame = png(through_vp8(held)[-1])
        side: Any = "front" if name == "wrong" else name
        readings[name] = card.read_document(reader, networks, frame, side, at=AT, today=TODAY)
    return readings
