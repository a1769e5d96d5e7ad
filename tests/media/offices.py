"""What a studio tells, kept in memory; a dead recorder's takes, read as the server reads them."""

import asyncio
import dataclasses
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

from server.domain.evidence import Gap, Segment
from server.media import SegmentClosed, StoredSegment, webm
from server.recovery import takes_on_disk
from server.storage.recordings import SegmentRow, TakeRow
from server.studio import Studio

from .conftest import SESSION, Vault, epoch_ms


class Office:
    """The services of one session."""

    def __init__(self, directory: pathlib.Path, vault: Vault) -> None:
        self.vault = vault
        self.takes_begun: list[TakeRow] = []
        self.ended: list[tuple[str, int, str]] = []
        self.written: list[Segment] = []
        self.gaps: list[Gap] = []
        self.lost: list[tuple[str, str]] = []
        self.taken_up: list[str] = []
        self.gone: list[str] = []
        self._changed = asyncio.Event()
        recordings: Any = self
        self._recover = takes_on_disk(directory, recordings)

    def serve(self, studio: Studio) -> None:
        """Be what this studio tells."""
        studio.tell(self, self.lose, self.take_up)
        studio.on_change(lambda _sid: self._changed.set())
        studio.on_opening(lambda _sid: None)
        studio.on_gone(self.gone.append)

    async def until(self, condition: Callable[[], Any], *, seconds: float = 30.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):
                self._changed.clear()
                await self._changed.wait()
        return found

    def chains(self, participant: str, take: int) -> list[str]:
        """The chain values of a take's segments, as they were told."""
        return [
            each.chain
            for each in self.written
            if (each.participant, each.take) == (participant, take)
        ]

    def cluster(self, number: int) -> bytes:
        """One second of a recording."""
        frames = [webm.Block(webm.AUDIO, number * 1000 + at, True, b"\xf8") for at in (0, 20)]
        return webm.cluster(frames)

    def closed(self, stored: StoredSegment) -> SegmentClosed:
        """The fact of a stored segment of the applicant's first take."""
        told = dataclasses.asdict(stored)
        now = epoch_ms()
        return SegmentClosed(
            session=SESSION,
            participant="applicant",
            at=now,
            take=0,
            start_at=now - 1000,
            end_at=now,
            keyframe=True,
            frames=1,
            **told,
        )

    # What the studio and the recovery ask.

    async def recording_cipher(self, sid: str) -> Vault:
        return self.vault

    async def take_started(self, sid: str, *, participant: str, take: int, at: int) -> None:
        self.takes_begun.append(TakeRow(participant, take, at, None, None))

    async def take_ended(
        self, sid: str, *, participant: str, take: int, at: int, reason: str
    ) -> None:
        self.ended.append((participant, take, reason))

    async def segment(self, segment: Segment) -> None:
        self.written.append(segment)

    async def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def failed(self, sid: str, reason: str) -> None:
        raise AssertionError(reason)

    async def lose(self, sid: str, *, role: str, reason: str, since: int) -> None:
        self.lost.append((role, reason))

    async def takes(self, sid: str) -> list[TakeRow]:
        return self.takes_begun

    async def segments(self, sid: str) -> list[SegmentRow]:
        return [SegmentRow(each, "", None) for each in self.written]

    async def take_up(self, sid: str, reason: str) -> None:
        """As `Archive.take_up`: segments first, then the ends."""
        self.taken_up.append(reason)
        cipher: Any = self.vault
        recover: Callable[..., Awaitable[Any]] = self._recover
        self.written += await recover(sid, cipher)
        over = {(participant, take) for participant, take, _ in self.ended}
        for row in self.takes_begun:
            if (row.participant, row.take) not in over:
                self.ended.append((row.participant, row.take, "lost"))
