"""A real browser on a narrow uplink: the congestion feedback makes it send less, not lose more."""

from collections.abc import Callable
from typing import Any

from server.media import Gap, Room, SegmentClosed

from .conftest import Facts
from .network import Relay

UPLINK = 500_000  # bits per second
SETTLED = 4  # seconds after the first packet dropped, in which the browser finds out
WATCHED = 4  # seconds looked at then


async def test_an_uplink_policed_to_500_kbit_s_carries_a_call(
    visit: Callable[..., Any],
    room: Room,
    facts: Facts,
    relay: Relay,
    relays: dict[str, Relay],
) -> None:
    relay.uplink = UPLINK
    relays["applicant"] = relay
    await visit("applicant", query="synthetic=1&width=640&height=480&noise=200")

    def segments() -> list[SegmentClosed]:
        return facts.of(SegmentClosed, "applicant")

    await facts.until(lambda: relay.dropped > 0)  # a browser with little time fills a line late
    full = len(segments())
    await facts.until(lambda: len(segments()) >= full + SETTLED)
    settled_at = segments()[-1].end_at
    await facts.until(lambda: len(segments()) >= full + SETTLED + WATCHED)
    quality = room.quality("applicant")
    assert quality is not None
    assert 50_000 < quality.bitrate < UPLINK * 1.1
    watched = [s for s in segments() if s.start_at >= settled_at]
    assert sum(s.frames for s in watched) / len(watched) > 5
    lost = [g for g in facts.of(Gap) if g.kind == "loss" and g.start_at > settled_at]
    assert sum(int(g.detail["packets"]) for g in lost) < 10
