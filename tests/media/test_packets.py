"""Bytes from strangers, and numbers that wrap: the plane holds by property, without a network."""

import itertools
import struct

from aiortc import rtp as rtcp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.media import rtp
from server.media.connection import Connection
from server.media.egress import Egress
from server.media.feedback import Arrivals
from server.media.frames import Assembler, EncodedFrame
from server.media.ingress import Ingress
from server.media.timeline import Timeline

KEY = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00"  # a VP8 key frame's first ten bytes, 320x240
INTER = b"\x11\x02\x00"
VP8_START, VP8_NEXT = b"\x10", b"\x00"
PT = 96


class Line:
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        self.rtcp: list[rtcp.AnyRtcpPacket] = []
        self.media: list[bytes] = []

    def send_rtcp(self, data: bytes) -> None:
        self.rtcp += rtcp.RtcpPacket.parse(data)

    def send_media(self, data: bytes) -> None:
        self.media.append(data)


def packet(seq: int, ts: int, payload: bytes, *, marker: bool = True, ssrc: int = 7) -> bytes:
    header = rtp.HEADER.pack(0x80, marker << 7 | PT, seq & 0xFFFF, ts & 0xFFFFFFFF, ssrc)
    return header + payload


def ingress(line: Line, kind: str = "video") -> Ingress:
    made = Ingress(kind, line)
    made.ssrc, made.rtx_ssrc, made.own_ssrc = 7, 8, 9
    made.payload_type, made.rtx_payload_type, made.nack = PT, PT + 1, True
    return made


def rtx(seq: int, ts: int, payload: bytes) -> bytes:
    return rtp.HEADER.pack(0x80, 0x80 | PT + 1, 0, ts & 0xFFFFFFFF, 8) + (
        struct.pack("!H", seq & 0xFFFF) + payload
    )


def connection() -> Connection:
    made = Connection(
        hosts=["127.0.0.1"],
        draw=lambda bits: 5,
        time=lambda: 1.0,
        on_track=lambda _: None,
        on_first=lambda: None,
        on_closed=lambda: None,
    )
    for kind, ssrc in (("audio", 7), ("video", 17)):
        track = ingress(Line(), kind)
        track.ssrc, track.rtx_ssrc = ssrc, ssrc + 1
        assembler = Assembler(kind, on_frame=lambda _: None, on_loss=lambda *_: None)
        track.sinks.append(assembler.push)
        made.on_ingress(track, 5)
        slot = Egress(kind, Line(), lambda bits, ssrc=ssrc: ssrc)
        slot.negotiated(payload_type=PT, rtx_payload_type=PT + 1, abs_send_time_id=3, cname="c")
        made.on_egress(slot)
        slot.attach(track, 1.0)
    return made


headers = st.builds(
    lambda first, second, rest, ssrc, tail: (
        bytes((first, second)) + rest + ssrc.to_bytes(4, "big") + tail
    ),
    st.integers(128, 191),
    st.sampled_from([PT, 0x80 | PT, PT + 1, 0x80 | PT + 1, 111, 0]),
    st.binary(min_size=6, max_size=6),
    st.sampled_from([7, 8, 17, 18, 99]),
    st.binary(max_size=60),
)


@given(st.lists(st.one_of(headers, st.binary(max_size=80)), max_size=30))
def test_no_rtp_packet_breaks_a_connection(packets: list[bytes]) -> None:
    plane = connection()
    for data in packets:
        plane.on_rtp(data)
    plane.tick(2.0)
    assert plane.received + plane.malformed == len(packets)


reports = st.builds(
    lambda count, kind, body, cut: (
        struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body[: len(body) - cut]
    ),
    st.integers(0, 63),
    st.integers(200, 207),
    st.binary(max_size=96),
    st.integers(0, 3),
)


@given(st.lists(st.one_of(reports, st.binary(min_size=1, max_size=120)), max_size=20))
@example([b"\x81\xce\x00\x04" + bytes(16)])  # a REMB of nobody
@example([b"\x8f\xce\x00\x05" + bytes(8) + b"REMB" + b"\xff\xff\xff\xff"])
def test_no_rtcp_packet_breaks_a_connection(packets: list[bytes]) -> None:
    plane = connection()
    for data in packets:
        plane.on_rtcp(data)
        plane.on_rtcp(b"".join(packets))
    plane.tick(2.0)


