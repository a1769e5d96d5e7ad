"""Takes from scripted packets under a scripted clock: clusters, gaps, corrections."""

import asyncio
import pathlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.media import Gap, Room, SegmentClosed, TakeEnded, TakeStarted, evidence, recover
from server.media.gaps import Silences
from server.media.ingress import Ingress
from server.media.recorder import Recorder
from server.media.rtp import HEADER
from server.media.take import Shelf
from server.rehearsal.peer import Clip

from .conftest import FPS, SESSION, Facts, Vault
from .recording import look

START_AT = 1_800_000_000_000
LEVEL_ID = 2
MTU = 1100


class Script:
    """Feeds a recorder a clip as its browser would, by a clock of its own."""

    def __init__(self, clip: Clip, recorder: Recorder, clock: list[int]) -> None:
        self.now = 100.0
        self.recorder = recorder
        self.audio, self.video = Ingress("audio", self), Ingress("video", self)
        self.audio.ssrc, self.audio.payload_type, self.audio.audio_level_id = 1, 111, LEVEL_ID
        self.video.ssrc, self.video.payload_type = 2, 96
        self.level = 40
        self.sends = {"audio", "video"}
        self._clip = clip
        self._clock = clock
        self._seq = {"audio": 65_530, "video": 65_000}
        self._sent = {"audio": 0, "video": 0}
        for track in (self.audio, self.video):
            recorder.add(track, self.now)

    def send_rtcp(self, data: bytes) -> None:
        """PLIs; the clip has a key frame each second anyway."""

    def play(self, seconds: float) -> None:
        """Lets so much time go by, in ticks of 10 ms."""
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            self._clock[0] += 10
            elapsed = self.now - 100.0
            while self._sent["audio"] < elapsed * 50:
                self._audio()
            while self._sent["video"] < elapsed * FPS:
                self._video()
            self.recorder.tick(self.now)

    def report(self, kind: str, *, ahead: float = 0.0) -> None:
        """A sender report: the sender's clock stands 1000 s from ours, plus `ahead`."""
        track = self.audio if kind == "audio" else self.video
        rate = track.clock_rate
        ntp = int((self.now + 1000 + ahead) * (1 << 32))
        track.on_sender_report(ntp, int((self.now - 100) * rate) & 0xFFFFFFFF, self.now)

    def _audio(self) -> None:
        n = self._sent["audio"]
        self._sent["audio"] += 1
        if "audio" not in self.sends:
            return
        extension = b"\xbe\xde\x00\x01" + bytes((LEVEL_ID << 4, self.level, 0, 0))
        payload = self._clip.audio[n % len(self._clip.audio)]
        self._packet(self.audio, "audio", n * 960, extension, payload, True)

    def _video(self) -> None:
        n = self._sent["video"]
        self._sent["video"] += 1
        if "video" not in self.sends:
            return
        frame = self._clip.video[n % len(self._clip.video)]
        for start in range(0, len(frame), MTU):
            descriptor = b"\x10" if start == 0 else b"\x00"
            self._packet(
                self.video,
                "video",
                n * 90_000 // FPS,
                b"",
                descriptor + frame[start : start + MTU],
                start + MTU >= len(frame),
            )

    def _packet(
        self, track: Ingress, kind: str, ts: int, extension: bytes, payload: bytes, marker: bool
    ) -> None:
        first = 0x90 if extension else 0x80
        header = HEADER.pack(
            first,
            marker << 7 | track.payload_type,
            self._seq[kind] & 0xFFFF,
            ts & 0xFFFFFFFF,
            track.ssrc or 0,
        )
        self._seq[kind] += 1
        track.on_rtp(header + extension + payload, 12 + len(extension), self.now)


@pytest.fixture
def clock() -> list[int]:
    return [START_AT]


@pytest.fixture
async def script(
    tmp_path: pathlib.Path, vault: Vault, facts: Facts, clip: Clip, clock: list[int]
) -> AsyncIterator[Script]:
    with ThreadPoolExecutor(1) as thread:
        shelf = Shelf(
            session=SESSION,
            directory=tmp_path,
            encrypt=vault.encrypt,
            emit=facts,
            thread=thread,
            loop=asyncio.get_running_loop(),
        )
        numbers = iter(range(10))
        recorder = Recorder(
            shelf,
            participant="applicant",
            next_take=lambda: next(numbers),
            on_take=lambda _: None,
            clock=lambda: clock[0],
            previous=lambda: None,
        )
        made = Script(clip, recorder, clock)
        yield made
        recorder.end("closed", made.now)


async def finish(script: Script, facts: Facts) -> None:
    script.recorder.end("closed", script.now)
    await facts.until(lambda: facts.of(TakeEnded))


async def test_clusters_are_a_second_long_and_everything_is_in_them(
    script: Script, facts: Facts, vault: Vault, tmp_path: pathlib.Path
) -> None:
    script.play(0.5)
    script.report("audio")
    script.report("video")
    script.play(9.5)
    await finish(script, facts)
    (started,) = facts.of(TakeStarted)
    assert abs(started.at - START_AT) <= 20
    segments = facts.of(SegmentClosed)
    assert [s.number for s in segments] == list(range(len(segments)))
    assert all(900 < s.end_at - s.start_at <= 1_000 for s in segments[:9])
    assert len(segments) in (10, 11)  # the end may lie just behind a boundary
    frames = sum(s.frames for s in segments)
    assert abs(frames - 10 * FPS) <= 1
    path = tmp_path / started.name
    recording = look(path, vault.decrypt)
    assert recording.first_is_key
    assert len(recording.video_times) == frames
    assert abs(len(recording.audio_times) - 500) <= 1
    assert abs(recording.duration - 10) < 0.05
    assert facts.of(Gap) == []
    # The digests can be computed anew by anyone who reads evidence.py.
    chain = evidence.chain_start(SESSION, "applicant", 0)
    for stored, told in zip(recover(path, vault.decrypt), segments, strict=True):
        chain = evidence.chain_next(chain, bytes.fromhex(stored.plaintext_sha256))
        assert chain.hex() == told.chain


