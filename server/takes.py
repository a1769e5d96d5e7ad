"""The take files below one directory: what the archive moves into objects, and then removes.

The services know no media and media no services; this is the archive's way to the recorder's files.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

from server.media import TakeDamaged
from server.media.evidence import label
from server.media.takefile import SUFFIX, ciphertexts, parse_name, take_path


class TakeFiles:
    """`services.archive.Takes` over the recorder's directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def sessions(self) -> tuple[str, ...]:
        """The sessions that have take files."""
        return tuple(sorted({sid for sid, _, _ in self._names("*")}))

    def of_session(self, sid: str) -> tuple[tuple[str, int], ...]:
        """(participant, take) of every take file of a session."""
        return tuple((participant, take) for _, participant, take in self._names(f"{sid}-*"))

    def label(self, sid: str, participant: str, take: int, number: int) -> str:
        """What a cluster's ciphertext is bound to."""
        return label(sid, participant, take, number)

    async def read(self, sid: str, participant: str, take: int) -> AsyncGenerator[bytes]:
        """The ciphertexts of a take's whole clusters. Raises FileNotFoundError."""
        with closing(ciphertexts(take_path(self._directory, sid, participant, take))) as frames:
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                yield frame[1]

    async def remove(self, sid: str, participant: str, take: int) -> None:
        """Delete a take file."""
        await asyncio.to_thread(take_path(self._directory, sid, participant, take).unlink)

    def _names(self, pattern: str) -> list[tuple[str, str, int]]:
        names = []
        for path in sorted(self._directory.glob(f"{pattern}{SUFFIX}")):
            try:
                names.append(parse_name(path))
            except TakeDamaged:
                continue  # somebody else's file
        return names
