"""A scripted participant on stock aiortc: sends given pictures and sound, receives, counts.

The clip is encoded once (VP8 and Opus); afterwards its packets are sent again and again, so that
two peers and a server fit on two cores.

    clip = await asyncio.to_thread(encode_clip, frames, audio, fps=15)
    peer = Peer(clip, exchange=lambda offer: room.join("applicant", offer), hosts=["127.0.0.1"])
    await peer.connect()
    await peer.received(video=30)
    await peer.close()
"""

import asyncio
import contextlib
import fractions
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.mediastreams import MediaStreamError
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from server.media.hooks import restrict_hosts

AUDIO_RATE = 48000
AUDIO_FRAME = 960  # samples, 20 ms
VIDEO_RATE = 90000
CONNECT = 20.0  # seconds

Picture = npt.NDArray[np.uint8]
"""height x width x 3, RGB; sides even."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded once, sent in a loop: VP8 frames at `fps`, Opus packets of 20 ms, equally long."""

    video: tuple[bytes, ...]
    audio: tuple[bytes, ...]
    fps: int


def encode_clip(
    frames: Iterable[Picture],
    audio: npt.NDArray[np.int16] | None = None,
    *,
    fps: int = 15,
    bitrate: int = 600_000,
) -> Clip:
    """Encodes pictures and mono 48 kHz sound (None: a faint tone). Takes CPU: use a thread.

    A key frame each second: whoever asks for one gets it soon enough.
    """
    encoder: VideoCodecContext | None = None
    video: list[bytes] = []
    for number, picture in enumerate(frames):
        if encoder is None:
            encoder = _video_encoder(picture.shape[1], picture.shape[0], fps, bitrate)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        frame.time_base = fractions.Fraction(1, fps)
        video += [bytes(packet) for packet in encoder.encode(frame)]
    if encoder is None:
        raise ValueError("a clip needs pictures")
    video += [bytes(packet) for packet in encoder.encode(None)]
    seconds = len(video) / fps
    if audio is None:
        t = np.arange(math.ceil(seconds * AUDIO_RATE)) / AUDIO_RATE
        audio = (np.sin(2 * np.pi * 220 * t) * 600).astype(np.int16)
    return Clip(tuple(video), tuple(_encode_audio(audio)), fps)


def _video_encoder(width: int, height: int, fps: int, bitrate: int) -> VideoCodecContext:
    encoder = VideoCodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.bit_rate = bitrate
    encoder.time_base = fractions.Fraction(1, fps)
    encoder.framerate = fractions.Fraction(fps, 1)
    encoder.options = {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "g": str(fps),
        "error-resilient": "1",
    }
    return encoder