@given(st.binary(max_size=64))
def test_a_header_that_does_not_fit_is_refused(data: bytes) -> None:
    head = rtp.payload_offset(data)
    assert head == -1 or 12 <= head <= len(data)
    if head >= 0:
        for ident in (1, 5, 15):
            found = rtp.extension(data, head, ident)
            assert found == 0 or 16 < found < head
        start, _ = rtp.vp8_payload(data, head, len(data))
        assert start == -1 or head < start < len(data)


@settings(max_examples=60)
@given(
    first=st.integers(0, 0xFFFF),
    ts0=st.integers(0, 0xFFFFFFFF),
    lost=st.sets(st.integers(1, 119), max_size=40),
    swapped=st.sets(st.integers(2, 119), max_size=20),
)
@example(first=0xFFF0, ts0=0xFFFFFF00, lost={10, 20, 30}, swapped={15, 16})
def test_frames_come_whole_and_in_order_through_wrap_loss_and_reordering(
    first: int, ts0: int, lost: set[int], swapped: set[int]
) -> None:
    """What is lost comes back by retransmission; every frame is recorded once, in its order."""
    line = Line()
    track = ingress(line)
    frames: list[EncodedFrame] = []
    losses: list[int] = []
    assembler = Assembler(
        "video", on_frame=frames.append, on_loss=lambda count, now: losses.append(count)
    )
    track.sinks.append(assembler.push)
    timeline = Timeline()
    sent = []
    for n in range(120):  # 60 frames of two packets
        start = n % 2 == 0
        body = (KEY if n == 0 else INTER) + n.to_bytes(2, "big") if start else n.to_bytes(2, "big")
        payload = (VP8_START if start else VP8_NEXT) + body
        sent.append((first + n, ts0 + n // 2 * 3000, payload, not start))
    order = list(range(120))
    for n in swapped:
        order[n - 1], order[n] = order[n], order[n - 1]
    now = 0.0
    for n in order:
        now += 0.005
        seq, ts, payload, marker = sent[n]
        if n not in lost or n == 0:
            track.on_rtp(packet(seq, ts, payload, marker=marker), 12, now)
        wanted = [p for p in line.rtcp if isinstance(p, rtcp.RtcpRtpfbPacket)]
        line.rtcp.clear()
        for nack in wanted:
            for asked in nack.lost:
                again = next(s for s in sent if s[0] & 0xFFFF == asked)
                data = rtp.HEADER.pack(
                    0x80, again[3] << 7 | PT + 1, 0, again[1] & 0xFFFFFFFF, 8
                ) + struct.pack("!H", asked)
                track.on_rtp(data + again[2], 12, now)
    # The last ones lost are only noticed by what comes after them.
    track.on_rtp(packet(first + 120, ts0 + 60 * 3000, VP8_START + INTER), 12, now + 0.01)
    for nack in [p for p in line.rtcp if isinstance(p, rtcp.RtcpRtpfbPacket)]:
        for asked in nack.lost:
            again = next(s for s in sent if s[0] & 0xFFFF == asked)
            data = rtp.HEADER.pack(0x80, again[3] << 7 | PT + 1, 0, again[1] & 0xFFFFFFFF, 8)
            track.on_rtp(data + struct.pack("!H", asked) + again[2], 12, now + 0.02)
    assert losses == []
    assert not track.missing
    assert [frame.ts for frame in frames] == [(ts0 + n * 3000) & 0xFFFFFFFF for n in range(61)]
    assert frames[0].size == (320, 240)
    times = [timeline.seconds("video", frame.ts, frame.now) for frame in frames]
    assert all(abs(b - a - 1 / 30) < 1e-9 for a, b in itertools.pairwise(times))


def test_a_packet_that_never_comes_back_is_a_loss_and_nothing_undecodable_is_kept() -> None:
    line = Line()
    track = ingress(line)
    frames: list[EncodedFrame] = []
    losses: list[int] = []
    assembler = Assembler(
        "video", on_frame=frames.append, on_loss=lambda count, now: losses.append(count)
    )
    track.sinks.append(assembler.push)
    bodies = [KEY, INTER, INTER, INTER, INTER, KEY, INTER]
    for n, body in enumerate(bodies):
        if n != 2:
            track.on_rtp(packet(n, n * 3000, VP8_START + body), 12, n / 30)
    now = 0.3
    while now < 1.5:
        now += 0.05
        track.retry(now)
        assembler.advance(now)
    asked = [p for p in line.rtcp if isinstance(p, rtcp.RtcpRtpfbPacket) and p.lost == [2]]
    assert len(asked) == 6
    assert losses == [1]
    assert [frame.ts // 3000 for frame in frames] == [0, 1, 5, 6]


def test_while_the_loop_stands_still_nothing_is_given_up() -> None:
    """What was asked for lies in the kernel, unread, when a late tick comes before it."""
    losses: list[int] = []
    numbers: list[int] = []
    assembler = Assembler(
        "audio",
        on_frame=lambda frame: numbers.append(frame.ts),
        on_loss=lambda count, now: losses.append(count),
    )
    for number, now in ((7, 0.0), (9, 0.04)):
        assembler.push(packet(number, number, b"x"), 12, number, number, 0, now)
    assembler.advance(5.0)
    assembler.push(packet(10, 10, b"x"), 12, 10, 10, 0, 5.0)
    assembler.push(packet(8, 8, b"x"), 12, 8, 8, 0, 5.0)
    assert losses == []
    assert numbers == [7, 8, 9, 10]


def test_a_sender_that_starts_anew_goes_on_and_one_stray_packet_does_not() -> None:
    line = Line()
    track = ingress(line, "audio")
    numbers: list[int] = []
    track.sinks.append(lambda data, head, number, *_: numbers.append(number))
    for seq in (50_000, 50_001):
        track.on_rtp(packet(seq, 0, b"x"), 12, 0.0)
    track.on_rtp(packet(100, 0, b"stray"), 12, 0.0)
    track.on_rtp(packet(50_002, 0, b"x"), 12, 0.0)
    assert len(numbers) == 3
    for seq in (40_000, 40_001, 40_002):
        track.on_rtp(packet(seq, 0, b"x"), 12, 0.0)
    assert len(numbers) == 5  # two packets in a row say so; the first of them is the price
    assert numbers == sorted(numbers)
    assert numbers[-1] == numbers[-2] + 1


@given(
    first=st.integers(0, 0xFFFF), ts0=st.integers(0, 0xFFFFFFFF), draw=st.integers(0, 0xFFFFFFFF)
)
@example(first=0xFFFF, ts0=0xFFFFFFFF, draw=0xFFFFFFFF)
def test_a_slot_is_one_stream_through_wraps_and_another_source(
    first: int, ts0: int, draw: int
) -> None:
    line = Line()
    slot = Egress("video", line, lambda bits: draw & (1 << bits) - 1)
    slot.negotiated(payload_type=100, rtx_payload_type=101, abs_send_time_id=3, cname="c")
    now = 0.0
    for source_number in range(2):
        track = ingress(Line())
        slot.attach(track, now)
        seq, ts = first + 777 * source_number, ts0 + 999_999 * source_number
        track.on_rtp(packet(seq, ts, VP8_START + INTER), 12, now)  # not before a key frame
        for n in range(1, 40):
            now += 1 / 30
            body = VP8_START + (KEY if n == 1 else INTER) + bytes([n])
            track.on_rtp(packet(seq + n, ts + n * 3000, body), 12, now)
    parsed = [rtp.HEADER.unpack_from(data) for data in line.media]
    assert len(parsed) == 78
    assert {(h[0], h[4], h[1] & 127) for h in parsed} == {(0x90, slot.ssrc, 100)}
    steps = [rtp.delta16(b[2], a[2]) for a, b in itertools.pairwise(parsed)]
    assert set(steps) == {1}
    ticks = [rtp.delta32(b[3], a[3]) for a, b in itertools.pairwise(parsed)]
    assert all(tick > 0 for tick in ticks)
    assert set(ticks[:38]) == {3000}

    line.media.clear()
    slot.retransmit(parsed[-5][2])
    slot.retransmit((parsed[0][2] + 5000) & 0xFFFF)  # never sent
    (again,) = line.media
    header = rtp.HEADER.unpack_from(again)
    assert (header[1] & 127, header[4]) == (101, slot.rtx_ssrc)
    assert again[20:22] == struct.pack("!H", parsed[-5][2])


def test_a_key_frame_whose_first_packet_comes_late_is_shown_whole() -> None:
    """As when DTLS is just up, or when the first packet had to be asked for again."""
    line = Line()
    slot = Egress("video", line, lambda bits: 1)
    slot.negotiated(payload_type=100, rtx_payload_type=101, abs_send_time_id=0, cname="c")
    track = ingress(Line())
    slot.attach(track, 0.0)
    sent = [INTER, VP8_START + KEY, b"\0b", b"\0c", b"\0d"]
    for seq in (0, 2, 3, 1, 4):
        track.on_rtp(packet(seq, min(seq, 1) * 3000, sent[seq]), 12, 1.0)
    assert [data[12:] for data in line.media] == sent[1:]
    assert [rtp.HEADER.unpack_from(data)[2] for data in line.media] == [2, 3, 4, 5]


def test_a_slots_report_is_the_publishers_clock_moved() -> None:
    line = Line()
    slot = Egress("video", line, lambda bits: 12345 & (1 << bits) - 1)
    slot.negotiated(payload_type=100, rtx_payload_type=101, abs_send_time_id=3, cname="c")
    track = ingress(Line())
    slot.attach(track, 0.0)
    assert slot.sender_report(0.0) is None
    track.on_rtp(packet(1, 90_000, VP8_START + KEY), 12, 10.0)
    track.on_sender_report(1000 << 32, 90_000, 10.0)
    report = slot.sender_report(10.5)
    assert report is not None
    out_ts = rtp.HEADER.unpack_from(line.media[0])[3]
    assert report.sender_info.ntp_timestamp == (1000 << 32) + (1 << 31)
    assert rtp.delta32(report.sender_info.rtp_timestamp, out_ts) == 45_000
    slot.on_receiver_report((report.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF, 6554, 10.7)
    assert slot.rtt is not None
    assert abs(slot.rtt - 0.1) < 0.001


def test_both_tracks_stand_on_the_senders_clock_and_one_lost_report_changes_nothing() -> None:
    timeline = Timeline()
    # Video was captured together with audio, but came 80 ms later.
    timeline.seconds("audio", 0, 5.0)
    timeline.seconds("video", 500, 5.08)
    timeline.on_report("audio", 100 << 32, 0)
    assert timeline.align() is None
    timeline.on_report("video", 100 << 32, 500)
    shift = timeline.align()
    assert shift is not None
    assert abs(shift + 0.08) < 1e-6
    a = timeline.seconds("audio", 48_000, 6.0)
    v = timeline.seconds("video", 90_500, 6.1)
    assert abs(a - v) < 1e-6
    # The camera's timer runs 1 % fast: the reports pull it back, also after two are lost.
    for second in (2, 3, 6):
        ts = 500 + round(second * 90_000 * 1.01)
        timeline.seconds("video", ts, 5 + second)
        step = timeline.on_report("video", (100 + second) << 32, ts)
        assert abs(step) <= 0.25
    at = timeline.seconds("video", 500 + round(6 * 90_000 * 1.01), 11.0)
    assert abs(at - (5.0 + 6)) < 0.001


def test_before_any_report_the_quickest_packets_say_when_a_track_began() -> None:
    """The first video packets are of a key frame and come 200 ms late; the line must not."""
    timeline = Timeline()
    timeline.seconds("audio", 0, 5.0)
    delays = [0.2, 0.15, 0.1, 0.02, 0.01, 0.03]
    for n, delay in enumerate(delays):
        timeline.seconds("video", n * 3000, 5.0 + n / 30 + delay)
    shifts = timeline.settle()
    assert shifts["audio"] == 0
    assert abs(shifts["video"] + 0.19) < 1e-6
    assert abs(timeline.seconds("video", 30 * 3000, 6.04) - 6.01) < 1e-6
    timeline.on_report("audio", 100 << 32, 0)
    timeline.on_report("video", 100 << 32, 0)
    shift = timeline.align()
    assert shift is not None
    assert abs(shift + 0.01) < 1e-6
    assert timeline.settle() == {}


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=300, unique=True),
    st.integers(0, 0xFFFF),
)
def test_transport_feedback_says_which_packets_came(came: list[int], base: int) -> None:
    arrivals = Arrivals(5)
    first = came[0]
    for n, offset in enumerate(came):
        seq = (base + offset) & 0xFFFF
        data = (
            b"\x90\x60" + bytes(10) + b"\xbe\xde\x00\x01" + bytes((0x51,)) + seq.to_bytes(2, "big")
        )
        arrivals.add(data + b"\0payload", 20, 50.0 + n * 0.003)
    data = arrivals.packet(9, 7)
    assert len(data) % 4 == 0
    assert data[:2] in (b"\x8f\xcd", b"\xaf\xcd")
    start, count = struct.unpack("!HH", data[12:16])
    assert start == (base + min(came)) & 0xFFFF or first != min(came)
    statuses: list[int] = []
    pos = 20
    while len(statuses) < count:
        (chunk,) = struct.unpack_from("!H", data, pos)
        pos += 2
        if chunk >> 15:
            statuses += [chunk >> 12 - 2 * i & 3 for i in range(7)]
        else:
            statuses += [chunk >> 13 & 3] * (chunk & 0x1FFF)
    told = {(start + i) & 0xFFFF for i, status in enumerate(statuses[:count]) if status}
    assert told == {(base + offset) & 0xFFFF for offset in came}
    assert arrivals.packet(9, 7) == b""
