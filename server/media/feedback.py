"""Congestion feedback to a publisher: transport-wide arrival times and a bit rate cap.

Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) makes the browser run
its own estimator; without it a 500 kbit/s uplink froze for seconds and lost video packets.
"""

import struct

from aiortc import rtp as rtcp

from .rtp import extension

REFERENCE = 0.064  # seconds, the unit of the reference time
TICKS = 4000  # deltas are in 250 us
MAX_SPAN = 2000  # sequence numbers one packet may speak of


class Arrivals:
    """Notes when each packet came; `packet` gives what to tell the sender since the last call."""

    __slots__ = ("_arrived", "_at", "_base", "_count", "_tag", "ident")

    def __init__(self, ident: int) -> None:
        self.ident = ident
        self._tag = ident << 4 | 1
        self._at: dict[int, int] = {}  # header length -> where the element was last found
        self._arrived: dict[int, float] = {}  # sequence number -> seconds
        self._base: int | None = None
        self._count = 0

    def add(self, data: bytes, head: int, now: float) -> None:
        """Notes one packet that came at `now` (seconds, any origin)."""
        pos = self._at.get(head, 0)
        # A hit is trusted only where the very tag stands; the layout of a stream seldom changes.
        if not pos or pos + 2 > head or data[pos - 1] != self._tag or data[12:14] != b"\xbe\xde":
            pos = extension(data, head, self.ident)
            if not pos or pos + 2 > head:
                return
            self._at[head] = pos
        self._arrived[data[pos] << 8 | data[pos + 1]] = now

    def packet(self, ssrc: int, media_ssrc: int) -> bytes:
        """One RTCP feedback packet (RTPFB 15), or b"" when there is nothing to tell."""
        if not self._arrived:
            return b""
        arrived, self._arrived = self._arrived, {}
        if self._base is None:
            first = next(iter(arrived))
            self._base = min(arrived, key=lambda s: (s - first + 0x8000) & 0xFFFF)
        base = self._base
        last = max((s - base + 0x8000) & 0xFFFF for s in arrived) - 0x8000
        if last < 0 or last > MAX_SPAN:  # only late packets, or a jump: begin anew
            self._base = None
            return b""
        reference = int(min(arrived.values()) / REFERENCE)
        symbols, deltas = _encode(arrived, base, last, reference)
        body = struct.pack(
            "!LLHHL",
            ssrc,
            media_ssrc,
            base,
            len(symbols),
            (reference & 0xFFFFFF) << 8 | self._count & 255,
        )
        body += _chunks(symbols) + deltas
        self._count += 1
        self._base = (base + last + 1) & 0xFFFF
        pad = -len(body) % 4
        if pad:
            body += b"\0" * (pad - 1) + bytes((pad,))
        return struct.pack("!BBH", 0x8F | (0x20 if pad else 0), 205, len(body) // 4) + body


def _encode(
    arrived: dict[int, float], base: int, last: int, reference: int
) -> tuple[list[int], bytes]:
    symbols: list[int] = []
    deltas: list[bytes] = []
    clock = reference * REFERENCE * TICKS
    for i in range(last + 1):
        at = arrived.get((base + i) & 0xFFFF)
        if at is None:
            symbols.append(0)
            continue
        delta = max(-32768, min(32767, round(at * TICKS - clock)))
        clock += delta
        if 0 <= delta < 256:
            symbols.append(1)
            deltas.append(struct.pack("!B", delta))
        else:
            symbols.append(2)
            deltas.append(struct.pack("!h", delta))
    return symbols, b"".join(deltas)


def _chunks(symbols: list[int]) -> bytes:
    """Run-length chunks for seven or more of a kind, else two-bit status vectors."""
    out, i = [], 0
    while i < len(symbols):
        run = 1
        while i + run < len(symbols) and symbols[i + run] == symbols[i] and run < 8191:
            run += 1
        if run >= 7:
            out.append(struct.pack("!H", symbols[i] << 13 | run))
            i += run
        else:
            vector = 0xC000
            for k, symbol in enumerate(symbols[i : i + 7]):
                vector |= symbol << 12 - 2 * k
            out.append(struct.pack("!H", vector))
            i += 7
    return b"".join(out)


def remb(ssrc: int, media_ssrc: int, bitrate: int) -> bytes:
    """Receiver Estimated Max Bitrate (draft-alvestrand-rmcat-remb-03), bits per second."""
    return bytes(
        rtcp.RtcpPsfbPacket(
            fmt=rtcp.RTCP_PSFB_APP,
            ssrc=ssrc,
            media_ssrc=0,
            fci=rtcp.pack_remb_fci(bitrate, [media_ssrc]),
        )
    )
