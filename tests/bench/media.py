"""CPU-seconds of the server per session-minute, beside stock aiortc, in one run.

A session is two parties who send VP8 at 30 fps and Opus, encoded beforehand, and see each other;
both are recorded. Ours is `server.media.Room`; theirs is what aiortc offers for the same:
MediaRelay between the two and a MediaRecorder each, which decode and encode everything. Server and
load are processes of their own. Where the server does not keep up its CPU says little, so what
viewers see is a row too.

    python -m tests.bench --only media     # FARSEAL_BENCH_SECONDS=10, FARSEAL_BENCH_SESSIONS=1,8
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_capabilities
from aiortc.contrib.media import MediaRecorder, MediaRelay
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.media import Room
from server.media.connection import Connection
from server.media.hooks import restrict_hosts
from server.media.ingress import Ingress
from server.media.rtp import HEADER
from server.rehearsal.peer import encode_clip
from tests.bench import Row

TITLE = "media: two parties forwarded and recorded"
SIZES = {"480p": (640, 480, 800_000), "720p": (1280, 720, 1_800_000)}
SESSIONS = tuple(int(n) for n in os.environ.get("FARSEAL_BENCH_SESSIONS", "1,8").split(","))
SECONDS = float(os.environ.get("FARSEAL_BENCH_SECONDS", "10"))
WARM_UP = 3.0  # seconds of media before the measurement
FPS = 30
MTU = 1150
STOCK = "aiortc relay + recorder"
LOOPBACK = ["127.0.0.1"]
NTP_UNIX = 2_208_988_800


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: CPU-seconds per session-minute, frames per second a viewer got, load's own core."""

    cpu: float
    fps: float
    load: float

    @property
    def per_frame(self) -> float:
        """CPU-milliseconds for each frame a viewer got: fair to one that does not keep up."""
        return self.cpu * 1000 / (60 * 2 * max(self.fps, 0.1))


def rows() -> Iterator[Row]:
    """Measures size by size; eight sessions are more than stock aiortc carries on a core."""
    for size in SIZES:
        for sessions in SESSIONS:
            ours, theirs = measure("ours", size, sessions), measure("stock", size, sessions)
            what = f"{size}, {sessions} session{'s' if sessions > 1 else ''}"
            beside = STOCK + (", cannot keep up" if theirs.fps < 0.9 * FPS else "")
            yield Row(f"{what}: CPU-s per session-minute", ours.cpu, "", beside, theirs.cpu)
            yield Row(
                f"{what}: CPU-ms per frame a viewer sees",
                ours.per_frame,
                "",
                beside,
                theirs.per_frame,
            )
            yield Row(f"{what}: frames/s a viewer sees", ours.fps, "", beside, theirs.fps, 0.97)


