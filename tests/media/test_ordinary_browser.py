"""A browser as people have it: it hides its addresses behind mDNS names and uses no loopback."""

import asyncio
from collections.abc import Callable
from typing import Any

import ifaddr
import pytest

from server.media import Room, SegmentClosed

from .conftest import FLAGS, Facts

TESTING = ("--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns")


@pytest.fixture
def hosts() -> list[str] | None:
    """All of this machine, as a server without settings does."""
    addresses = [
        str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4
    ]
    if not [address for address in addresses if not address.startswith("127.")]:
        pytest.skip("a browser uses no loopback by itself, and this machine has nothing else")
    return None


@pytest.fixture
def flags() -> list[str]:
    return [flag for flag in FLAGS if flag not in TESTING]


async def test_a_browser_that_hides_its_addresses_reaches_the_room(
    visit: Callable[..., Any], room: Room, facts: Facts
) -> None:
    pages = await asyncio.gather(visit("notary"), visit("applicant"))
    for page in pages:
        await page.wait_for_function("call.peer.localDescription.sdp.includes('.local ')")
        assert " 127.0.0.1 " not in await page.evaluate("call.peer.localDescription.sdp")
        await page.wait_for_function("async () => (await received()).frames > 10")
    await facts.until(lambda: facts.of(SegmentClosed, "applicant"))
