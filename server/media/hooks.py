"""The only file that knows the inside of aiortc: its SDP, ICE, DTLS and SRTP with our RTP plane.

aiortc keeps negotiation and keys. Where it makes its RTP receiver and sender, Ingress and Egress
are put in their place; once DTLS is up, datagrams 128..191 go from the socket straight through
unprotect to the Ingress and on, synchronously: no queue, no task per packet (a third of the cost).

Used of aiortc 1.16 and aioice, and checked at start-up by `check_stack`:
  RTCPeerConnection.__createTransceiver     where sender and receiver are made
  RTCRtpTransceiver.__receiver/__sender, ._codecs, ._headerExtensions, ._offerDirection
  RTCDtlsTransport._handle_rtp_data/_handle_rtcp_data, ._rx_srtp/._tx_srtp, ._rtp_router
  RTCIceTransport._connection; aioice Connection._nominated/._protocols/.data_received
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pylibsrtp
from aioice import Connection as IceConnection
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc import rtcpeerconnection as stock
from aiortc import sdp as stock_sdp
from aiortc.codecs import is_rtx
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.stats import RTCStatsReport

from .egress import Egress
from .evidence import OfferRefused, UnsupportedStack
from .ingress import Ingress
from .rtp import ABS_SEND_TIME, AUDIO_LEVEL, TWCC, is_rtcp
from .sdp import checked_offer, our_codecs, our_extensions

AIORTC = "1.16."
MAKE_TRANSCEIVER = "_RTCPeerConnection__createTransceiver"


def check_stack() -> None:
    """Raises UnsupportedStack unless aiortc is the version whose inside this file uses."""
    version = importlib.metadata.version("aiortc")
    inside = (
        hasattr(RTCPeerConnection, MAKE_TRANSCEIVER),
        hasattr(RTCDtlsTransport, "_handle_rtp_data"),
        hasattr(RTCDtlsTransport, "_handle_rtcp_data"),
        hasattr(IceConnection, "data_received"),
        hasattr(IceConnection, "get_component_candidates"),
        hasattr(stock, "find_common_codecs"),
    )
    if not version.startswith(AIORTC) or not all(inside):
        raise UnsupportedStack(
            f"aiortc {version} is not {AIORTC}*: server/media/hooks.py must follow"
        )


def restrict_hosts(connection: RTCPeerConnection, hosts: Sequence[str] | None) -> None:
    """Makes ICE use these host addresses only; for None all of this machine, loopback too.

    Per connection: aioice's own list is process-wide and leaves loopback out, which a browser on
    the same machine may need. Call after the first transceiver exists.
    """
    for transceiver in connection.getTransceivers():
        ice: Any = transceiver.receiver.transport.transport._connection
        if "get_component_candidates" in vars(ice):
            continue
        gather = ice.get_component_candidates

        async def candidates(
            component: int, addresses: list[str], gather: Any = gather, **limits: Any
        ) -> Any:
            chosen = list(hosts) if hosts is not None else [*addresses, "127.0.0.1"]
            return await gather(component=component, addresses=chosen, **limits)

        ice.get_component_candidates = candidates


def _drop_empty(connection: RTCPeerConnection) -> None:
    """Keeps empty datagrams, which anyone may send, from aiortc, whose reader they would end."""
    ice: Any = connection.getTransceivers()[0].receiver.transport.transport._connection
    queue = ice.data_received

    def data_received(data: bytes, component: int) -> None:
        if data:
            queue(data, component)

    ice.data_received = data_received


class Plane(Protocol):
    """Who gets what a wire receives: the connection above it."""

    def on_rtp(self, data: bytes) -> None: ...
    def on_rtcp(self, data: bytes) -> None: ...
    def on_ingress(self, ingress: Ingress, twcc_id: int) -> None: ...
    def on_egress(self, egress: Egress) -> None: ...
    def on_heard(self) -> None: ...
    def on_closed(self) -> None: ...


class Wire:
    """One peer connection towards a browser: answers its offer, then moves packets.

    `slots` are the pairs of audio and video Egress the viewer offered, in order. `peer` is aiortc's
    connection, for who offers instead of answering (the load generator does).
    """

    def __init__(
        self, plane: Plane, *, hosts: Sequence[str] | None, draw: Callable[[int], int]
    ) -> None:
        self.slots: list[tuple[Egress, Egress]] = []
        self._plane = plane
        self._hosts = hosts
        self._draw = draw
        self._dtls: Any = None
        self._nominated: dict[int, Any] = {}
        self._protect: Callable[[bytes], bytes] | None = None
        self._protect_rtcp: Callable[[bytes], bytes] | None = None
        self.peer: RTCPeerConnection = _Peer(self, draw)
        self.peer.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: str) -> str:
        """Answers an SDP offer. Raises OfferRefused; afterwards close() is due in any case."""
        offer = checked_offer(offer)
        try:
            await self.peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            self._negotiate(stock_sdp.SessionDescription.parse(offer))
            self._name_slots()
            restrict_hosts(self.peer, self._hosts)
            _drop_empty(self.peer)
            await self.peer.setLocalDescription(await self.peer.createAnswer())
        except OfferRefused:
            raise
        except Exception as error:  # aiortc's parser raises anything
            raise OfferRefused(f"cannot answer this offer: {error}") from error
        return str(self.peer.localDescription.sdp)

    def send(self, data: bytes) -> None:
        """Sends one RTP packet; before the connection is up, nothing."""
        pair = self._nominated.get(1)
        if pair is not None and self._protect is not None:
            pair.protocol.transport.sendto(self._protect(data), pair.remote_addr)

    def send_rtcp(self, data: bytes) -> None:
        """Sends one compound RTCP packet."""
        pair = self._nominated.get(1)
        if pair is not None and self._protect_rtcp is not None:
            pair.protocol.transport.sendto(self._protect_rtcp(data), pair.remote_addr)

    async def close(self) -> None:
        """Ends the connection; the browser is told."""
        await self.peer.close()

    def _negotiate(self, offer: Any) -> None:
        """Replaces what aiortc agreed to: VP8 and Opus only, our extensions, audio NACK, Opus FEC.

        aiortc's own tables are module-level; changing them would change every connection of the
        process.
        """
        media = {line.rtp.muxId: line for line in offer.media}
        for transceiver in self.peer.getTransceivers():
            line = media[transceiver.mid]
            codecs = stock.find_common_codecs(our_codecs(transceiver.kind), line.rtp.codecs)
            plain = [codec for codec in codecs if not is_rtx(codec)][:1]
            if not plain:
                raise OfferRefused(
                    f"no {transceiver.kind} codec in common: VP8 and Opus are needed"
                )
            transceiver._codecs = plain + [
                codec
                for codec in codecs
                if is_rtx(codec) and codec.parameters.get("apt") == plain[0].payloadType
            ]
            transceiver._headerExtensions = stock.find_common_header_extensions(
                our_extensions(transceiver.kind), line.rtp.headerExtensions
            )

    def _name_slots(self) -> None:
        """The browser's recvonly lines are slots; audio and video of one slot share a stream.

        Equal msid lines make Chrome refuse, and one stream per slot is what keeps lip-sync.
        """
        slots: dict[str, list[Any]] = {"audio": [], "video": []}
        for transceiver in self.peer.getTransceivers():
            if transceiver._offerDirection == "sendonly":
                transceiver.direction = "sendonly"
                number = len(slots[transceiver.kind])
                sender: Any = transceiver.sender
                sender._stream_id = f"slot{number}"
                sender._track_id = f"slot{number}-{transceiver.kind}"
                slots[transceiver.kind].append(sender.egress)
        self.slots = list(zip(slots["audio"], slots["video"], strict=False))

    def _state_changed(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self._plane.on_closed()

    def _install(self, dtls: Any) -> None:
        """Takes over the packets of a transport whose DTLS is up."""
        if self._dtls is not None:
            return
        self._dtls = dtls
        ice = dtls.transport._connection
        self._nominated = ice._nominated
        self._protect, self._protect_rtcp = dtls._tx_srtp.protect, dtls._tx_srtp.protect_rtcp
        unprotect, unprotect_rtcp = dtls._rx_srtp.unprotect, dtls._rx_srtp.unprotect_rtcp
        plane = self._plane
        on_rtp, on_rtcp = plane.on_rtp, plane.on_rtcp

        async def queued_rtp(data: bytes, arrival_time_ms: int) -> None:
            on_rtp(data)

        async def queued_rtcp(data: bytes) -> None:
            on_rtcp(data)

        def received(data: bytes) -> None:
            if len(data) < 12:
                return
            try:
                if is_rtcp(data):
                    on_rtcp(unprotect_rtcp(data))
                else:
                    on_rtp(unprotect(data))
            except pylibsrtp.Error:
                return  # not for these keys: a copy, a stranger, or damage

        dtls._handle_rtp_data, dtls._handle_rtcp_data = queued_rtp, queued_rtcp
        dtls._rtp_router.receivers.add(_Disconnect(plane))
        queue = ice.data_received

        def data_received(data: bytes, component: int) -> None:
            if data and 127 < data[0] < 192:
                received(data)
            else:
                queue(data, component)

        ice.data_received = data_received
        for protocol in ice._protocols:  # straight from the socket, past the STUN parser
            protocol.datagram_received = _socket_reader(
                protocol.datagram_received, received, plane.on_heard
            )


def _socket_reader(
    stun: Callable[[bytes, Any], None],
    received: Callable[[bytes], None],
    heard: Callable[[], None],
) -> Callable[[bytes, Any], None]:
    def datagram_received(data: bytes, addr: Any) -> None:
        if data and 127 < data[0] < 192:
            received(data)
        else:
            heard()
            stun(data, addr)

    return datagram_received


class _Disconnect:
    """What RTCDtlsTransport tells when the other side shuts DTLS down."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def _handle_disconnect(self) -> None:
        self._plane.on_closed()