def measure(kind: str, size: str, sessions: int) -> Cost:
    """Runs one server and one load process, both anew."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.media", "serve", kind, directory],
            stdout=subprocess.PIPE,
            env=environment,
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().decode().strip()
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.media", "load", url, size, str(sessions)],
                check=True,
                stdout=subprocess.PIPE,
                env=environment,
                timeout=120 + SECONDS,
            )
        finally:
            server.kill()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


# The server process.


async def serve(kind: str, directory: pathlib.Path) -> None:
    """Answers offers on loopback until killed; prints its address."""
    join = ours(directory) if kind == "ours" else stock(directory)

    async def offer(request: web.Request) -> web.Response:
        room, name = request.match_info["room"], request.match_info["name"]
        return web.Response(text=await join(room, name, await request.text()))

    async def cpu(_: web.Request) -> web.Response:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return web.Response(text=str(used.ru_utime + used.ru_stime))

    app = web.Application()
    app.add_routes([web.post("/offer/{room}/{name}", offer), web.get("/cpu", cpu)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


Join = Callable[[str, str, str], Awaitable[str]]


def ours(directory: pathlib.Path) -> Join:
    """Rooms as the product makes them, encrypting with AES-256-GCM."""
    cipher = AESGCM(bytes(32))
    rooms: dict[str, Room] = {}

    def encrypt(data: bytes, label: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + cipher.encrypt(nonce, data, label.encode())

    async def join(room: str, name: str, sdp: str) -> str:
        if room not in rooms:
            rooms[room] = Room(
                room,
                directory=directory,
                encrypt=encrypt,
                emit=lambda _: None,
                clock=lambda: time.time_ns() // 1_000_000,
                hosts=LOOPBACK,
            )
        return await rooms[room].join(name, sdp)

    return join


def stock(directory: pathlib.Path) -> Join:
    """The same with aiortc's own parts: relay to the other, record to MP4."""
    relay = MediaRelay()
    rooms: dict[str, dict[str, dict[str, Any]]] = {}
    kept: list[Any] = []

    def show(source: dict[str, Any], viewer: dict[str, Any]) -> None:
        for transceiver in viewer["slots"]:
            track = source["tracks"].get(transceiver.kind)
            if track is not None:
                transceiver.sender.replaceTrack(relay.subscribe(track))

    async def join(room: str, name: str, sdp: str) -> str:
        members = rooms.setdefault(room, {})
        peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        me: dict[str, Any] = {"tracks": {}, "slots": []}
        peer.on("track", lambda track: me["tracks"].__setitem__(track.kind, track))
        await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        for transceiver in peer.getTransceivers():
            if transceiver._offerDirection == "sendonly":
                transceiver.direction = "sendonly"
                transceiver.sender._stream_id = "slot0"
                me["slots"].append(transceiver)
        recorder = MediaRecorder(str(directory / f"{room}-{name}.mp4"))
        # A line that publishes holds its track in "tracks"; a slot's own never plays.
        publishing = {t.receiver.track for t in peer.getTransceivers() if t not in me["slots"]}
        me["tracks"] = {track.kind: track for track in publishing if track is not None}
        for track in me["tracks"].values():
            recorder.addTrack(relay.subscribe(track))
        for other in members.values():
            show(other, me)
            show(me, other)
        members[name] = me
        restrict_hosts(peer, LOOPBACK)
        await peer.setLocalDescription(await peer.createAnswer())
        await recorder.start()
        kept.extend((peer, recorder))
        return str(peer.localDescription.sdp)

    return join


# The load process: encoded once, sent by our own plane, received without decoding.


@dataclass(frozen=True, slots=True)
class Footage:
    """Packets' payloads: frames of several for video, one for audio."""

    video: tuple[tuple[bytes, ...], ...]
    audio: tuple[bytes, ...]


def footage(size: str) -> Footage:
    """Two seconds of moving pictures, as WebRTC packetises them (RFC 7741)."""
    width, height, bitrate = SIZES[size]
    y, x = np.mgrid[0:height, 0:width].astype(np.int32)
    pictures = (
        np.stack([(x + 4 * n) % 256, (y + 2 * n) % 256, (x + y + 3 * n) % 256], -1).astype(np.uint8)
        for n in range(2 * FPS)
    )
    clip = encode_clip(pictures, fps=FPS, bitrate=bitrate)
    video = tuple(
        tuple(
            (b"\x10" if start == 0 else b"\x00") + frame[start : start + MTU]
            for start in range(0, len(frame), MTU)
        )
        for frame in clip.video
    )
    return Footage(video, clip.audio)


