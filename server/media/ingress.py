"""A published track on its way in: one media SSRC (and its RTX SSRC) as ordered numbers.

Stands where aiortc's RTCRtpReceiver stands. Gives every packet an *extended* sequence number that
only grows, through wraps and through a sender that starts anew, so that nobody behind it thinks
about the 16-bit circle. Asks for what is missing at once, then every 60 ms, six times.
"""

from collections.abc import Callable
from typing import Protocol

from aiortc import rtp as rtcp

from .rtp import HEADER, PADDING, delta16

NACK_WINDOW = 256  # sequence numbers we still ask for
NACK_TRIES = 6
NACK_PAUSE = 0.06  # seconds between two requests for one packet
KEYFRAME_PAUSE = 0.5  # seconds between two PLIs
RESTART = 3000  # a step this far back is another stream, once two packets agree (RFC 3550 A.1)
NTP_SHORT = 65536

Sink = Callable[[bytes, int, int, int, int, float], None]
"""(packet, payload offset, extended sequence number, RTP timestamp, marker, now in seconds)"""

ReportSink = Callable[[int, int, float], None]
"""(NTP timestamp 32.32, RTP timestamp, now in seconds) of a sender report"""


class RtcpLine(Protocol):
    """Where an Ingress sends its requests: the connection it lives on."""

    def send_rtcp(self, data: bytes) -> None: ...


