"""The watcher: a frame it cannot look at is tried again, then said to be unavailable, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from server.identity.findings import Finding
from server.identity.hints import Watch
from server.media import Keyframe, KeyframeRefused
from server.watcher import Watcher

SID = "5" * 32


@dataclass
class Room:
    """A room that stays open for some looks; each look finds a newer frame."""

    looks: int
    frames: int = 0

    def is_open(self, sid: str) -> bool:
        self.looks -= 1
        return self.looks >= 0

    def take(self, sid: str, role: str) -> int:
        return 1

    async def keyframe(self, sid: str, role: str) -> Keyframe:
        self.frames += 1
        data, at = b"%d" % self.frames, 1_000 * self.frames
        return Keyframe(data=data, width=640, height=480, at=at, sha256="0" * 64)


@dataclass
class Decoder:
    """Decodes only some frames."""

    late: set[bytes]
    asked: list[bytes] = field(default_factory=list)

    async def decode_keyframe(self, data: bytes) -> bytes:
        self.asked.append(data)
        if data in self.late:
            raise KeyframeRefused("the picture did not decode in time")
        return b"picture of " + data


@dataclass
class Eyes:
    """Finds one thing in every picture it is shown."""

    seen: list[tuple[bytes, int]] = field(default_factory=list)

    async def watch(self, picture: bytes, *, memory: Watch, at: int) -> tuple[Finding, ...]:
        self.seen.append((picture, at))
        return (Finding(kind="dark", level="attention", text_key="hint.dark", at=at),)


async def watched(looks: int, late: set[bytes]) -> tuple[list[Finding], Decoder, Eyes]:
    told: list[Finding] = []

    async def tell(sid: str, finding: Finding) -> None:
        told.append(finding)

    decoder, eyes = Decoder(late), Eyes()
    parts: Any = (Room(looks), eyes, decoder)
    await Watcher(*parts, tell=tell, pace_s=0).run(SID)
    return told, decoder, eyes


async def test_a_frame_that_is_late_is_followed_by_the_next_at_once() -> None:
    told, decoder, eyes = await watched(1, late={b"1"})
    assert decoder.asked == [b"1", b"2"]
    assert eyes.seen == [(b"picture of 2", 2_000)]
    assert [(each.kind, each.at) for each in told] == [("dark", 2_000)]


async def test_when_nothing_decodes_it_is_said_once_at_the_frames_time() -> None:
    told, decoder, eyes = await watched(3, late={b"1", b"2", b"3", b"4", b"5", b"6"})
    assert len(decoder.asked) == 6  # two tries a look
    assert eyes.seen == []
    assert [(each.kind, each.level, each.at) for each in told] == [("watch", "unavailable", 2_000)]
