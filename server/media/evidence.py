"""What the live session tells the ledger: facts, and the digest chain over a take's clusters.

A *take* is one uninterrupted recording of one participant; a reconnect begins the next take. A take
is a sequence of *segments* (one WebM cluster each, the first preceded by the file head). The
evidence digest of a segment is over its plaintext, so it outlives a change of the key at rest.

    chain(-1) = SHA-256("farseal-take-v1\\n" session "\\n" participant "\\n" take "\\n")
    chain(n)  = SHA-256(chain(n-1) || plaintext_sha256(n))          all raw bytes

Times are integer milliseconds since the epoch, read once from the clock when a take begins and
carried on by the monotonic clock: a clock set back during a session never makes a recording go
backwards.

    MediaError
      NameRefused      a session or participant name that could not be a file name
      OfferRefused     an SDP offer we cannot answer
      RoomClosed       join after close
      RoomFull         as many participants as a room takes
      TakeDamaged      a take file that is not one of ours, or whose name was changed
      UnsupportedStack aiortc is not the version hooks.py was written for
      KeyframeRefused  bytes that do not decode to a picture in time
      NoSeat           no process takes a new session now
      WorkerGone       the process the room was in ended
      PipeBroken       (pipe.py) what a worker said is not a message
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


class MediaError(Exception):
    """Root of everything this library raises on purpose."""


class NameRefused(MediaError, ValueError):
    """A session or participant name outside `[A-Za-z0-9][A-Za-z0-9._]{0,63}`."""


class OfferRefused(MediaError, ValueError):
    """An SDP offer without what we need, or beyond our limits."""


class RoomClosed(MediaError):
    """The session is over."""


class RoomFull(MediaError):
    """Nobody else can join."""


class TakeDamaged(MediaError):
    """A file that cannot be read as a take."""


class UnsupportedStack(MediaError):
    """The installed aiortc is not the one whose inside hooks.py knows."""


class KeyframeRefused(MediaError):
    """The key frame did not decode."""


class NoSeat(MediaError):
    """No process takes a new session now; `why` is "lag", "full" or "away"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WorkerGone(MediaError):
    """The process the room was in ended; in another there can be a new one."""


GapKind = Literal["loss", "freeze", "mute", "stall", "reconnect", "clock", "lag", "disk"]
EndReason = Literal["left", "lost", "replaced", "closed", "disk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Root of the facts a room emits; `at` is when it became true."""

    session: str
    participant: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Fact):
    """A participant's first packet arrived on this connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(Fact):
    """A participant's connection ended; tell the others. `lost` means nobody asked for it."""

    reason: EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeStarted(Fact):
    """The take's file exists on disk; `at` is time zero of the recording."""

    take: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClosed(Fact):
    """One segment is durable (fdatasync returned) at `offset`, `length` bytes of ciphertext."""

    take: int
    number: int
    start_at: int
    end_at: int
    offset: int
    length: int
    plaintext_sha256: str
    ciphertext_sha256: str
    chain: str
    keyframe: bool
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeEnded(Fact):
    """The take is complete: `segments` segments, the last chain value `chain`."""

    take: int
    reason: EndReason
    segments: int
    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderFailed(Fact):
    """The disk refused a segment. The call goes on; a new take begins when there is space again."""

    take: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Fact):
    """What a viewer of the recording must know is missing or bent, `start_at` to `end_at`."""

    take: int
    kind: GapKind
    start_at: int
    end_at: int
    detail: dict[str, str | int] = field(default_factory=dict)


MediaFact = Joined | Left | TakeStarted | SegmentClosed | TakeEnded | RecorderFailed | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """One complete VP8 key frame as the participant sent it: it decodes alone."""

    at: int
    data: bytes
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How a participant's line does now. `loss` is the share lost before retransmission, 0..1."""

    rtt_ms: int | None
    loss: float
    width: int
    height: int
    fps: float
    bitrate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSummary:
    """A finished take."""

    session: str
    participant: str
    take: int
    path: Path
    started_at: int
    ended_at: int
    reason: EndReason
    segments: int
    frames: int
    length: int
    chain: str


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]{0,63}")


def checked_name(name: str) -> str:
    """Returns `name`, which goes into file names and labels. Raises NameRefused."""
    if not _NAME.fullmatch(name):
        raise NameRefused(f"not a name: {name[:80]!r}")
    return name


def label(session: str, participant: str, take: int, number: int) -> str:
    """The segment's name towards encryption: binds the ciphertext to its place."""
    return f"{session}/{participant}/{take}/{number}"


def chain_start(session: str, participant: str, take: int) -> bytes:
    """The chain's value before the first segment."""
    return hashlib.sha256(f"farseal-take-v1\n{session}\n{participant}\n{take}\n".encode()).digest()


def chain_next(chain: bytes, plaintext_sha256: bytes) -> bytes:
    """The chain's value after one more segment."""
    return hashlib.sha256(chain + plaintext_sha256).digest()
