"""Two real Chromiums in a room."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page

from server.media import (
    Gap,
    Joined,
    Left,
    Room,
    Sampler,
    SegmentClosed,
    TakeEnded,
    TakeStarted,
    recover,
)

from .conftest import Facts, Vault
from .recording import look

DECODED = "async (n) => (await received()).frames >= n"


async def decoded(page: Page, more: int) -> None:
    """Waits until the page has decoded so many more frames of the other side, and heard it."""
    now = (await page.evaluate("received()"))["frames"]
    await page.wait_for_function(DECODED, arg=now + more, timeout=30_000)
    await page.wait_for_function("async () => (await received()).energy > 0", timeout=30_000)


async def test_two_browsers_see_and_hear_each_other_and_are_recorded(
    visit: Callable[..., Any], room: Room, facts: Facts, vault: Vault
) -> None:
    pages = [await visit("notary"), await visit("applicant", query="")]
    await asyncio.gather(*(decoded(page, 60) for page in pages))

    # Segments are told while the call runs.
    await facts.until(lambda: len(facts.of(SegmentClosed, "notary")) > 2)
    # The time there and back is known once the browser has answered a sender report.
    await facts.until(lambda: (now := room.quality("applicant")) and now.rtt_ms is not None)
    quality = room.quality("applicant")
    assert quality is not None
    assert quality.fps > 0  # a busy computer keeps the size and lets the rate fall
    assert quality.bitrate > 10_000
    assert quality.rtt_ms is not None
    assert quality.rtt_ms < 2_000
    keyframe = room.keyframe("applicant")
    assert keyframe is not None
    sampler = Sampler()
    picture = await sampler.decode_keyframe(keyframe.data)
    sampler.close()
    assert picture.startswith(b"\xff\xd8\xff")

    takes = {take.participant: take for take in await room.close()}
    assert set(takes) == {"notary", "applicant"}
    for name, take in takes.items():
        recording = look(take.path, vault.decrypt)
        assert recording.first_is_key
        assert len(recording.video_times) == take.frames
        assert abs(recording.duration - (take.ended_at - take.started_at) / 1000) < 0.2
        assert max(b - a for a, b in itertools.pairwise(recording.audio_times)) < 0.1
        stored = recover(take.path, vault.decrypt)
        told = facts.of(SegmentClosed, name)
        assert [s.chain for s in stored] == [s.chain for s in told]
        assert [(s.offset, s.length) for s in stored] == [(s.offset, s.length) for s in told]
        assert stored[-1].chain == take.chain == facts.of(TakeEnded, name)[0].chain
        assert told[0].keyframe
        assert all(s.end_at - s.start_at <= 2000 for s in told)
        # From the first packet to the last: nothing between the connection and the file.
        joined, left = facts.of(Joined, name)[0], facts.of(Left, name)[0]
        assert abs(take.started_at - joined.at) < 200
        assert abs(take.ended_at - left.at) < 200


async def test_a_reconnect_is_the_next_take_and_the_other_side_goes_on(
    visit: Callable[..., Any], room: Room, facts: Facts, vault: Vault
) -> None:
    notary, applicant = [await visit("notary"), await visit("applicant")]
    await asyncio.gather(decoded(notary, 20), decoded(applicant, 20))
    await applicant.evaluate("call.reconnect()")
    await facts.until(lambda: len(facts.of(TakeStarted, "applicant")) == 2)
    # The notary's page has done nothing: its slot goes on with the new connection.
    await asyncio.gather(decoded(notary, 40), decoded(applicant, 20))
    assert await notary.evaluate("states.filter(s => s === 'connected').length") == 1
    assert [fact.take for fact in facts.of(TakeEnded, "applicant")] == [0]
    (gap,) = [gap for gap in facts.of(Gap, "applicant") if gap.kind == "reconnect"]
    assert 0 <= gap.end_at - gap.start_at < 15_000

    # A page that vanishes without a word is noticed, so that the other party can be told.
    await applicant.context.close()
    left = await facts.until(lambda: facts.of(Left, "applicant")[1:])
    assert left[0].reason == "lost"
    takes = await room.close()
    assert [(t.participant, t.take) for t in takes if t.participant == "applicant"] == [
        ("applicant", 0),
        ("applicant", 1),
    ]
    # A machine starved at the very end may break the notary's line too, whose next take then holds
    # what came before its first key frame: nothing.
    for take in [take for take in takes if take.frames]:
        recording = look(take.path, vault.decrypt)
        assert recording.first_is_key
        assert recording.sizes == [(320, 240)]
    shown = {(take.participant, take.take) for take in takes if take.frames}
    assert shown >= {("notary", 0), ("applicant", 0), ("applicant", 1)}