class Ingress:
    """One published track. Not thread-safe; lives on the event loop's thread."""

    def __init__(self, kind: str, line: RtcpLine) -> None:
        self.kind = kind
        self.line = line
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.own_ssrc = 0  # the SSRC our reports about this track come from
        self.payload_type = -1
        self.rtx_payload_type = -1
        self.clock_rate = 90000 if kind == "video" else 48000
        self.nack = False
        self.audio_level_id = 0
        self.sinks: list[Sink] = []
        self.report_sinks: list[ReportSink] = []
        self.caps: dict[int, int] = {}  # egress SSRC -> bits per second its viewer can take
        self.last_report: tuple[int, int, float] | None = None  # NTP, RTP timestamp, now
        self.last_packet = 0.0
        self.received = self.octets = self.recovered = self.requested = self.abandoned = 0
        self.fraction_lost = 0.0
        self.plis = 0
        self._max: int | None = None  # highest extended number seen
        self._first = 0
        self._restart_at: int | None = None
        self._missing: dict[int, tuple[int, float]] = {}  # extended number -> (tries, last asked)
        self._jitter = 0.0
        self._transit: float | None = None
        self._prior = (0, 0, 0)
        self._lsr = 0
        self._lsr_at = 0.0
        self._last_pli = -KEYFRAME_PAUSE

    @property
    def missing(self) -> bool:
        """Whether packets are being asked for."""
        return bool(self._missing)

    def on_rtp(self, data: bytes, head: int, now: float) -> None:
        """Takes one decrypted packet whose payload begins at `head` (already bounds-checked)."""
        _, b1, seq, ts, ssrc = HEADER.unpack_from(data)
        if ssrc == self.rtx_ssrc:
            self._on_rtx(data, head, now)
            return
        if b1 & 127 != self.payload_type:
            return
        top = self._max
        if top is None:
            # Begin high enough that a reordered first packet stays positive.
            number = self._max = self._first = seq + 0x10000
        else:
            step = delta16(seq, top & 0xFFFF)
            number = top + step
            if step == 1:
                self._max = number
            elif step > 1:
                self._max = number
                self._ask(top + 1, number, now)
            elif number in self._missing:
                del self._missing[number]
            elif step < -RESTART:
                number = self._restarted(seq, now)
                if number < 0:
                    return
        self.received += 1
        self.octets += len(data)
        self.last_packet = now
        transit = now * self.clock_rate - ts
        if self._transit is not None:
            deviation = abs(transit - self._transit)
            if deviation < self.clock_rate * 10:
                self._jitter += (deviation - self._jitter) / 16
        self._transit = transit
        for sink in self.sinks:
            sink(data, head, number, ts, b1 >> 7, now)

    def _on_rtx(self, data: bytes, head: int, now: float) -> None:
        """Unwraps a retransmission (RFC 4588 4); one nobody asked for is probing or a copy."""
        b0, b1, _, ts, _ = HEADER.unpack_from(data)
        end = len(data) - (data[-1] if b0 & PADDING else 0)
        if end - head < 2 or self._max is None or b1 & 127 != self.rtx_payload_type:
            return
        original = data[head] << 8 | data[head + 1]
        number = self._max + delta16(original, self._max & 0xFFFF)
        if self._missing.pop(number, None) is None:
            return
        self.recovered += 1
        self.last_packet = now
        plain = (
            HEADER.pack(0x80, b1 & 128 | self.payload_type, original, ts, self.ssrc or 0)
            + data[head + 2 : end]
        )
        for sink in self.sinks:
            sink(plain, 12, number, ts, b1 >> 7, now)

    def _restarted(self, seq: int, now: float) -> int:
        """A sender that began anew goes on behind what it had sent; -1 until it is sure."""
        assert self._max is not None
        if self._restart_at != seq:
            self._restart_at = (seq + 1) & 0xFFFF
            return -1
        self._restart_at = None
        self._missing.clear()
        # The next number congruent to seq: everything in between never existed.
        number = self._max + ((seq - self._max) & 0xFFFF)
        self._first += number - self._max - 1
        self._max = number
        self.request_keyframe(now)
        return number

    def _ask(self, start: int, stop: int, now: float) -> None:
        """Asks for start..stop-1, as far as they are worth it."""
        if stop - start >= NACK_WINDOW:
            self._missing.clear()
            self.request_keyframe(now)
            return
        if not self.nack:
            return
        for number in range(start, stop):
            self._missing[number] = (1, now)
        self._send_nack(range(start, stop))

    def retry(self, now: float) -> None:
        """Asks again for what is still missing; forgets what is too old."""
        if not self._missing or self._max is None:
            return
        again = []
        for number, (tries, asked) in list(self._missing.items()):
            if now - asked < NACK_PAUSE:
                continue
            if tries >= NACK_TRIES or self._max - number > NACK_WINDOW:
                del self._missing[number]
                self.abandoned += 1
            else:
                self._missing[number] = (tries + 1, now)
                again.append(number)
        if again:
            self._send_nack(again)

    def _send_nack(self, numbers: list[int] | range) -> None:
        packet = rtcp.RtcpRtpfbPacket(
            fmt=rtcp.RTCP_RTPFB_NACK, ssrc=self.own_ssrc, media_ssrc=self.ssrc or 0
        )
        packet.lost = sorted(number & 0xFFFF for number in numbers)
        self.requested += len(packet.lost)
        self.line.send_rtcp(bytes(packet))

    def request_keyframe(self, now: float) -> None:
        """Sends a PLI, at most one each half second."""
        if self.kind != "video" or self.ssrc is None or now - self._last_pli < KEYFRAME_PAUSE:
            return
        self._last_pli = now
        self.plis += 1
        self.line.send_rtcp(
            bytes(
                rtcp.RtcpPsfbPacket(
                    fmt=rtcp.RTCP_PSFB_PLI, ssrc=self.own_ssrc, media_ssrc=self.ssrc
                )
            )
        )

    def on_sender_report(self, ntp: int, ts: int, now: float) -> None:
        """Takes the publisher's own clock reading (RFC 3550 6.4.1)."""
        self._lsr = (ntp >> 16) & 0xFFFFFFFF
        self._lsr_at = now
        self.last_report = (ntp, ts, now)
        for sink in self.report_sinks:
            sink(ntp, ts, now)

    def receiver_report(self, now: float) -> rtcp.RtcpReceiverInfo | None:
        """The report block about this track, or None before the first packet."""
        if self._max is None or self.ssrc is None:
            return None
        expected = self._max - self._first + 1
        got = self.received + self.recovered
        new_expected = expected - self._prior[0]
        lost = max(0, new_expected - (got - self._prior[1]))
        fraction = min(255, (lost << 8) // new_expected) if new_expected > 0 else 0
        # What the line lost before retransmission: the quality shown to people.
        raw = max(0, new_expected - (self.received - self._prior[2]))
        self.fraction_lost = min(1.0, raw / new_expected) if new_expected > 0 else 0.0
        self._prior = (expected, got, self.received)
        delay = int((now - self._lsr_at) * NTP_SHORT)
        return rtcp.RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=rtcp.clamp_packets_lost(expected - got),
            highest_sequence=(self._max - 0x10000) & 0xFFFFFFFF,
            jitter=int(self._jitter) & 0xFFFFFFFF,
            lsr=self._lsr if 0 <= delay < 1 << 32 else 0,
            dlsr=delay if self._lsr and 0 <= delay < 1 << 32 else 0,
        )