@pytest.mark.parametrize(
    ("stops", "kind"), [({"video"}, "freeze"), ({"audio"}, "mute"), ({"audio", "video"}, "stall")]
)
async def test_a_track_that_stops_is_a_gap_of_its_kind(
    script: Script, facts: Facts, stops: set[str], kind: str
) -> None:
    script.play(2)
    script.sends -= stops
    script.play(3)
    script.sends |= stops
    script.play(2.5)
    await finish(script, facts)
    (gap,) = facts.of(Gap)
    assert gap.kind == kind
    assert abs(gap.start_at - (START_AT + 2_000)) < 100
    assert abs(gap.end_at - (START_AT + 5_000)) < 100
    # A silence does not keep a cluster open: what came before it is durable long before its end.
    assert all(s.end_at - s.start_at <= 2_000 for s in facts.of(SegmentClosed))


async def test_digital_silence_is_a_mute_and_a_quiet_room_is_not(
    script: Script, facts: Facts
) -> None:
    script.level = 90
    script.play(3)
    script.level = 127
    script.play(3)
    script.level = 60
    script.play(1)
    await finish(script, facts)
    (gap,) = facts.of(Gap)
    assert (gap.kind, gap.detail) == ("mute", {"track": "audio", "cause": "silence"})
    assert abs(gap.end_at - gap.start_at - 3_000) < 100


async def test_a_clock_an_hour_back_is_told_and_bends_no_time(
    script: Script, facts: Facts, clock: list[int]
) -> None:
    script.play(3)
    clock[0] -= 3_600_000
    script.play(3)
    await finish(script, facts)
    (gap,) = facts.of(Gap)
    assert gap.kind == "clock"
    assert abs(gap.detail["jump_ms"] + 3_600_000) < 50
    ends = [s.end_at for s in facts.of(SegmentClosed)]
    assert ends == sorted(ends)
    assert abs(ends[-1] - (START_AT + 6_000)) < 100


async def test_a_correction_of_the_senders_clock_is_told(script: Script, facts: Facts) -> None:
    script.play(0.5)
    script.report("audio")
    script.report("video")
    script.play(2)
    script.report("video", ahead=0.1)
    script.play(1)
    await finish(script, facts)
    (gap,) = facts.of(Gap)
    assert (gap.kind, gap.detail["track"]) == ("clock", "video")
    assert abs(gap.detail["correction_ms"] - 100) <= 1


async def test_sound_alone_is_recorded_and_late_video_begins_with_a_key_frame(
    script: Script, facts: Facts, vault: Vault, tmp_path: pathlib.Path
) -> None:
    script.sends = {"audio"}
    script.play(3.5)
    script.sends = {"audio", "video"}
    script.play(3)
    await finish(script, facts)
    segments = facts.of(SegmentClosed)
    assert [s.keyframe for s in segments][:3] == [False, False, False]
    assert any(s.keyframe for s in segments)
    recording = look(tmp_path / facts.of(TakeStarted)[0].name, vault.decrypt)
    assert recording.first_is_key
    assert 3.4 < recording.video_times[0] < 4.6
    assert abs(len(recording.audio_times) - 325) <= 1


async def test_a_vault_that_fails_ends_the_take_with_its_reason(
    script: Script, facts: Facts, vault: Vault
) -> None:
    script.play(3)
    await facts.until(lambda: facts.of(SegmentClosed))
    vault.broken = "the key is gone"
    script.play(3)
    await facts.until(lambda: facts.of(TakeEnded))
    (failed,) = facts.of(evidence.RecorderFailed)
    assert failed.reason == "the key is gone"
    assert facts.of(TakeEnded)[0].reason == "disk"


def test_gaps_that_never_end_are_told_at_the_end() -> None:
    told: list[tuple[str, float, float]] = []
    silences = Silences(lambda kind, since, until, _: told.append((kind, since, until)))
    silences.frame("audio", 1.0)
    silences.frame("video", 1.0)
    silences.tick(1.5)
    assert told == []
    silences.tick(2.5)
    silences.finish(9.0)
    assert told == [("stall", 1.0, 9.0)]


async def test_names_that_could_leave_the_directory_are_refused(room: Room) -> None:
    for name in ("", "../x", "a/b", "a-b", ".hidden", "x" * 65, "申请人", "a\n"):
        with pytest.raises(evidence.NameRefused):
            await room.join(name, "v=0")


async def test_offers_that_cannot_be_answered_are_refused_and_the_room_stands(
    room: Room, facts: Facts
) -> None:
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 H264/90000\r\n"
    offers = (
        "",
        "v=0\r\n",
        "not sdp at all",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + video,
        "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n" * 30,
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        "x" * 100_000,
        "v=0\r\nm=video nine\r\n",
    )
    for offer in offers:
        with pytest.raises(evidence.OfferRefused):
            await room.join("applicant", offer)
    assert room.participants == ()
    assert facts.seen == []
    assert room.keyframe("applicant") is None
    assert room.quality("applicant") is None
    assert await room.close() == ()
    with pytest.raises(evidence.RoomClosed):
        await room.join("applicant", offers[0])
