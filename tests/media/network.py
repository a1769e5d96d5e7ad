"""A bad network in code: a UDP relay between a peer and the room that drops media packets.

In code, because not every kernel has sch_netem. Offer and answer are rewritten so that the two only
know the relay. STUN and DTLS pass, RTP and RTCP are dropped at random; while `down`, all is.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

CANDIDATE = re.compile(r"^(a=candidate:\S+ \d+ udp \d+ )(\S+) (\d+)( typ host.*)$", re.M)


class Relay:
    """One peer's way to the room. `loss` is the share of media packets dropped, each way."""

    def __init__(self, *, loss: float, seed: int) -> None:
        self.loss = loss
        self.down = False
        self.uplink: int | None = None  # bits per second a policer lets through
        self.dropped = self.passed = 0
        self._bucket, self._filled = 0.0, 0.0
        self._random = random.Random(seed)
        self._inside: asyncio.DatagramTransport | None = None  # towards the room
        self._outside: asyncio.DatagramTransport | None = None  # towards the peer
        self._room: tuple[str, int] | None = None
        self._peer: Any = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        address = ("127.0.0.1", 0)
        self._inside, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_room), local_addr=address
        )
        self._outside, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_peer), local_addr=address
        )

    def close(self) -> None:
        for side in (self._inside, self._outside):
            if side is not None:
                side.close()

    def exchange(self, join: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
        """The signalling `join`, with the relay between the two."""

        async def exchanged(offer: str) -> str:
            answer = await join(re.sub(r"^a=candidate:.*\r?\n", "", offer, flags=re.M))
            found = CANDIDATE.search(answer)
            assert found is not None
            assert self._outside is not None
            self._room = (found[2], int(found[3]))
            port = self._outside.get_extra_info("sockname")[1]
            return CANDIDATE.sub(rf"\g<1>127.0.0.1 {port}\g<4>", answer)

        return exchanged

    def _lets_pass(self, data: bytes) -> bool:
        if self.down:
            return False
        if 127 < data[0] < 192 and self._random.random() < self.loss:
            self.dropped += 1
            return False
        self.passed += 1
        return True

    def _fits(self, size: int) -> bool:
        """A policer with a bucket of 100 ms, the hardest kind of narrow line: it queues nothing."""
        if self.uplink is None:
            return True
        now = asyncio.get_running_loop().time()
        full = self.uplink / 80
        self._bucket = min(full, self._bucket + (now - self._filled) * self.uplink / 8)
        self._filled = now
        if self._bucket < size:
            return False
        self._bucket -= size
        return True

    def _from_peer(self, data: bytes, address: Any) -> None:
        self._peer = address
        if not self._fits(len(data)):
            self.dropped += 1
        elif self._lets_pass(data) and self._inside is not None and self._room is not None:
            self._inside.sendto(data, self._room)

    def _from_room(self, data: bytes, _: Any) -> None:
        if self._lets_pass(data) and self._outside is not None and self._peer is not None:
            self._outside.sendto(data, self._peer)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)
