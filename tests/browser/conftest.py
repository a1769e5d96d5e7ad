"""One office for each module, and Chromiums with made-up people before their cameras."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from server.rehearsal.office import FreshOffice, fresh_office

from .films import Films, shoot

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--mute-audio",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
FAKE_DEVICES = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

Launch = Callable[..., Awaitable[Browser]]
"""Starts a Chromium of its own: launch(*more flags)."""


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    return shoot(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="session")
def album() -> Path | None:
    """Where pictures of the pages go: the folder FARSEAL_PICTURES names, or nowhere."""
    named = os.environ.get("FARSEAL_PICTURES")
    if not named:
        return None
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FreshOffice]:
    """`farseal serve` in a process and a folder of its own."""
    async with fresh_office(tmp_path_factory.mktemp("office") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def launch() -> AsyncIterator[Launch]:
    async with async_playwright() as playwright, AsyncExitStack() as closing:

        async def start(*flags: str, devices: Sequence[str] = FAKE_DEVICES) -> Browser:
            browser = await playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=[*FLAGS, *devices, *flags]
            )
            closing.push_async_callback(browser.close)
            return browser

        yield start
