"""A running take: frames to clusters, clusters to the disk thread, facts back.

Frames wait in memory until audio and video stand on one clock (both sender reports, or 1.5 s:
Chrome speaks of audio only after 2.5 s, and until then the quickest packets' arrival must do), then
a cluster is closed each second once both tracks have passed its end. What kill -9 can take is
therefore less than two seconds; everything told to the ledger is on the disk.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from . import webm
from .evidence import EndReason, MediaFact, SegmentClosed, TakeEnded, TakeStarted, TakeSummary
from .frames import EncodedFrame
from .takefile import Encrypt, StoredSegment, TakeFile, take_path

ALIGN_WAIT = 1.5  # seconds frames wait for the second sender report
CLUSTER = 1000  # ms of one cluster
LATE = 600  # ms one track may trail the other before a cluster closes without it
IDLE = 1.0  # seconds without a frame after which the open cluster is closed
MAX_UNWRITTEN = 60  # clusters; a disk this far behind has failed
TRACKS = {"audio": webm.AUDIO, "video": webm.VIDEO}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where a room's takes go: all disk work on one thread, facts in the order of the work."""

    session: str
    directory: Path
    encrypt: Encrypt
    emit: Callable[[MediaFact], None]
    thread: Executor
    loop: asyncio.AbstractEventLoop


