"""What a log's anchors name, had by a mirror: tokens, the notes they are over, witnesses' lines.

Without them an anchor is only the log's word (`ledger.anchors`). Each file's name is its SHA-256,
which stands in an entry that leads to the signed root; so what fits its name is kept, by whomever
it was sent, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from ledger.anchors import KIND, Anchor, anchor_case, read_anchor
from ledger.entry import Leaf
from ledger.errors import EntryError, MirrorError, NotFoundError
from ledger.kept import put
from ledger.merkle import TILE_WIDTH, tile_width
from ledger.note import MAX_NOTE_BYTES
from ledger.replay import read, split_bundle
from ledger.tiles import ENTRIES

_SAID = b'"kind":"%b"' % KIND.encode()


def anchors_in(directory: Path, origin: str, size: int) -> Iterator[Anchor]:
    """The anchors among the first `size` entries of a mirror, in order.

    Every bundle is read, few are looked into; what cannot be read is for an audit to name.
    """
    case = anchor_case(origin)
    for number in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        found = read(directory, ENTRIES, number, tile_width(0, number, size))
        if found is None or _SAID not in found[0]:
            continue
        for data in split_bundle(found[0])[0]:
            anchor = _anchor(data, case) if _SAID in data else None
            if anchor is not None:
                yield anchor


def _anchor(data: bytes, case: str) -> Anchor | None:
    try:
        leaf = Leaf.parse(data)
    except EntryError:
        return None
    return read_anchor(leaf) if leaf.case == case else None


def missing(directory: Path, origin: str, size: int) -> tuple[str, ...]:
    """The paths of what the anchors name and the mirror has not, each once."""
    named = (path for anchor in anchors_in(directory, origin, size) for path in anchor.paths)
    return tuple(path for path in dict.fromkeys(named) if not (directory / path).exists())


def fetch_said(
    fetch: Callable[[str, int], bytes],
    directory: Path,
    paths: tuple[str, ...],
    *,
    at_once: int,
    progress: Callable[[int], None],
) -> int:
    """Fetch and write these files; how many of them the log does not show, which is no fault.

    `progress` is told how many were looked for. Raises MirrorError for a file that is not what the
    anchor names, or longer than any can be, and OSError; what was written before stays.
    """

    def get(path: str) -> bool:
        try:
            data = fetch(path, MAX_NOTE_BYTES)
        except NotFoundError:
            return False
        if sha256(data).hexdigest() != path.rpartition("/")[2]:
            raise MirrorError(f"{path} is not what the log's anchor names")
        put(directory, path, data)
        return True

    shown = 0
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(get, path) for path in paths]
        try:
            for done, future in enumerate(futures, 1):
                shown += future.result()
                progress(done)
        finally:
            pool.shutdown(cancel_futures=True)
    return len(paths) - shown
