"""One participant's connection: routes packets between a wire and the tracks and slots on it.

Ticked by its room twenty times a second: NACK retries each tick, transport feedback each second
one, reports each second (each 200 ms in the first second, so that clocks align early).
"""

import struct
from collections.abc import Callable, Sequence

from aiortc import rtp as rtcp

from .egress import Egress
from .feedback import Arrivals, remb
from .hooks import Wire
from .ingress import Ingress
from .rtp import payload_offset, split_compound

MAX_BITRATE = 2_500_000  # bits per second a publisher may send
MAX_RETRANSMISSIONS = 128  # per RTCP packet: a NACK must not make us a cannon
COMPOUND = 1200  # bytes of one RTCP datagram
SDES_CNAME = 1


class Connection:
    """The media plane of one participant. Everything runs on the event loop's thread.

    `on_track` hears of each published track, `on_first` of the first packet, `on_closed` of the
    end.
    """

    def __init__(
        self,
        *,
        hosts: Sequence[str] | None,
        draw: Callable[[int], int],
        time: Callable[[], float],
        on_track: Callable[[Ingress], None],
        on_first: Callable[[], None],
        on_closed: Callable[[], None],
    ) -> None:
        self.wire = Wire(self, hosts=hosts, draw=draw)
        self.ingress: dict[str, Ingress] = {}  # by kind
        self.egress: dict[int, Egress] = {}  # by SSRC
        self.heard = time()  # when anything last came, STUN too
        self.up = False  # a packet has come
        self.received = self.malformed = 0
        self._time = time
        self._on_track = on_track
        self._on_first = on_first
        self._closed_by = on_closed
        self._routes: dict[int, Ingress] = {}
        self._arrivals: Arrivals | None = None
        self._ticks = 0

    @property
    def slots(self) -> list[tuple[Egress, Egress]]:
        """The pairs of audio and video the browser can show."""
        return self.wire.slots

    def attach(self, slot: int, source: "Connection | None") -> None:
        """Feeds a slot from another connection's tracks, or from nobody."""
        now = self._time()
        for egress in self.slots[slot]:
            egress.attach(source.ingress.get(egress.kind) if source else None, now)

    # What the wire tells.

    def on_rtp(self, data: bytes) -> None:
        """One decrypted RTP packet."""
        now = self.heard = self._time()
        head = payload_offset(data)
        if head < 0:
            self.malformed += 1
            return
        self.received += 1
        if not self.up:
            self.up = True
            self._on_first()
        if self._arrivals is not None:
            self._arrivals.add(data, head, now)
        ssrc = data[8] << 24 | data[9] << 16 | data[10] << 8 | data[11]
        ingress = self._routes.get(ssrc)
        if ingress is None:
            ingress = self._adopt(ssrc, data[1] & 127)
            if ingress is None:
                return
        ingress.on_rtp(data, head, now)

    def on_rtcp(self, data: bytes) -> None:
        """One decrypted compound RTCP packet."""
        now = self.heard = self._time()
        try:
            packets = rtcp.RtcpPacket.parse(data)
            for packet in packets:
                self._on_report(packet, now)
        except (ValueError, IndexError, struct.error):
            self.malformed += 1

    def on_ingress(self, ingress: Ingress, twcc_id: int) -> None:
        """A published track was negotiated and DTLS is up."""
        if ingress.kind in self.ingress:
            return  # a second line of a kind (screen share) is not shown yet
        self.ingress[ingress.kind] = ingress
        for ssrc in (ingress.ssrc, ingress.rtx_ssrc):
            if ssrc is not None:
                self._routes[ssrc] = ingress
        if twcc_id and self._arrivals is None:
            self._arrivals = Arrivals(twcc_id)
        self._on_track(ingress)

    def on_egress(self, egress: Egress) -> None:
        """A slot was negotiated and DTLS is up."""
        self.egress[egress.ssrc] = egress
        egress.on_keyframe_request(self._time())

    def on_heard(self) -> None:
        """Something that is not media came: the other side lives."""
        self.heard = self._time()

    def on_closed(self) -> None:
        """The transport ended or failed."""
        self._closed_by()

    def _adopt(self, ssrc: int, payload_type: int) -> Ingress | None:
        """An offer without a=ssrc lines: the first packet of a payload type names the stream."""
        for ingress in self.ingress.values():
            if ingress.ssrc is None and ingress.payload_type == payload_type:
                ingress.ssrc = ssrc
                self._routes[ssrc] = ingress
                return ingress
        return None

    def _on_report(self, packet: rtcp.AnyRtcpPacket, now: float) -> None:
        if isinstance(packet, rtcp.RtcpSrPacket):
            ingress = self._routes.get(packet.ssrc)
            if ingress is not None:
                info = packet.sender_info
                ingress.on_sender_report(info.ntp_timestamp, info.rtp_timestamp, now)
        if isinstance(packet, (rtcp.RtcpSrPacket, rtcp.RtcpRrPacket)):
            for report in packet.reports:
                if egress := self.egress.get(report.ssrc):
                    egress.on_receiver_report(report.lsr, report.dlsr, now)
        elif isinstance(packet, rtcp.RtcpRtpfbPacket):
            egress = self.egress.get(packet.media_ssrc)
            if egress is not None and packet.fmt == rtcp.RTCP_RTPFB_NACK:
                for seq in packet.lost[:MAX_RETRANSMISSIONS]:
                    egress.retransmit(seq)
        elif isinstance(packet, rtcp.RtcpPsfbPacket):
            self._on_payload_feedback(packet, now)

    def _on_payload_feedback(self, packet: rtcp.RtcpPsfbPacket, now: float) -> None:
        if packet.fmt == rtcp.RTCP_PSFB_APP:
            bitrate, ssrcs = rtcp.unpack_remb_fci(packet.fci)
            for ssrc in ssrcs:
                if egress := self.egress.get(ssrc):
                    egress.on_bitrate_cap(bitrate)
            return
        ssrc = packet.media_ssrc
        if packet.fmt == rtcp.RTCP_PSFB_FIR:  # RFC 5104 4.3.1: the target is in the entry
            ssrc = int.from_bytes(packet.fci[:4], "big")
        elif packet.fmt != rtcp.RTCP_PSFB_PLI:
            return
        if egress := self.egress.get(ssrc):
            egress.on_keyframe_request(now)

    # What the room's timer does.

    def tick(self, now: float) -> None:
        """One twentieth of a second has gone by."""
        self._ticks += 1
        for ingress in self.ingress.values():
            ingress.retry(now)
        for egress in self.egress.values():
            egress.tick(now)
        if self._ticks % 2 == 0 and self._arrivals is not None:
            self._send_arrivals()
        if self._ticks % 20 == 0 or (self._ticks < 20 and self._ticks % 4 == 0):
            self._send_reports(now)

    def _send_arrivals(self) -> None:
        assert self._arrivals is not None
        for ingress in self.ingress.values():
            if ingress.ssrc is not None:
                packet = self._arrivals.packet(ingress.own_ssrc, ingress.ssrc)
                if packet:
                    self.wire.send_rtcp(packet)
                return

    def _send_reports(self, now: float) -> None:
        blocks = [r for i in self.ingress.values() if (r := i.receiver_report(now)) is not None]
        out = b""
        if blocks:
            own = next(iter(self.ingress.values())).own_ssrc
            out += bytes(rtcp.RtcpRrPacket(ssrc=own, reports=blocks))
            video = self.ingress.get("video")
            if video is not None and video.ssrc is not None and video.received:
                cap = min([MAX_BITRATE, *video.caps.values()])
                out += remb(own, video.ssrc, cap)
        for egress in self.egress.values():
            if (report := egress.sender_report(now)) is not None:
                name = rtcp.RtcpSourceInfo(
                    ssrc=egress.ssrc, items=[(SDES_CNAME, egress.cname.encode())]
                )
                out += bytes(report) + bytes(rtcp.RtcpSdesPacket(chunks=[name]))
        while out:
            packet, out = split_compound(out, COMPOUND)
            self.wire.send_rtcp(packet)
