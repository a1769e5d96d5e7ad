"""Pictures from strangers: what they claim to be, how large, and decoding within limits.

`sniff` and `dimensions` are pure and cheap and may run anywhere. `decode` hands bytes to a C++
decoder and runs only in the worker process, whose memory and time are bounded (worker.py).
"""

from __future__ import annotations

import struct
from typing import Any, Literal

from server.identity.errors import PictureRefused

Format = Literal["jpeg", "png", "webp", "heic", "pdf", "zip", "unknown"]
Image = Any  # numpy.ndarray, uint8, (height, width, 3), BGR

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 60_000_000  # a 48-megapixel telephone passes; 180 MB decoded at the very most
MIN_SIDE = 64
MAX_RATIO = 10  # a strip is no photograph of anything
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif"}
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def sniff(data: bytes) -> Format:
    """Names the format by its magic bytes, whatever the file's name or declared type says."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "heic"
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    return "unknown"


def dimensions(data: bytes) -> tuple[int, int]:
    """Reads (width, height) in pixels from the header, decoding nothing.

    Raises PictureRefused("picture.damaged") when the header does not say.
    """
    try:
        match sniff(data):
            case "png":
                width, height = struct.unpack(">II", data[16:24])
            case "jpeg":
                width, height = _jpeg_dimensions(data)
            case "webp":
                width, height = _webp_dimensions(data)
            case _:
                raise PictureRefused("picture.type", "neither JPEG, PNG nor WebP")
    except (struct.error, IndexError) as error:
        raise PictureRefused("picture.damaged", "header cut short") from error
    if width < 1 or height < 1:
        raise PictureRefused("picture.damaged", "a side of zero pixels")
    return int(width), int(height)


def decode(data: bytes) -> Image:
    """Decodes JPEG, PNG or WebP to BGR, upright by its EXIF orientation.

    Refused before decoding: more than MAX_BYTES or MAX_PIXELS, other formats. Of an animation the
    first frame counts. Raises PictureRefused.
    """
    if len(data) > MAX_BYTES:
        raise PictureRefused("picture.too_large", f"{len(data)} bytes")
    width, height = dimensions(data)
    if width * height > MAX_PIXELS:
        raise PictureRefused("picture.too_large", f"{width} x {height} pixels")
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_RATIO * min(width, height):
        raise PictureRefused("picture.too_small", f"{width} x {height} pixels")
    import cv2
    import numpy as np

    # libjpeg reduces while decoding, so a large photograph never stands in memory whole.
    large = width * height > 4 * 4000 * 3000 // 3
    flag = cv2.IMREAD_REDUCED_COLOR_2 if large else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise PictureRefused("picture.damaged", "the decoder gave up") from error
    if image is None:
        raise PictureRefused("picture.damaged", "the decoder found no picture")
    return image


def encode(image: Image, *, quality: int = 90) -> bytes:
    """Encodes BGR pixels as JPEG."""
    import cv2

    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data.tobytes())


def _jpeg_dimensions(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        if data[position] != 0xFF:
            raise PictureRefused("picture.damaged", "no marker where one must stand")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _SOF:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        elif marker in (0xD9, 0xDA):
            raise PictureRefused("picture.damaged", "no frame header before the scan")
        else:
            (length,) = struct.unpack(">H", data[position + 2 : position + 4])
            position += 2 + max(2, length)


def _webp_dimensions(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack("<I", data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            return width, int.from_bytes(data[27:30], "little") + 1
    raise PictureRefused("picture.damaged", "unknown WebP chunk")
