"""Datagrams from somebody who is not in the session, and a process that starts anew."""

import pathlib
import random
import re
import socket
import struct
from collections.abc import Callable

import pytest

from server.media import Left, Room, SegmentClosed, TakeStarted
from server.rehearsal.peer import Clip, Peer

from .conftest import FPS, SESSION, Facts

MAGIC = 0x2112A442
STUN_BINDING = 1


def datagrams() -> list[bytes]:
    """Nothing, noise, and what looks like STUN, DTLS, RTP and RTCP from the outside."""
    draw = random.Random(5)
    noise = [draw.randbytes(draw.randrange(0, 300)) for _ in range(200)]
    stun = [
        struct.pack("!HHL12s", STUN_BINDING, length, MAGIC, bytes(12)) + tail
        for length, tail in ((0, b""), (8, b"\0\6\0\4aaaa"), (65_532, b""), (4, b"\0\6\xff\xff"))
    ]
    dtls = [b"\x16\xfe\xfd" + bytes(8) + b"\xff\xff", b"\x15\xfe\xfd" + bytes(10), b"\x14"]
    media = [b"\x80\xe0" + draw.randbytes(50), b"\x80\xc8" + draw.randbytes(30), b"\x80"]
    return [b"", *noise, *stun, *dtls, *media, b""]


@pytest.mark.parametrize("when", ["before the handshake", "in the call"])
async def test_strangers_do_not_disturb_a_call(
    room: Room, facts: Facts, clip: Clip, when: str, make_peer: Callable[..., Peer]
) -> None:
    def throw(answer: str) -> None:
        found = re.search(r"a=candidate:\S+ \d+ udp \d+ (\S+) (\d+) typ host", answer)
        assert found is not None
        # asyncio's own transport sends nothing for an empty datagram.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for data in datagrams():
                stranger.sendto(data, (found[1], int(found[2])))

    answers: list[str] = []

    async def join(offer: str) -> str:
        answers.append(await room.join("applicant", offer))
        if when.startswith("before"):
            throw(answers[0])
        return answers[0]

    peer = Peer(clip, exchange=join, hosts=["127.0.0.1"])
    viewer = make_peer("notary")
    await viewer.connect()
    await peer.connect()
    await viewer.received(video=5)
    if when.startswith("in"):
        throw(answers[0])
    before = len(facts.of(SegmentClosed, "applicant"))
    await facts.until(lambda: len(facts.of(SegmentClosed, "applicant")) >= before + 2)
    await viewer.received(video=viewer.frames["video"] + FPS)
    assert facts.of(Left) == []
    await peer.close()


async def test_a_room_after_a_crash_goes_on_with_the_next_take(
    tmp_path: pathlib.Path, facts: Facts, make_peer: Callable[..., Peer]
) -> None:
    # make_peer's room was made when the directory held this already: see crashed.
    await make_peer("notary", slots=0).connect()
    (started,) = await facts.until(lambda: facts.of(TakeStarted))
    assert started.take == 5
    assert (tmp_path / f"{SESSION}-notary-4.take").read_bytes() == b"left by a crash"


@pytest.fixture(autouse=True)
def crashed(tmp_path: pathlib.Path) -> None:
    """What an earlier process left of the session, before the room is made."""
    (tmp_path / f"{SESSION}-notary-4.take").write_bytes(b"left by a crash")
    (tmp_path / f"{'0' * 32}-notary-9.take").write_bytes(b"of another session")
