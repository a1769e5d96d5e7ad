"""RTP and RTCP as bytes: headers (RFC 3550), extensions (RFC 8285), VP8 payloads (RFC 7741)."""

import struct

HEADER = struct.Struct("!BBHLL")  # V|P|X|CC, M|PT, sequence number, timestamp, SSRC
PADDING = 0x20

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


def delta16(a: int, b: int) -> int:
    """a - b on the 16-bit circle, in -32768..32767."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


def delta32(a: int, b: int) -> int:
    """a - b on the 32-bit circle."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def is_rtcp(data: bytes) -> bool:
    """RFC 5761 4: RTCP packet types on a shared port."""
    return 192 <= data[1] <= 223


def payload_offset(data: bytes) -> int:
    """Where the payload begins, or -1 when the lengths in the header do not fit the packet."""
    size = len(data)
    if size < 12 or data[0] >> 6 != 2:
        return -1
    b0 = data[0]
    head = 12 + 4 * (b0 & 15)
    if b0 & 0x10:
        if size < head + 4:
            return -1
        head += 4 + 4 * (data[head + 2] << 8 | data[head + 3])
    if head > size:
        return -1
    if b0 & PADDING and not 0 < data[-1] <= size - head:
        return -1
    return head


def extension(data: bytes, head: int, ident: int) -> int:
    """Offset of a one-byte header extension's data (RFC 8285 4.2), or 0 when it is not there."""
    pos = 16 + 4 * (data[0] & 15)
    if not data[0] & 0x10 or data[pos - 4 : pos - 2] != b"\xbe\xde":
        return 0
    while pos < head:
        tag = data[pos]
        if tag == 0:
            pos += 1
            continue
        length = (tag & 15) + 1
        if pos + 1 + length > head or tag >> 4 == 15:
            return 0
        if tag >> 4 == ident:
            return pos + 1
        pos += 1 + length
    return 0


def vp8_payload(data: bytes, pos: int, end: int) -> tuple[int, bool]:
    """(where the VP8 data begins, whether it begins a frame); (-1, False) when it is malformed.

    RFC 7741 4.2: S bit set and partition index 0 begins a frame.
    """
    if pos >= end:
        return -1, False
    first = data[pos]
    pos += 1
    if first & 0x80:
        if pos >= end:
            return -1, False
        bits = data[pos]
        pos += 1
        if bits & 0x80:
            if pos >= end:
                return -1, False
            pos += 2 if data[pos] & 0x80 else 1
        if bits & 0x40:
            pos += 1
        if bits & 0x30:
            pos += 1
    if pos >= end:
        return -1, False
    return pos, bool(first & 0x10) and not first & 7


def vp8_keyframe_size(frame: bytes) -> tuple[int, int] | None:
    """(width, height) when `frame` is a VP8 key frame (RFC 6386 9.1), else None."""
    if len(frame) < 10 or frame[0] & 1 or frame[3:6] != b"\x9d\x01\x2a":
        return None
    return (frame[6] | frame[7] << 8) & 0x3FFF, (frame[8] | frame[9] << 8) & 0x3FFF


def begins_keyframe(data: bytes, head: int) -> bool:
    """Whether a packet is the first of a VP8 key frame."""
    pos, begins = vp8_payload(data, head, len(data))
    return begins and not data[pos] & 1


def split_compound(data: bytes, limit: int) -> tuple[bytes, bytes]:
    """As many whole RTCP packets as fit `limit` bytes (at least one), and the rest."""
    pos = 0
    while pos < len(data):
        size = 4 + 4 * int.from_bytes(data[pos + 2 : pos + 4], "big")
        if pos and pos + size > limit:
            break
        pos += size
    return data[:pos], data[pos:]
