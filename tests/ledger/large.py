"""Logs of any size as mirrored files, written by the format alone: no database, no fsync.

A leaf here is canonical JSON of a plain dict, so that what the audit reads was not written by
the code that the sequencer and the audit share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from ledger.entry import NO_HASH
from ledger.merkle import TILE_WIDTH, Edge, FullTile, leaf_hash
from ledger.note import LogKeys, sign_checkpoint
from ledger.tiles import ENTRIES, tile_path, write_bundle
from tests.ledger.house import NOON

RUNNING = 8
"""Cases whose entries alternate; each ends after `LENGTH` of its own and another begins."""
LENGTH = 400
Body = Callable[[int], tuple[str, dict[str, object]]]
"""Case and body of the entry at an index."""
Spoil = Callable[[dict[str, object]], None]


def session(index: int) -> tuple[str, dict[str, object]]:
    """An entry of about 420 bytes in one of the sessions that run at once."""
    digest = sha256(index.to_bytes(8, "big")).hexdigest()
    case = sha256(b"%d %d" % (index % RUNNING, index // RUNNING // LENGTH)).hexdigest()[:32]
    body: dict[str, object] = {
        "actor": "recorder",
        "items": [{"name": "segment", "sha256": digest}],
        "kind": "segment",
        "number": index % 1000,
    }
    if index % 50 == 0:
        body = {"actor": digest[:32], "kind": "said", "text": f"第 {index} 条\n"}
    return case, body


def leaves(count: int, entry: Body = session, spoil: Spoil = lambda leaf: None) -> Iterator[bytes]:
    """The first `count` leaves of a log; `spoil` may change one before it is hashed and signed."""
    prev = NO_HASH
    heads: dict[str, tuple[int, str]] = {}
    for index in range(count):
        case, body = entry(index)
        number, case_prev = heads.get(case, (0, NO_HASH))
        leaf = {
            "body": body,
            "case": case,
            "case_prev": case_prev,
            "case_seq": number,
            "event": sha256(b"event %d" % index).hexdigest()[:32],
            "index": index,
            "prev": prev,
            "time": NOON + index * 3,
            "v": 1,
        }
        spoil(leaf)
        data = json.dumps(leaf, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        prev = leaf_hash(data).hex()
        heads[case] = (number + 1, prev)
        yield data


def write_log(
    directory: Path,
    keys: LogKeys,
    count: int,
    *,
    entry: Body = session,
    spoil: Spoil = lambda leaf: None,
    checkpoints: Sequence[int] = (),
) -> None:
    """A log's files; `checkpoints` are sizes at which a checkpoint is kept beside the newest."""
    edge, bundle = Edge(), list[bytes]()
    kept = {*checkpoints, count}

    def keep(path: str, data: bytes) -> None:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)

    def sign() -> bytes:
        at = NOON + edge.size * 3
        return sign_checkpoint(keys, size=edge.size, root=edge.root(), at=at).encode()

    for data in leaves(count, entry, spoil):
        full: list[FullTile] = []
        edge.append(leaf_hash(data), full)
        bundle.append(data)
        for tile in full:
            keep(tile_path(tile.level, tile.number), tile.hashes)
        if len(bundle) == TILE_WIDTH:
            keep(tile_path(ENTRIES, edge.size // TILE_WIDTH - 1), write_bundle(bundle))
            bundle = []
        if edge.size in kept:
            keep(f"checkpoints/{edge.size}", sign())
    for level, row in enumerate(edge.rows):
        if row:
            keep(tile_path(level, edge.size >> 8 * (level + 1), len(row)), b"".join(row))
    if bundle:
        keep(tile_path(ENTRIES, edge.size // TILE_WIDTH, len(bundle)), write_bundle(bundle))
    newest = directory / "checkpoints" / str(count)
    keep("checkpoint", newest.read_bytes() if newest.exists() else sign())