def _encode_audio(samples: npt.NDArray[np.int16]) -> list[bytes]:
    encoder = AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format, encoder.layout = AUDIO_RATE, "s16", "stereo"
    encoder.bit_rate = 32_000
    encoder.time_base = fractions.Fraction(1, AUDIO_RATE)
    out: list[bytes] = []
    for start in range(0, len(samples) - AUDIO_FRAME + 1, AUDIO_FRAME):
        stereo = np.repeat(samples[start : start + AUDIO_FRAME], 2)[None]
        frame = av.AudioFrame.from_ndarray(stereo, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = AUDIO_RATE, start
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out


class _Loop(MediaStreamTrack):
    """A track that gives a clip's packets at their time; aiortc packetises without encoding."""

    def __init__(self, kind: str, packets: Sequence[bytes], *, rate: int, step: int) -> None:
        super().__init__()
        self.kind = kind
        self._packets = packets
        self._rate = rate
        self._step = step
        self._next = 0  # in the packets
        self._pts = 0
        self._began: float | None = None

    def play(self, packets: Sequence[bytes], *, step: int) -> None:
        """Goes over to other packets, from their beginning."""
        self._packets, self._step, self._next = packets, step, 0

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        wait = self._began + self._pts / self._rate - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        packet = av.Packet(self._packets[self._next])
        packet.pts = self._pts
        packet.time_base = fractions.Fraction(1, self._rate)
        self._next = (self._next + 1) % len(self._packets)
        self._pts += self._step
        return packet


class Peer:
    """One participant. `exchange(offer) -> answer` is the signalling; `hosts` restrict ICE.

    `slots` is how many others it can show. `last_picture` is the newest one seen of the first of
    them.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        exchange: Callable[[str], Awaitable[str]],
        hosts: Sequence[str] | None = None,
        slots: int = 1,
    ) -> None:
        self.frames = {"audio": 0, "video": 0}
        self.last_picture: av.VideoFrame | None = None
        self._clip = clip
        self._exchange = exchange
        self._hosts = hosts
        self._slots = slots
        self._changed = asyncio.Condition()
        self._readers: set[asyncio.Task[None]] = set()
        self._connection: RTCPeerConnection | None = None
        self._tracks: tuple[_Loop, _Loop] | None = None

    @property
    def state(self) -> str:
        """The connection's state by W3C words, "closed" without one."""
        return self._connection.connectionState if self._connection else "closed"

    async def connect(self) -> None:
        """Offers, gets the answer, and returns once media can flow. Raises TimeoutError."""
        connection = self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        clip = self._clip
        self._tracks = (
            _Loop("audio", clip.audio, rate=AUDIO_RATE, step=AUDIO_FRAME),
            _Loop("video", clip.video, rate=VIDEO_RATE, step=VIDEO_RATE // clip.fps),
        )
        for track in self._tracks:
            connection.addTransceiver(track, direction="sendonly")
        for _ in range(self._slots):
            connection.addTransceiver("audio", direction="recvonly")
            connection.addTransceiver("video", direction="recvonly")
        _only_vp8(connection)
        restrict_hosts(connection, self._hosts)
        up = asyncio.Event()

        def state_changed() -> None:
            if connection.connectionState == "connected":
                up.set()

        connection.on("connectionstatechange", state_changed)
        connection.on("track", self._read)
        await connection.setLocalDescription(await connection.createOffer())
        answer = await self._exchange(_with_audio_nack(connection.localDescription.sdp))
        await connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        await asyncio.wait_for(up.wait(), CONNECT)

    def show(self, clip: Clip) -> None:
        """Goes over to another clip, which begins with a key frame."""
        self._clip = clip
        if self._tracks is not None:
            audio, video = self._tracks
            audio.play(clip.audio, step=AUDIO_FRAME)
            video.play(clip.video, step=VIDEO_RATE // clip.fps)

    def cover(self) -> None:
        """Goes on with sound alone, as a camera that has failed does."""
        if self._tracks is not None:
            self._tracks[1].play(self._clip.video, step=VIDEO_RATE * 3600)

    async def received(self, *, video: int = 0, audio: int = 0, within: float = 30.0) -> None:
        """Returns once so many frames have been decoded in all. Raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(
                lambda: self.frames["video"] >= video and self.frames["audio"] >= audio
            )

    async def close(self) -> None:
        """Hangs up."""
        if self._connection is not None:
            await self._connection.close()
        for reader in list(self._readers):
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    def _read(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        reader = loop.create_task(self._consume(track), name=f"read {track.kind}")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _consume(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.last_picture = frame
                self.frames[track.kind] += 1
                async with self._changed:
                    self._changed.notify_all()


def _with_audio_nack(offer: str) -> str:
    """Offers retransmission of audio, as our page does; stock aiortc gives it unasked."""
    return re.sub(
        r"^(a=rtpmap:(\d+) opus/48000/2)\r\n", r"\1\r\na=rtcp-fb:\2 nack\r\n", offer, flags=re.M
    )


def _only_vp8(connection: RTCPeerConnection) -> None:
    for transceiver in connection.getTransceivers():
        if transceiver.kind == "video":
            wanted = ("video/vp8", "video/rtx")
            transceiver.setCodecPreferences(
                [c for c in get_capabilities("video").codecs if c.mimeType.lower() in wanted]
            )