class _Peer(RTCPeerConnection):
    """aiortc's connection with our receiver and sender in each transceiver.

    `iceServers=[]`: the default would ask a public STUN server about every session.
    """

    def __init__(self, wire: Wire, draw: Callable[[int], int]) -> None:
        super().__init__(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._wire = wire
        self._draw = draw

    def _RTCPeerConnection__createTransceiver(
        self, direction: str, kind: str, sender_track: Any = None
    ) -> RTCRtpTransceiver:
        make: Any = getattr(RTCPeerConnection, MAKE_TRANSCEIVER)
        transceiver: Any = make(self, direction, kind, sender_track)
        transport = transceiver.receiver.transport
        sender = _Sender(self._wire, kind, transport, self._draw)
        receiver = _Receiver(self._wire, kind, transport)
        receiver._set_rtcp_ssrc(sender._ssrc)
        transceiver._RTCRtpTransceiver__receiver = receiver
        transceiver._RTCRtpTransceiver__sender = sender
        made: RTCRtpTransceiver = transceiver
        return made


class _Receiver:
    """What RTCPeerConnection asks of a receiver, around an Ingress."""

    def __init__(self, wire: Wire, kind: str, transport: Any) -> None:
        self.ingress = Ingress(kind, wire)
        self.transport = transport
        self._wire = wire
        self._track: Any = None
        self._enabled = True
        self._begun = False

    @property
    def track(self) -> Any:
        return self._track

    def setTransport(self, transport: Any) -> None:
        self.transport = transport

    def _set_rtcp_ssrc(self, ssrc: int) -> None:
        self.ingress.own_ssrc = ssrc

    async def getStats(self) -> RTCStatsReport:
        return RTCStatsReport()

    async def receive(self, parameters: Any) -> None:
        if self._begun:
            return
        self._begun = True
        ingress = self.ingress
        for codec in parameters.codecs:
            if is_rtx(codec):
                ingress.rtx_payload_type = codec.payloadType
            else:
                ingress.payload_type = codec.payloadType
                ingress.clock_rate = codec.clockRate
                ingress.nack = any(f.type == "nack" and not f.parameter for f in codec.rtcpFeedback)
        for encoding in parameters.encodings:
            ingress.ssrc = encoding.ssrc
            ingress.rtx_ssrc = encoding.rtx.ssrc if encoding.rtx else None
        ids = {ext.uri: ext.id for ext in parameters.headerExtensions}
        ingress.audio_level_id = ids.get(AUDIO_LEVEL, 0)
        self._wire._install(self.transport)
        self._wire._plane.on_ingress(ingress, ids.get(TWCC, 0))

    async def stop(self) -> None:
        return


class _Sender:
    """What RTCPeerConnection asks of a sender, around an Egress."""

    def __init__(self, wire: Wire, kind: str, transport: Any, draw: Callable[[int], int]) -> None:
        self.egress = Egress(kind, _MediaLine(wire), draw)
        self.transport = transport
        self.track: Any = None
        self._wire = wire
        self._ssrc = self.egress.ssrc
        self._rtx_ssrc = self.egress.rtx_ssrc
        # Publishing lines answer with a sender too; its msid must be nobody else's.
        self._stream_id = "none"
        self._track_id = f"{self._ssrc:08x}"
        self._enabled = True
        self._begun = False

    def setTransport(self, transport: Any) -> None:
        self.transport = transport

    def replaceTrack(self, track: Any) -> None:
        self.track = track

    async def getStats(self) -> RTCStatsReport:
        return RTCStatsReport()

    async def send(self, parameters: Any) -> None:
        if self._begun:
            return
        self._begun = True
        rtx = [codec.payloadType for codec in parameters.codecs if is_rtx(codec)]
        ids = {ext.uri: ext.id for ext in parameters.headerExtensions}
        self.egress.negotiated(
            payload_type=parameters.codecs[0].payloadType,
            rtx_payload_type=rtx[0] if rtx else -1,
            abs_send_time_id=ids.get(ABS_SEND_TIME, 0),
            cname=parameters.rtcp.cname,
        )
        self._wire._install(self.transport)
        self._wire._plane.on_egress(self.egress)

    async def stop(self) -> None:
        return


class _MediaLine:
    __slots__ = ("send_media",)

    def __init__(self, wire: Wire) -> None:
        self.send_media = wire.send