class Take:
    """One take. `began` is the first frame's time on the line, `began_at` the same in epoch ms."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        participant: str,
        number: int,
        began: float,
        began_at: int,
        on_failed: Callable[["Take", str], None],
    ) -> None:
        self.participant = participant
        self.number = number
        self.path = take_path(shelf.directory, shelf.session, participant, number)
        self.began_at = began_at
        self.ended: asyncio.Future[TakeSummary] = shelf.loop.create_future()
        self.segments = self.length = self.frames = 0
        self.chain = ""
        self.end_at = began_at  # of the newest durable segment
        self._shelf = shelf
        self._on_failed = on_failed
        self._began = self._zero = began
        self._waiting: list[tuple[float, EncodedFrame]] | None = []  # until aligned
        self._blocks: list[webm.Block] = []
        self._latest = {webm.AUDIO: -1, webm.VIDEO: -1}
        self._start: int | None = None  # of the open cluster, ms
        self._heard = began
        self._headed = False
        self._size = (640, 480)
        self._keyed = False
        self._unwritten = 0
        self._closing: EndReason | None = None
        self._file: TakeFile | None = None  # the thread's
        self._broken = False  # the thread's
        shelf.thread.submit(self._open)

    @property
    def reason(self) -> EndReason | None:
        """Why the take ends or ended; None while it runs."""
        return self._closing

    @property
    def heard_at(self) -> int:
        """When its last frame came, epoch ms."""
        return self.wall(self._heard)

    def wall(self, seconds: float) -> int:
        """Epoch ms of a time on the line."""
        return self.began_at + round((seconds - self._began) * 1000)

    def add(self, at: float, frame: EncodedFrame) -> None:
        """Takes one frame, at its time on the line; video only from a key frame on."""
        if self._closing is not None:
            return
        if frame.kind == "video" and not self._keyed:
            if frame.size is None:
                return
            self._keyed = True
            self._size = frame.size
        self._heard = frame.now
        if self._waiting is None:
            self._block(at, frame)
        else:
            self._waiting.append((at, frame))

    def waits_too_long(self, now: float) -> bool:
        """Whether frames have waited for a common clock as long as they may."""
        return self._waiting is not None and now - self._began >= ALIGN_WAIT

    def align(self, shifts: Mapping[str, float]) -> bool:
        """Lets waiting frames go, each track moved by so many seconds; False when none wait."""
        if self._waiting is None:
            return False
        moved = [(at + shifts.get(frame.kind, 0.0), frame) for at, frame in self._waiting]
        moved.sort(key=lambda item: item[0])
        self._waiting = None
        if moved:
            self._zero = moved[0][0]
        for at, frame in moved:
            self._block(at, frame)
        return True

    def tick(self, now: float) -> None:
        """Closes what would otherwise stay open through a silence."""
        if now - self._heard < IDLE:
            return
        self.align({})
        self._cut(None)

    def end(self, reason: EndReason) -> None:
        """Writes what is open and closes the file; `ended` is set when all of it is durable."""
        if self._closing is not None:
            return
        self.align({})
        self._cut(None)
        self._closing = reason
        self._shelf.thread.submit(self._close)

    def _block(self, at: float, frame: EncodedFrame) -> None:
        track = TRACKS[frame.kind]
        # A line moved back by a report must not make a track's own time run backwards.
        ms = max(round((at - self._zero) * 1000), self._latest[track] + 1)
        self._latest[track] = ms
        if self._start is None:
            self._start = ms
        self._blocks.append(webm.Block(track, ms, frame.keyframe, frame.data))
        end = self._start + CLUSTER
        if min(self._latest.values()) >= end or ms >= end + LATE:
            self._cut(end)

    def _cut(self, end: int | None) -> None:
        """Closes a cluster of the blocks before `end` ms (all of them for None)."""
        self._blocks.sort(key=lambda block: block.at)
        if end is None:
            ready, self._blocks = self._blocks, []
        else:
            ready = [block for block in self._blocks if block.at < end]
            self._blocks = self._blocks[len(ready) :]
        self._start = self._blocks[0].at if self._blocks else None
        if not ready:
            return
        data = webm.cluster(ready)
        if not self._headed:
            self._headed = True
            width, height = self._size
            zero_at = self.wall(self._zero)
            data = webm.head(width=width, height=height, began_at=zero_at) + data
        self._unwritten += 1
        if self._unwritten > MAX_UNWRITTEN:
            self._failed("the disk does not keep up")
            return
        zero_at = self.wall(self._zero)
        self._shelf.thread.submit(
            self._append,
            data,
            start_at=zero_at + ready[0].at,
            end_at=zero_at + ready[-1].at,
            keyframe=any(block.keyframe for block in ready if block.track == webm.VIDEO),
            frames=sum(block.track == webm.VIDEO for block in ready),
        )

    # On the disk thread: encrypt, append, fdatasync; then back to the loop with the fact.

    def _open(self) -> None:
        try:
            self._file = TakeFile(self.path, self._shelf.encrypt)
        except OSError as error:
            self._broken = True
            self._shelf.loop.call_soon_threadsafe(self._failed, str(error))
            return
        self._tell(
            TakeStarted(
                session=self._shelf.session,
                participant=self.participant,
                at=self.began_at,
                take=self.number,
                name=self.path.name,
            )
        )

    def _append(
        self, data: bytes, *, start_at: int, end_at: int, keyframe: bool, frames: int
    ) -> None:
        if self._broken or self._file is None:
            return
        try:
            stored = self._file.append(data)
        except Exception as error:  # noqa: BLE001 - the disk's or the vault's: nothing was kept
            self._broken = True
            self._shelf.loop.call_soon_threadsafe(self._failed, str(error) or type(error).__name__)
            return
        fact = SegmentClosed(
            session=self._shelf.session,
            participant=self.participant,
            at=end_at,
            take=self.number,
            number=stored.number,
            start_at=start_at,
            end_at=end_at,
            offset=stored.offset,
            length=stored.length,
            plaintext_sha256=stored.plaintext_sha256,
            ciphertext_sha256=stored.ciphertext_sha256,
            chain=stored.chain,
            keyframe=keyframe,
            frames=frames,
        )
        self._shelf.loop.call_soon_threadsafe(self._stored, fact, stored)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._shelf.loop.call_soon_threadsafe(self._closed)

    def _tell(self, fact: MediaFact) -> None:
        self._shelf.loop.call_soon_threadsafe(self._shelf.emit, fact)

    # Back on the loop.

    def _stored(self, fact: SegmentClosed, stored: StoredSegment) -> None:
        self._unwritten -= 1
        self.segments = stored.number + 1
        self.length = stored.offset + stored.length
        self.chain = stored.chain
        self.frames += fact.frames
        self.end_at = max(self.end_at, fact.end_at)
        self._shelf.emit(fact)

    def _failed(self, reason: str) -> None:
        """The disk said no: what is durable stays, the rest of this take is not kept."""
        if self.ended.done() or self._closing == "disk":
            return
        closing = self._closing is None
        self._closing = "disk"
        self._blocks, self._waiting = [], None
        self._on_failed(self, reason)
        if closing:
            self._shelf.thread.submit(self._close)

    def _closed(self) -> None:
        reason = self._closing or "closed"
        if self.ended.done():
            return
        self.ended.set_result(
            TakeSummary(
                session=self._shelf.session,
                participant=self.participant,
                take=self.number,
                path=self.path,
                started_at=self.began_at,
                ended_at=self.end_at,
                reason=reason,
                segments=self.segments,
                frames=self.frames,
                length=self.length,
                chain=self.chain,
            )
        )
        self._shelf.emit(
            TakeEnded(
                session=self._shelf.session,
                participant=self.participant,
                at=self.end_at,
                take=self.number,
                reason=reason,
                segments=self.segments,
                chain=self.chain,
            )
        )
