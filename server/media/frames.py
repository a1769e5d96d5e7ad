"""Packets of one track back into whole frames, in order, each once.

A missing packet is waited for as long as a retransmission may take; then it is lost, and for video
nothing is passed on until the next key frame, so that what is recorded always decodes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .rtp import PADDING, vp8_keyframe_size, vp8_payload

PATIENCE = 13  # ticks (50 ms) a missing packet is waited for: six requests and a round trip
MAX_WAITING = 600  # packets
MAX_FRAME = 4 << 20  # bytes


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One VP8 frame or Opus packet; `size` is (width, height) of a key frame, else None."""

    kind: str
    ts: int
    data: bytes
    keyframe: bool
    size: tuple[int, int] | None
    now: float


class Assembler:
    """One track's packets to frames. `on_frame` gets each; `on_loss` how many packets were lost."""

    def __init__(
        self,
        kind: str,
        *,
        on_frame: Callable[[EncodedFrame], None],
        on_loss: Callable[[int, float], None],
    ) -> None:
        self.kind = kind
        self.lost = 0
        self._on_frame = on_frame
        self._on_loss = on_loss
        self._next: int | None = None
        self._waiting: dict[int, tuple[bytes, int, int, int]] = {}
        self._ticks = 0  # how long the next packet has been missing
        self._parts: list[bytes] = []
        self._parts_ts: int | None = None
        self._parts_size = 0
        self._broken = kind == "video"  # nothing until a key frame

    @property
    def wants_keyframe(self) -> bool:
        """Whether packets come of which nothing can be kept until a key frame does."""
        return self._broken and self._next is not None

    def push(self, data: bytes, head: int, number: int, ts: int, marker: int, now: float) -> None:
        """Takes one packet, by its extended sequence number."""
        if self._next is None:
            self._next = number
        if number == self._next and not self._waiting:  # the usual case
            self._next = number + 1
            self._take(data, head, ts, marker, now)
        elif number >= self._next:
            self._waiting[number] = (data, head, ts, marker)
            self._pass_on(now)
            if len(self._waiting) > MAX_WAITING:
                self._skip(now)

    def advance(self, now: float) -> None:
        """Called at each tick of the room: gives up on what has been missing too long.

        The wait is counted in ticks, for while the loop stands still nothing is asked for, and the
        answers to what was lie unread in the kernel.
        """
        if self._waiting:
            self._ticks += 1
            if self._ticks > PATIENCE:
                self._skip(now)

    def finish(self, now: float) -> None:
        """Passes on everything that is left."""
        while self._waiting:
            self._skip(now)

    def _pass_on(self, now: float) -> None:
        """Passes on what is in order."""
        assert self._next is not None
        while (item := self._waiting.pop(self._next, None)) is not None:
            self._next += 1
            self._ticks = 0
            self._take(*item, now)

    def _skip(self, now: float) -> None:
        assert self._next is not None
        upcoming = min(self._waiting)
        count = upcoming - self._next
        self._next = upcoming
        self._drop_parts()
        self.lost += count
        if self.kind == "video":
            self._broken = True
        self._on_loss(count, now)
        self._pass_on(now)

    def _drop_parts(self) -> None:
        self._parts, self._parts_ts, self._parts_size = [], None, 0

    def _take(self, data: bytes, head: int, ts: int, marker: int, now: float) -> None:
        end = len(data) - (data[-1] if data[0] & PADDING else 0)
        if end <= head:
            return
        if self.kind == "audio":
            self._on_frame(EncodedFrame("audio", ts, data[head:end], True, None, now))
            return
        start, begins = vp8_payload(data, head, end)
        if start < 0:
            return
        if begins and self._parts_ts != ts:
            self._parts, self._parts_ts, self._parts_size = [], ts, 0
        if self._parts_ts != ts:
            return
        self._parts.append(data[start:end])
        self._parts_size += end - start
        if self._parts_size > MAX_FRAME:
            self._drop_parts()
            self._broken = True
            return
        if marker:
            frame = b"".join(self._parts)
            self._drop_parts()
            size = vp8_keyframe_size(frame)
            if size is not None:
                self._broken = False
            if not self._broken:
                self._on_frame(EncodedFrame("video", ts, frame, size is not None, size, now))
