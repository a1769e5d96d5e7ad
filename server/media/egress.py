"""A slot towards a viewer: one outgoing SSRC, fed by at most one Ingress at a time.

Stands where aiortc's RTCRtpSender stands. The payload passes untouched; the header is written anew,
so that a publisher who reconnects, or another one put into the slot, continues in the same
`<video>`.
"""

import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from aiortc import rtp as rtcp

from .ingress import Ingress
from .rtp import HEADER, PADDING, begins_keyframe

HISTORY = 1024  # packets kept for retransmission
NTP_UNIT = 1 << 32
REPORTS_KEPT = 8
EARLY = 256  # packets held while a key frame's first one may still come: a second and more


class MediaLine(Protocol):
    """Where an Egress sends: the connection it lives on."""

    def send_media(self, data: bytes) -> None: ...


class Egress:
    """One slot. Not thread-safe; lives on the event loop's thread.

    `draw` gives random integers of so many bits (sequence and timestamp origins, RFC 3550 5.1).
    """

    def __init__(self, kind: str, line: MediaLine, draw: Callable[[int], int]) -> None:
        self.kind = kind
        self.line = line
        self.ssrc = draw(32)
        self.rtx_ssrc = draw(32)
        self.payload_type = -1  # not negotiated yet
        self.rtx_payload_type = -1
        self.clock_rate = 90000 if kind == "video" else 48000
        self.cname = ""
        self.source: Ingress | None = None
        self.packets = self.octets = self.retransmitted = 0
        self.rtt: float | None = None  # seconds
        self._extension = b""
        self._rtx_seq = draw(15)
        self._seq = draw(15)  # last number sent, extended
        self._ts = draw(32)
        self._sent_at: float | None = None
        self._shift: int | None = None  # out number = in number + shift
        self._ts_shift = 0
        self._history: list[bytes | None] = [None] * HISTORY
        self._early: deque[tuple[bytes, int, int, int, int]] = deque(maxlen=EARLY)
        self._reports: dict[int, float] = {}  # middle NTP bits of a report -> when it was sent

    def negotiated(
        self, *, payload_type: int, rtx_payload_type: int, abs_send_time_id: int, cname: str
    ) -> None:
        """Takes what the answer says; before this nothing is sent."""
        self.payload_type = payload_type
        self.rtx_payload_type = rtx_payload_type
        self.cname = cname
        if abs_send_time_id and self.kind == "video":
            self._extension = struct.pack("!HHB", 0xBEDE, 1, abs_send_time_id << 4 | 2)

    def attach(self, source: Ingress | None, now: float) -> None:
        """Feeds this slot from `source`, or from nobody."""
        if self.source is source:
            return
        if self.source is not None:
            self.source.sinks.remove(self.forward)
            self.source.caps.pop(self.ssrc, None)
        self.source = source
        self._shift = None
        self._early.clear()
        if source is not None:
            source.sinks.append(self.forward)
            source.request_keyframe(now)

    def forward(
        self, data: bytes, head: int, number: int, ts: int, marker: int, now: float
    ) -> None:
        """Sends one packet of the source on."""
        if self.payload_type < 0:
            return
        shift = self._shift
        if shift is None:
            if self.kind == "video" and not begins_keyframe(data, head):
                # Nothing a viewer could decode, unless what it belongs to comes late.
                self._early.append((data, head, number, ts, marker))
                return
            # Go on where the previous source stopped: the viewer sees one stream.
            pause = 0.0 if self._sent_at is None else now - self._sent_at
            self._shift = shift = self._seq + 1 - number
            self._ts_shift = (self._ts + max(1, int(pause * self.clock_rate)) - ts) & 0xFFFFFFFF
            self._history = [None] * HISTORY
        number += shift
        ts = (ts + self._ts_shift) & 0xFFFFFFFF
        prefix = self._extension
        if prefix:
            stamp = int((now % 64) * 262144) & 0xFFFFFF  # 6.18 fixed point; any origin does
            out = (
                HEADER.pack(
                    0x90 | data[0] & PADDING,
                    marker << 7 | self.payload_type,
                    number & 0xFFFF,
                    ts,
                    self.ssrc,
                )
                + prefix
                + stamp.to_bytes(3, "big")
                + data[head:]
            )
        else:
            out = (
                HEADER.pack(
                    0x80 | data[0] & PADDING,
                    marker << 7 | self.payload_type,
                    number & 0xFFFF,
                    ts,
                    self.ssrc,
                )
                + data[head:]
            )
        self._history[number % HISTORY] = out
        if number > self._seq:
            self._seq, self._ts, self._sent_at = number, ts, now
        self.packets += 1
        self.octets += len(data) - head
        self.line.send_media(out)
        if self._early:
            later = sorted(
                (held for held in self._early if held[2] + shift > self._seq),
                key=lambda held: held[2],
            )
            self._early.clear()
            for held in later:
                self.forward(*held, now)

    def retransmit(self, seq: int) -> None:
        """Sends one packet again; unknown or too old numbers are ignored."""
        # 1024 divides 65536, so the 16-bit number finds the same place as the extended one.
        out = self._history[seq % HISTORY]
        if out is None or out[2] << 8 | out[3] != seq:
            return
        self.retransmitted += 1
        if self.rtx_payload_type < 0:  # audio: again, as it was
            self.line.send_media(out)
            return
        head = 12 + len(self._extension) + 3 if self._extension else 12
        b0, b1, _, ts, _ = HEADER.unpack_from(out)
        self._rtx_seq = (self._rtx_seq + 1) & 0xFFFF
        self.line.send_media(
            HEADER.pack(b0, b1 & 128 | self.rtx_payload_type, self._rtx_seq, ts, self.rtx_ssrc)
            + out[12:head]
            + out[2:4]
            + out[head:]
        )

    def tick(self, now: float) -> None:
        """Asks again for the key frame the slot waits for; the viewer cannot know it should."""
        if self._shift is None and self.source is not None and self.payload_type >= 0:
            self.source.request_keyframe(now)

    def on_keyframe_request(self, now: float) -> None:
        """The viewer's PLI or FIR, handed to whoever is in the slot."""
        if self.source is not None:
            self.source.request_keyframe(now)

    def on_bitrate_cap(self, bitrate: int) -> None:
        """The viewer's REMB, bits per second."""
        if self.source is not None and bitrate > 0:
            self.source.caps[self.ssrc] = bitrate

    def on_receiver_report(self, lsr: int, dlsr: int, now: float) -> None:
        """Round trip by RFC 3550 6.4.1, against our own note of when the report left.

        The report carries the publisher's clock, so the clock of this machine cannot be used.
        """
        sent = self._reports.get(lsr)
        if sent is not None:
            self.rtt = max(0.0, now - sent - dlsr / 65536)

    def sender_report(self, now: float) -> rtcp.RtcpSrPacket | None:
        """The publisher's own clock moved to this slot's timestamps: keeps lip-sync."""
        source = self.source
        if not self.packets or source is None or self._shift is None or source.last_report is None:
            return None
        ntp, ts, at = source.last_report
        ahead = now - at
        ntp = (ntp + int(ahead * NTP_UNIT)) & (1 << 64) - 1
        ts = (ts + int(ahead * self.clock_rate) + self._ts_shift) & 0xFFFFFFFF
        self._reports[(ntp >> 16) & 0xFFFFFFFF] = now
        while len(self._reports) > REPORTS_KEPT:
            del self._reports[next(iter(self._reports))]
        return rtcp.RtcpSrPacket(
            ssrc=self.ssrc,
            sender_info=rtcp.RtcpSenderInfo(
                ntp_timestamp=ntp,
                rtp_timestamp=ts,
                packet_count=self.packets & 0xFFFFFFFF,
                octet_count=self.octets & 0xFFFFFFFF,
            ),
        )