class Client:
    """One party: feeds its tracks, counts what it gets."""

    def __init__(self, shown: Footage) -> None:
        self.frames = 0
        self.connection = Connection(
            hosts=LOOPBACK,
            draw=random.getrandbits,
            time=time.monotonic,
            on_track=self._on_track,
            on_first=lambda: None,
            on_closed=lambda: None,
        )
        self._shown = shown
        self._tracks = {kind: Ingress(kind, self) for kind in ("audio", "video")}
        for number, track in enumerate(self._tracks.values()):
            track.ssrc, track.payload_type = number, 96
        self._sent = {"audio": 0, "video": 0}
        self._seq = {"audio": 0, "video": 0}
        self._began: float | None = None
        self._up = asyncio.Event()  # our own lines are negotiated before the slots

    def send_rtcp(self, data: bytes) -> None:
        """PLIs of ourselves to ourselves; the footage has a key frame each second."""

    async def join(self, http: aiohttp.ClientSession, url: str) -> None:
        peer = self.connection.wire.peer
        for direction in ("sendonly", "recvonly"):
            for kind in ("audio", "video"):
                peer.addTransceiver(kind, direction=direction)
        for transceiver in peer.getTransceivers():
            wanted = ("audio/opus", "video/vp8", "video/rtx")
            known = get_capabilities(transceiver.kind).codecs
            transceiver.setCodecPreferences([c for c in known if c.mimeType.lower() in wanted])
        restrict_hosts(peer, LOOPBACK)
        await peer.setLocalDescription(await peer.createOffer())
        async with http.post(url, data=peer.localDescription.sdp) as response:
            answer = await response.text()
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        async with asyncio.timeout(30):
            await self._up.wait()
        now = self._began = time.monotonic()
        for egress in self.connection.egress.values():
            egress.attach(self._tracks[egress.kind], now)

    def pump(self, now: float) -> None:
        """Sends what is due."""
        if self._began is None:
            return
        elapsed = now - self._began
        while self._sent["audio"] < elapsed * 50:
            n = self._sent["audio"]
            payload = self._shown.audio[n % len(self._shown.audio)]
            self._packet("audio", n * 960, payload, True, now)
            self._sent["audio"] += 1
        while self._sent["video"] < elapsed * FPS:
            n = self._sent["video"]
            frame = self._shown.video[n % len(self._shown.video)]
            for payload in frame:
                self._packet("video", n * 90_000 // FPS, payload, payload is frame[-1], now)
            self._sent["video"] += 1

    def tick(self, now: float) -> None:
        """Reports and the like, twenty times a second."""
        if self._began is None:
            return
        ntp = int((time.time() + NTP_UNIX) * (1 << 32))
        for track in self._tracks.values():
            track.last_report = (ntp, int((now - self._began) * track.clock_rate), now)
        self.connection.tick(now)

    def _packet(self, kind: str, ts: int, payload: bytes, marker: bool, now: float) -> None:
        track = self._tracks[kind]
        seq = self._seq[kind] = (self._seq[kind] + 1) & 0xFFFF
        header = HEADER.pack(0x80, marker << 7 | 96, seq, ts & 0xFFFFFFFF, track.ssrc or 0)
        track.on_rtp(header + payload, 12, now)

    def _on_track(self, track: Any) -> None:
        if track.kind == "video":
            track.sinks.append(self._on_packet)
            self._up.set()

    def _on_packet(
        self, data: bytes, head: int, number: int, ts: int, marker: int, now: float
    ) -> None:
        self.frames += marker


async def load(url: str, size: str, sessions: int) -> None:
    """Joins all, lets them talk, prints a Cost as JSON."""
    shown = footage(size)
    clients: list[Client] = []

    async def pump() -> None:
        ticked = 0.0
        while True:
            now = time.monotonic()
            for client in clients:
                client.pump(now)
            if now - ticked >= 0.05:
                ticked = now
                for client in clients:
                    client.tick(now)
            await asyncio.sleep(0.005)

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:

        async def server_cpu() -> float:
            async with http.get(f"{url}/cpu") as response:
                return float(await response.text())

        pumping = group.create_task(pump())
        for number in range(sessions):
            for name in ("notary", "applicant"):
                client = Client(shown)
                clients.append(client)
                await client.join(http, f"{url}/offer/{number:032x}/{name}")
        await asyncio.sleep(WARM_UP)
        cpu, own, at = await server_cpu(), time.process_time(), time.monotonic()
        frames = sum(client.frames for client in clients)
        await asyncio.sleep(SECONDS)
        cpu = await server_cpu() - cpu
        spent = time.monotonic() - at
        cost = Cost(
            cpu=cpu / spent * 60 / sessions,
            fps=(sum(client.frames for client in clients) - frames) / spent / len(clients),
            load=(time.process_time() - own) / spent,
        )
        print(json.dumps({"cpu": cost.cpu, "fps": cost.fps, "load": cost.load}), flush=True)
        pumping.cancel()
    os._exit(0)  # nothing is worth a goodbye to a server that is killed next


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2], pathlib.Path(sys.argv[3])))
    else:
        asyncio.run(load(sys.argv[2], sys.argv[3], int(sys.argv[4])))
