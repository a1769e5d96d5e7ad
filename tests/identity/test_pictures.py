"""Hostile pictures: types that lie, sizes that lie, bytes that are cut or changed."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.identity import picture
from server.identity.errors import PictureRefused

IMAGE = np.random.default_rng(1).integers(0, 255, (120, 200, 3), np.uint8)


def encoded(kind: str) -> bytes:
    return bytes(cv2.imencode(kind, IMAGE)[1].tobytes())


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is enormous."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(".jpg"), "jpeg"),
        (encoded(".png"), "png"),
        (encoded(".webp"), "webp"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x18ftypmp42", "unknown"),
        (b"%PDF-1.7\n", "pdf"),
        (b"\n\n%PDF-1.4", "pdf"),
        (b"PK\x03\x04....", "zip"),
        (b"GIF89a", "unknown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unknown"),
        (b"", "unknown"),
    ],
)
def test_the_type_is_what_the_bytes_say(data: bytes, expected: str) -> None:
    assert picture.sniff(data) == expected


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
def test_sizes_are_read_without_decoding_and_pictures_decode(kind: str) -> None:
    assert picture.dimensions(encoded(kind)) == (200, 120)
    assert picture.decode(encoded(kind)).shape == (120, 200, 3)


def test_other_webp_headers() -> None:
    lossless = bytes(cv2.imencode(".webp", IMAGE, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes())
    assert lossless[12:16] == b"VP8L"
    assert picture.dimensions(lossless) == (200, 120)
    with_alpha = cv2.cvtColor(IMAGE, cv2.COLOR_BGR2BGRA)
    with_alpha[..., 3] = 7
    extended = bytes(cv2.imencode(".webp", with_alpha, [cv2.IMWRITE_WEBP_QUALITY, 50])[1].tobytes())
    assert extended[12:16] == b"VP8X"
    assert picture.dimensions(extended) == (200, 120)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bomb(60_000, 60_000), "picture.too_large"),
        (bomb(2**31 - 1, 2), "picture.too_large"),
        (bomb(40, 400), "picture.too_small"),
        (bomb(40_000, 100), "picture.too_small"),
        (bomb(0, 100), "picture.damaged"),
        (bomb(5_000, 5_000)[:60], "picture.damaged"),
        (b"\xff\xd8\xff" + b"\xe0\x00\x04ab" * 3, "picture.damaged"),
        (b"\xff\xd8\xff\xd9", "picture.damaged"),
        (b"RIFF\x10\x00\x00\x00WEBPJUNK" + bytes(20), "picture.damaged"),
        (b"PK\x03\x04", "picture.type"),
        (b"\x00\x00\x00\x18ftypheic", "picture.type"),
        (b"", "picture.type"),
        (encoded(".png") + bytes(picture.MAX_BYTES), "picture.too_large"),
    ],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(PictureRefused) as refused:
        picture.decode(data)
    assert refused.value.reason == reason


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp"])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_and_cut_bytes_decode_or_are_refused(kind: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(1, len(whole)))])
    try:
        image = picture.decode(cut)
    except PictureRefused as refused:
        assert refused.reason.startswith("picture.")  # noqa: PT017 - either outcome is right
    else:
        assert image.dtype == np.uint8
        assert image.shape[0] * image.shape[1] <= picture.MAX_PIXELS


def test_a_photograph_lying_on_its_side_by_its_exif_is_turned() -> None:
    plain = encoded(".jpg")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    assert picture.decode(turned).shape == (200, 120, 3)
