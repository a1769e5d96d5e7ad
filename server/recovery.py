"""What lies whole on the disk after a crash: segments of takes, as the recorder would have told
them.

A segment's times are read back from its own WebM cluster: the take's beginning plus the cluster's
timestamp. What was told before the crash is not told again; a take all of which was told is not
even opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from server.domain.evidence import Segment
from server.media import read_take, recover
from server.media.takefile import parse_name
from server.services.archive import RecoverTakes
from server.storage.cipher import Cipher
from server.storage.recordings import Recordings

_CLUSTER, _TIMESTAMP, _SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
_SEGMENT = 0x18538067
_KEYFRAME = 0x80
_USUAL_MS = 1_000


def takes_on_disk(directory: Path, recordings: Recordings) -> RecoverTakes:
    """Return what the services call at start for every session a dead process left open."""

    async def recovered(sid: str, cipher: Cipher) -> Sequence[Segment]:
        began = {(row.participant, row.take): row.started_at for row in await recordings.takes(sid)}
        told: dict[tuple[str, int], list[Segment]] = {}
        for row in await recordings.segments(sid):
            told.setdefault((row.segment.participant, row.segment.take), []).append(row.segment)
        found: list[Segment] = []
        for path in sorted(directory.glob(f"{sid}-*.take")):
            _, participant, take = parse_name(path)
            started_at = began.get((participant, take))
            known = told.get((participant, take), [])
            end = max((each.offset + each.length for each in known), default=0)
            if started_at is None or path.stat().st_size == end:
                continue
            numbers = {each.number for each in known}
            for segment in await asyncio.to_thread(_segments, path, cipher, started_at):
                if segment.number not in numbers:
                    found.append(segment)
        return found

    return recovered


def _segments(path: Path, cipher: Cipher, started_at: int) -> list[Segment]:
    sid, participant, take = parse_name(path)
    stored = recover(path, cipher.decrypt)
    clusters = [_cluster(data) for data in read_take(path, cipher.decrypt)]
    found = []
    for place, (each, (offset, frames, keyframe)) in enumerate(zip(stored, clusters, strict=False)):
        start_at = started_at + offset
        following = clusters[place + 1][0] if place + 1 < len(clusters) else offset + _USUAL_MS
        found.append(
            Segment(
                session_id=sid,
                participant=participant,
                take=take,
                number=each.number,
                start_at=start_at,
                end_at=started_at + following,
                offset=each.offset,
                length=each.length,
                plaintext_sha256=each.plaintext_sha256,
                ciphertext_sha256=each.ciphertext_sha256,
                chain=each.chain,
                keyframe=keyframe,
                frames=frames,
            )
        )
    return found


def _cluster(data: bytes) -> tuple[int, int, bool]:
    """Return (timestamp in ms, frames, whether one is a key frame) of a segment's cluster."""
    timestamp, frames, keyframe = 0, 0, False
    for name, body in _elements(data):
        if name == _TIMESTAMP:
            timestamp = int.from_bytes(body, "big")
        elif name == _SIMPLE_BLOCK:
            frames += 1
            keyframe = keyframe or (body[0] == 0x81 and bool(body[3] & _KEYFRAME))
    return timestamp, frames, keyframe


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (id, body) of EBML elements, stepping into Segment and Cluster (RFC 8794)."""
    at = 0
    while at < len(data):
        name, at = _number(data, at, keep_marker=True)
        size, at = _number(data, at, keep_marker=False)
        if name in (_SEGMENT, _CLUSTER):
            continue  # its children follow in the row
        yield name, data[at : at + size]
        at += size


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    if at >= len(data) or data[at] == 0:
        return 0, len(data)
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), at + length
