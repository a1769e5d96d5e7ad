"""What a log shows to everybody: its files under `/log/`, as pure functions.

`respond` turns a path into status, headers and bytes; server/http only carries them. Everything
but the checkpoint is immutable and may be cached for ever, by anyone (C2SP tlog-tiles).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from ledger.anchors import attest_path, parse_attest_path
from ledger.errors import NotFoundError
from ledger.handover import FOLDER, MOST, Handover, key_entries, own_case
from ledger.merkle import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Edge, tile_width
from ledger.note import Checkpoint
from ledger.proof import TlogProof
from ledger.store import Store
from ledger.tiles import ENTRIES, Reader, TileCache, parse_tile_path, write_bundle

_OPEN = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
_TEXT = _OPEN | {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
_BYTES = _OPEN | {
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=31536000, immutable",
}

_HANDOVER = re.compile(FOLDER + r"/([1-9][0-9]?[0-9]?)")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, without HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def respond(reader: Reader, path: str) -> Response:
    """Answer for `checkpoint`, `tile/<L>/<N>[.p/<W>]`, `tile/entries/<N>[.p/<W>]`, `keys/<n>`,
    `attest/<size>/<sha256>`; 404 for all else.

    It reads the disk: call it off the event loop. Only what the published checkpoint covers is
    shown; a partial tile may be asked for at any width up to that.
    """
    try:
        note = reader.note()
        if path == "checkpoint":
            return Response(200, _TEXT, note.encode())
        if handed := _HANDOVER.fullmatch(path):
            return Response(200, _TEXT, reader.handover(int(handed[1])).encode())
        if said := parse_attest_path(path):
            return Response(200, _BYTES, reader.said(*said))
        level, number, width = parse_tile_path(path)
        size = Checkpoint.unverified(note).size
        if width > tile_width(max(level, 0), number, size):
            raise NotFoundError(f"{path} is beyond the published tree")
        if level == ENTRIES:
            body = write_bundle(reader.leaves(number, width))
        else:
            body = reader.hashes(level, number, width)
    except NotFoundError as error:
        return Response(404, _TEXT, f"{error}\n".encode())
    return Response(200, _BYTES, body)


@dataclass(frozen=True, slots=True)
class Published:
    """The newest checkpoint that has left, or may leave, the process.

    note: as the log signed it. cosigned: the lines of witnesses that go under it.
    """

    checkpoint: Checkpoint
    note: str
    cosigned: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What the writer has committed, in one piece: readers never see half of a batch."""

    edge: Edge
    published: Published | None


class LogReader:
    """The log's own reader: full tiles from the store, the rest from the writer's edge.

    Usable from any thread. A tile only ever grows at its end, so the tile at an older size is
    the beginning of the one we have now.
    """

    def __init__(self, store: Store, state: Callable[[], State]) -> None:
        self._store = store
        self._state = state
        self._cache = TileCache(self.hashes)

    def note(self) -> str:
        published = self._state().published
        if published is None:
            raise NotFoundError("no checkpoint has been published yet")
        return published.note + published.cosigned

    def hashes(self, level: int, number: int, width: int) -> bytes:
        edge = self._state().edge
        if not 0 < width <= tile_width(level, number, edge.size):
            raise NotFoundError(f"no tile {level}/{number} of width {width}")
        if number == edge.size >> TILE_HEIGHT * (level + 1):
            return b"".join(edge.rows[level][:width])
        full = self._store.tile(level, number)
        if full is None:
            raise NotFoundError(f"tile {level}/{number} is missing from the database")
        return full[: width * HASH_BYTES]

    def leaves(self, number: int, width: int) -> list[bytes]:
        start = number * TILE_WIDTH
        leaves = self._store.leaves(start, start + width)
        if not 0 < len(leaves) == width:
            raise NotFoundError(f"no entry bundle {number} of width {width}")
        return leaves

    def handover(self, number: int) -> str:
        published = self._state().published
        origin = published.checkpoint.origin if published else ""
        entries = key_entries(self._store.chain(own_case(origin)))[number - 1 : number]
        found = self._store.checkpoint_from(entries[0].index + 1) if entries else None
        if found is None or published is None or found[0] > published.checkpoint.size:
            raise NotFoundError(f"the log has shown no {number}. handover of its keys")
        size, note = found
        index = entries[0].index
        (leaf,) = self._store.leaves(index, index + 1)
        note += "".join(self._store.cosignatures(size).values())
        return Handover(leaf, TlogProof(index, self.inclusion(index, size), note)).text

    def handovers(self) -> Iterator[str]:
        """Every handover there is, the first one first."""
        with suppress(NotFoundError):
            for number in range(1, MOST + 1):
                yield self.handover(number)

    def said(self, size: int, digest: str) -> bytes:
        for each in self._store.attestations(size):
            for data in (each.body, each.note.encode()):
                if sha256(data).hexdigest() == digest:
                    return data
        raise NotFoundError(f"nobody said {attest_path(size, digest)} of this log")

    def inclusion(self, index: int, size: int) -> tuple[str, ...]:
        self._require(size)
        return tuple(hash_.hex() for hash_ in self._cache.tree(size).inclusion(index))

    def consistency(self, old: int, new: int) -> tuple[str, ...]:
        self._require(new)
        return tuple(hash_.hex() for hash_ in self._cache.tree(new).consistency(old))

    def root(self, size: int) -> bytes:
        self._require(size)
        return self._cache.tree(size).root()

    def _require(self, size: int) -> None:
        if not 0 <= size <= self._state().edge.size:
            raise NotFoundError(f"no tree of {size} leaves yet")
