"""Stock peers over a bad network."""

import asyncio
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from server.media import Gap, Left, Room, SegmentClosed, TakeEnded, TakeStarted
from server.rehearsal.peer import Clip, Peer, encode_clip

from .conftest import FPS, Facts, Vault
from .network import Relay
from .recording import look


async def test_five_percent_loss_both_ways_loses_nothing_of_the_recording(
    room: Room,
    facts: Facts,
    vault: Vault,
    relay: Relay,
    make_peer: Callable[..., Peer],
    clip: Clip,
) -> None:
    relay.loss = 0.05
    sender = make_peer("applicant", relay=relay)
    viewer = make_peer("notary")
    await viewer.connect()
    await sender.connect()
    await facts.until(lambda: len(facts.of(SegmentClosed, "applicant")) >= 7)
    await viewer.received(video=4 * FPS)
    quality = room.quality("applicant")
    assert quality is not None
    relay.loss = 0.0  # or the close cuts off a packet that was being asked for
    await facts.until(lambda: len(facts.of(SegmentClosed, "applicant")) >= 9)
    takes = {take.participant: take for take in await room.close()}

    assert relay.dropped > 40, "a test without loss shows nothing"
    assert not [gap for gap in facts.of(Gap, "applicant") if gap.kind == "loss"]
    recording = look(takes["applicant"].path, vault.decrypt)
    assert recording.first_is_key
    assert runs_in(clip.audio, recording.packets["audio"])
    assert runs_in(clip.video, recording.packets["video"])
    assert len(recording.audio_times) / recording.duration == pytest.approx(50, abs=1.5)


def runs_in(sent: Sequence[bytes], kept: Sequence[bytes]) -> bool:
    """Whether what was kept is what was sent in a loop, from anywhere on, each packet once."""
    assert len(set(sent)) > 1
    assert len(kept) > len(sent)
    return any(
        all(each == sent[(start + place) % len(sent)] for place, each in enumerate(kept))
        for start in range(len(sent))
    )


async def test_a_line_cut_off_is_a_stall_then_a_loss_and_a_new_connection_goes_on(
    room: Room, facts: Facts, vault: Vault, relay: Relay, make_peer: Callable[..., Peer]
) -> None:
    applicant = make_peer("applicant", relay=relay)
    notary = make_peer("notary")
    await notary.connect()
    await applicant.connect()
    await facts.until(lambda: facts.of(SegmentClosed, "applicant"))
    await notary.received(video=10)
    relay.down = True
    (left,) = await facts.until(lambda: facts.of(Left, "applicant"))
    assert left.reason == "lost"
    await facts.until(lambda: facts.of(TakeEnded, "applicant"))
    stall = [g for g in facts.of(Gap, "applicant") if g.kind == "stall"][-1]
    assert 2_500 < stall.end_at - stall.start_at < 5_000
    before = notary.frames["video"]

    again = make_peer("applicant")
    await again.connect()
    await facts.until(
        lambda: [s for s in facts.of(SegmentClosed, "applicant") if s.take == 1 and s.keyframe]
    )
    await notary.received(video=before + 10)
    second = facts.of(TakeStarted, "applicant")[1]
    assert second.take == 1
    assert "reconnect" in [g.kind for g in facts.of(Gap, "applicant") if g.take == 1]
    for take in await room.close():
        assert look(take.path, vault.decrypt).first_is_key


async def test_three_parties_each_see_the_two_others(
    room: Room, facts: Facts, make_peer: Callable[..., Peer]
) -> None:
    names = ("notary", "applicant", "interpreter")
    peers = [make_peer(name, slots=2) for name in names]
    for peer in peers:
        await peer.connect()
    await asyncio.gather(*(peer.received(video=4 * FPS) for peer in peers))
    for name in names:
        assert set(room.shown(name)) == set(names) - {name}
    await room.leave("interpreter")
    assert room.participants == ("notary", "applicant")
    assert [left.reason for left in facts.of(Left, "interpreter")] == ["left"]


async def test_a_loop_that_stood_still_is_told(
    room: Room, facts: Facts, make_peer: Callable[..., Peer]
) -> None:
    await make_peer("applicant", slots=0).connect()
    await facts.until(lambda: facts.of(TakeStarted))
    blocked = time.monotonic() + 0.5
    while time.monotonic() < blocked:
        pass  # what a careless handler does
    await facts.until(lambda: [gap for gap in facts.of(Gap) if gap.kind == "lag"])
    (gap,) = [gap for gap in facts.of(Gap) if gap.kind == "lag"]
    assert 300 < gap.end_at - gap.start_at < 2_000


async def test_a_participant_goes_over_to_a_larger_picture(
    room: Room, facts: Facts, vault: Vault, make_peer: Callable[..., Peer]
) -> None:
    """Two resolution changes in one take: the key frame carries the size, the file plays on."""
    peer = make_peer("applicant", slots=0)
    await peer.connect()
    small = np.full((240, 320, 3), 90, np.uint8)
    large = np.full((480, 640, 3), 160, np.uint8)
    for picture in (small, large, small):
        before = len(facts.of(SegmentClosed))
        peer.show(encode_clip([picture] * FPS, fps=FPS))
        await facts.until(lambda before=before: len(facts.of(SegmentClosed)) >= before + 2)
    (take,) = await room.close()
    recording = look(take.path, vault.decrypt)
    assert recording.sizes[-3:] == [(320, 240), (640, 480), (320, 240)]
    assert len(recording.video_times) == take.frames
