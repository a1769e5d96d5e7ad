"""A live WebM file: EBML head, tracks, then one Cluster after the other (RFC 9559, RFC 8794).

PyAV's muxer cannot be given an OpusHead for raw RTP, and this costs 2 us a frame. The Segment has
unknown size, so the file is whole wherever it ends between two clusters.
"""

import struct
from dataclasses import dataclass

AUDIO, VIDEO = 2, 1  # track numbers
OPUS_DELAY = 312  # samples of encoder look-ahead that a player drops (RFC 7845 4.2)
MATROSKA_EPOCH_MS = 978_307_200_000  # 2001-01-01
CLUSTER_ID = b"\x1f\x43\xb6\x75"


@dataclass(frozen=True, slots=True)
class Block:
    """One frame: `at` in ms since the file's zero."""

    track: int
    at: int
    keyframe: bool
    data: bytes


def head(*, width: int, height: int, began_at: int) -> bytes:
    """Everything before the first cluster; `began_at` is the epoch ms of the file's zero."""
    info = (
        _uint("2AD7B1", 1_000_000),  # one timestamp unit is 1 ms
        _text("4D80", "Farseal"),
        _text("5741", "Farseal"),
        _element("4461", struct.pack(">q", (began_at - MATROSKA_EPOCH_MS) * 1_000_000)),
    )
    video = _element(
        "AE",
        _uint("D7", VIDEO),
        _uint("73C5", VIDEO),
        _uint("83", 1),
        _text("86", "V_VP8"),
        _element("E0", _uint("B0", width), _uint("BA", height)),
    )
    opus = b"OpusHead" + struct.pack("<BBHIHB", 1, 2, OPUS_DELAY, 48000, 0, 0)
    audio = _element(
        "AE",
        _uint("D7", AUDIO),
        _uint("73C5", AUDIO),
        _uint("83", 2),
        _text("86", "A_OPUS"),
        _element("63A2", opus),
        _uint("56AA", OPUS_DELAY * 1_000_000_000 // 48000),  # CodecDelay, ns
        _uint("56BB", 80_000_000),  # SeekPreRoll, ns
        _element("E1", _element("B5", struct.pack(">d", 48000.0)), _uint("9F", 2)),
    )
    ebml = _element(
        "1A45DFA3",
        _uint("4286", 1),
        _uint("42F7", 1),
        _uint("42F2", 4),
        _uint("42F3", 8),
        _text("4282", "webm"),
        _uint("4287", 4),
        _uint("4285", 2),
    )
    unknown_size = b"\x01" + b"\xff" * 7
    segment = bytes.fromhex("18538067") + unknown_size
    return ebml + segment + _element("1549A966", *info) + _element("1654AE6B", video, audio)


def cluster(blocks: list[Block]) -> bytes:
    """One Cluster of blocks in the order of their time, which spans less than 32 s."""
    start = blocks[0].at
    out = [_uint("E7", start)]
    for block in blocks:
        flags = 0x80 if block.keyframe else 0
        out.append(
            b"\xa3"
            + _size(len(block.data) + 4)
            + struct.pack(">BhB", 0x80 | block.track, block.at - start, flags)
        )
        out.append(block.data)
    return _element("1F43B675", *out)


def _size(length: int) -> bytes:
    for width in range(1, 9):
        if length < (1 << 7 * width) - 1:
            return (length | 1 << 7 * width).to_bytes(width, "big")
    raise ValueError("an element of 2**56 bytes")


def _element(ident: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes.fromhex(ident) + _size(len(body)) + body


def _uint(ident: str, value: int) -> bytes:
    return _element(ident, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _text(ident: str, value: str) -> bytes:
    return _element(ident, value.encode())
