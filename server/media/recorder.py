"""Records one participant's connection as it comes: packets, frames, timeline, takes, gaps.

When the disk fails, the take ends with what it has, the call goes on, and a new take begins as soon
as the disk takes data again. Also keeps the newest key frame for whoever looks at faces.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from functools import partial

from .evidence import EndReason, Gap, GapKind, Keyframe, RecorderFailed
from .frames import Assembler, EncodedFrame
from .gaps import Silences
from .ingress import Ingress, Sink
from .rtp import extension
from .take import Shelf, Take
from .takefile import has_space
from .timeline import Timeline

KEYFRAME_EVERY = 10.0  # seconds; a reviewer can jump in this finely
SPACE_EVERY = 1.0  # seconds between two looks at a full disk
CORRECTION = 0.04  # seconds; a smaller move of a line is not worth an entry
RATE_WINDOW = 2.0  # seconds over which frames per second are counted
CLOCK_JUMP = 500  # ms the clock may part from the monotonic clock


class Recorder:
    """Owns the takes of one connection.

    `next_take` numbers them, `on_take` hears of each, `clock` gives epoch ms. `previous` is the
    participant's take before, from whatever connection.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        participant: str,
        next_take: Callable[[], int],
        on_take: Callable[[Take], None],
        clock: Callable[[], int],
        previous: Callable[[], Take | None],
    ) -> None:
        self.participant = participant
        self.take: Take | None = None
        self.size = (0, 0)
        self._shelf = shelf
        self._next_take = next_take
        self._on_take = on_take
        self._clock = clock
        self._previous = previous
        self._video: Ingress | None = None
        self._sinks: list[tuple[Ingress, Sink]] = []
        self._timeline = Timeline()
        self._silences = Silences(self._gap)
        self._assemblers: dict[str, Assembler] = {}
        self._keyframe: tuple[int, bytes] | None = None
        self._keyed_at = 0.0
        self._frame_times: deque[float] = deque(maxlen=240)
        self._waits_for_space = False
        self._space_asked = 0.0
        self._ended = False
        self._jump = 0

    def add(self, ingress: Ingress, now: float) -> None:
        """Records one more published track."""
        kind = ingress.kind
        if kind in self._assemblers:
            return
        assembler = Assembler(kind, on_frame=self._frame, on_loss=partial(self._lost, kind))
        self._assemblers[kind] = assembler
        sink: Sink = assembler.push
        if kind == "audio" and ingress.audio_level_id:
            sink = partial(self._audio, ingress.audio_level_id, assembler)
        self._sinks.append((ingress, sink))
        ingress.sinks.append(sink)
        ingress.report_sinks.append(partial(self._reported, kind))
        if kind == "video":
            self._video = ingress
            ingress.request_keyframe(now)

    def tick(self, now: float) -> None:
        """Called some twenty times a second: gives up on packets, closes clusters, finds gaps."""
        for assembler in self._assemblers.values():
            assembler.advance(now)
            if assembler.wants_keyframe and self._video is not None:
                self._video.request_keyframe(now)  # the first request may have been lost
        if self.take is not None:
            self._silences.tick(now)
            self.take.tick(now)
            self._watch_clock(now)
        elif self._waits_for_space and now - self._space_asked >= SPACE_EVERY:
            self._space_asked = now
            self._shelf.thread.submit(self._look_for_space)

    def lagged(self, since: float, now: float) -> None:
        """The event loop stood still: packets waited in the kernel or were dropped there."""
        self._gap("lag", since, now, {})

    def end(self, reason: EndReason, now: float) -> None:
        """Records what has arrived and closes the take; nothing is recorded afterwards."""
        if self._ended:
            return
        for ingress, sink in self._sinks:
            ingress.sinks.remove(sink)
            ingress.report_sinks.clear()
        for assembler in self._assemblers.values():
            assembler.finish(now)
        self._ended = True
        self._silences.finish(now)
        if self.take is not None:
            self.take.end(reason)

    def keyframe(self) -> Keyframe | None:
        """The newest key frame received."""
        if self._keyframe is None:
            return None
        at, data = self._keyframe
        return Keyframe(
            at=at,
            data=data,
            sha256=hashlib.sha256(data).hexdigest(),
            width=self.size[0],
            height=self.size[1],
        )

    def frame_rate(self, now: float) -> float:
        """Video frames per second over the last two seconds."""
        return sum(now - at < RATE_WINDOW for at in self._frame_times) / RATE_WINDOW

    def _audio(
        self,
        level_id: int,
        assembler: Assembler,
        data: bytes,
        head: int,
        number: int,
        ts: int,
        marker: int,
        now: float,
    ) -> None:
        pos = extension(data, head, level_id)
        if pos:
            self._silences.level(data[pos] & 127, now)
        assembler.push(data, head, number, ts, marker, now)

    def _frame(self, frame: EncodedFrame) -> None:
        now = frame.now
        at = self._timeline.seconds(frame.kind, frame.ts, now)
        if frame.kind == "video":
            self._frame_times.append(now)
            if frame.size is not None:
                self._keyed_at = now
                self.size = frame.size
                self._keyframe = (self._clock(), frame.data)
            elif now - self._keyed_at > KEYFRAME_EVERY and self._video is not None:
                self._video.request_keyframe(now)
        take = self.take
        if take is None:
            if self._waits_for_space or self._ended:
                return
            take = self._begin(at, now)
        self._silences.frame(frame.kind, now)
        take.add(at, frame)
        if take.waits_too_long(now):
            take.align(self._timeline.settle())

    def _begin(self, at: float, now: float) -> Take:
        previous = self._previous()
        take = self.take = Take(
            self._shelf,
            participant=self.participant,
            number=self._next_take(),
            began=at,
            began_at=self._clock(),
            on_failed=self._failed,
        )
        self._jump = 0
        self._on_take(take)
        if self._timeline.aligned:
            take.align({})
        if previous is not None:
            full = previous.reason == "disk"
            since = previous.end_at if full else previous.heard_at
            kind: GapKind = "disk" if full else "reconnect"
            self._tell_gap(kind, min(since, take.began_at), take.began_at, {})
        if self._video is not None:
            self._video.request_keyframe(now)
        return take

    def _reported(self, kind: str, ntp: int, ts: int, now: float) -> None:
        step = self._timeline.on_report(kind, ntp, ts)
        shift = self._timeline.align()
        if shift is not None and self.take is not None and not self.take.align({"video": shift}):
            step = shift  # the take had to begin on arrival times; this is where it is put right
        if abs(step) >= CORRECTION:
            self._gap("clock", now, now, {"track": kind, "correction_ms": round(step * 1000)})

    def _lost(self, kind: str, count: int, now: float) -> None:
        if kind == "video" and self._video is not None:
            self._video.request_keyframe(now)
        self._gap("loss", now, now, {"track": kind, "packets": count})

    def _watch_clock(self, now: float) -> None:
        if self.take is None:
            return
        jump = self._clock() - self.take.wall(now)
        if abs(jump - self._jump) >= CLOCK_JUMP:
            self._gap("clock", now, now, {"jump_ms": jump - self._jump})
            self._jump = jump

    def _gap(self, kind: GapKind, since: float, until: float, detail: dict[str, str | int]) -> None:
        if self.take is not None:
            self._tell_gap(kind, self.take.wall(since), self.take.wall(until), detail)

    def _tell_gap(
        self, kind: GapKind, start_at: int, end_at: int, detail: dict[str, str | int]
    ) -> None:
        assert self.take is not None
        fact = Gap(
            session=self._shelf.session,
            participant=self.participant,
            at=end_at,
            take=self.take.number,
            kind=kind,
            start_at=start_at,
            end_at=end_at,
            detail=detail,
        )
        # By way of the disk thread, so that it never comes before the TakeStarted it speaks of.
        loop, emit = self._shelf.loop, self._shelf.emit
        self._shelf.thread.submit(loop.call_soon_threadsafe, emit, fact)

    def _failed(self, take: Take, reason: str) -> None:
        self._shelf.emit(
            RecorderFailed(
                session=self._shelf.session,
                participant=self.participant,
                at=self._clock(),
                take=take.number,
                reason=reason,
            )
        )
        if self.take is take and not self._ended:
            self.take = None
            self._waits_for_space = True

    def _look_for_space(self) -> None:
        found = has_space(self._shelf.directory)
        self._shelf.loop.call_soon_threadsafe(self._space, found)

    def _space(self, found: bool) -> None:
        if found:
            self._waits_for_space = False
