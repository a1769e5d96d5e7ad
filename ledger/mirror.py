"""`mirror`: copy a log's files into a folder, and believe none before it leads to a signed root.

    note -> signed? -> consistent with the newest note kept? -> keep it
         -> last tile of each level, together the root -> tiles, downwards -> entries
         -> what their anchors name
         -> `checkpoint`: all it promises is here

Each file is written under another name, forced to the disk and renamed, so a run that is killed
at any moment leaves only whole, checked files, and the next one goes on. What is there already
is not fetched again; delete a file that an audit names, and it is.
"""

from __future__ import annotations

import fcntl
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from ledger.anchored import fetch_said, missing
from ledger.entry import MAX_LEAF_BYTES
from ledger.errors import (
    ForkError,
    LockedError,
    MirrorError,
    NoteError,
    NotFoundError,
    ProofError,
    StaleError,
    VerificationError,
)
from ledger.folder import read_file
from ledger.fork import ForkProof
from ledger.generations import Keybook
from ledger.handover import FOLDER as HANDOVERS
from ledger.handover import LONGEST, MOST, Handover, newly_known
from ledger.kept import (
    FOLDER,
    FORKS,
    NEWEST,
    KeptNote,
    kept_names,
    put,
    read_handovers,
    read_note,
    sweep,
)
from ledger.merkle import (
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    leaf_hash,
    split_hashes,
    tile_width,
)
from ledger.note import MAX_NOTE_BYTES, Verifier, open_checkpoint
from ledger.replay import read_tile, root_of, split_bundle
from ledger.tiles import ENTRIES, TileCache, parse_tile_path, tile_path, write_bundle

Fetch = Callable[[str, int], bytes]
"""(path, most bytes) -> bytes. Raises NotFoundError when there is no such file, OSError when it
could not be had, MirrorError when it is longer. Called from several threads."""
Progress = Callable[[int, int], None]

AT_ONCE = 6
"""Files fetched at the same time."""
AHEAD = 64
"""Files that wait for their turn: no more are listed, whatever size a log has signed."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a run did. before: the size that was complete when it began, 0 for none.

    learned: how many generations of keys the log has handed over to, beyond those that were given.
    unshown: how many tokens, notes and lines that its anchors name the log does not show.
    """

    origin: str
    size: int
    root: str
    before: int
    fetched: int
    learned: int = 0
    unshown: int = 0


def mirror(
    fetch: Fetch,
    directory: Path,
    verifiers: Sequence[Verifier],
    *,
    progress: Progress = lambda done, total: None,
) -> Mirrored:
    """Bring a mirror's folder up to the log's newest checkpoint. `progress` counts files.

    The keys' handovers are followed and kept. Raises NoteError for a note that neither these keys
    nor those after them have signed, MirrorError for a file that does not
    lead to its root (the file is not kept), ForkError, StaleError, LockedError when another run
    writes the folder, NotFoundError and OSError when the log cannot be read.
    """
    note = _text(fetch(NEWEST, MAX_NOTE_BYTES))
    given = Keybook.of(verifiers)
    verifiers, handed = _follow(fetch, directory, given)
    shown = KeptNote(NEWEST, note, open_checkpoint(note, verifiers))
    directory.mkdir(parents=True, exist_ok=True)
    with _only_writer(directory):
        sweep(directory)
        for number, text in handed.items():
            put(directory, f"{HANDOVERS}/{number}", text.encode())
        before = _newest_complete(directory, verifiers)
        log = _Log(fetch, directory, shown)
        _require_consistent(log, directory, verifiers)
        size = shown.checkpoint.size
        _keep(directory, shown)
        fetched, unshown = _fetch_all(log, directory, progress)
        put(directory, NEWEST, note.encode())
        _remove_narrower(directory, size)
    learned = newly_known(given, verifiers)
    root = shown.checkpoint.root.hex()
    return Mirrored(shown.checkpoint.origin, size, root, before, fetched, learned, unshown)


def _follow(fetch: Fetch, directory: Path, book: Keybook) -> tuple[Keybook, dict[int, str]]:
    """What one knows after the handovers that were kept and those the log shows beyond them.

    One that does not hold proves nothing, and is neither believed nor kept.
    """
    book = read_handovers(directory, book)
    kept, shown = directory / HANDOVERS, {}
    number = 1
    with suppress(NotFoundError, NoteError, ProofError):
        while number <= MOST:
            if not (kept / str(number)).exists():
                text = _text(fetch(f"{HANDOVERS}/{number}", LONGEST))
                book = Handover.parse(text).follow(book)
                shown[number] = text
            number += 1
    return book, shown


class _Log:
    """A log's tiles under one note; whatever it gives leads to that note's root."""

    def __init__(self, fetch: Fetch, directory: Path, shown: KeptNote) -> None:
        self.fetch = fetch
        self.directory = directory
        self.shown = shown
        self.size = shown.checkpoint.size
        self._edge: list[bytes] | None = None
        self.tile = lru_cache(maxsize=1024)(self._tile)
        self.tiles = TileCache(self.hashes)

    def hashes(self, level: int, number: int, width: int) -> bytes:
        """A tile's first hashes, for proofs."""
        return self.tile(level, number)[: width * HASH_BYTES]

    def edge(self) -> list[bytes]:
        """The last tile of each level; together they are the root."""
        if self._edge is None:
            rows, level = [], 0
            while level == 0 or self.size >> TILE_HEIGHT * level:
                number = self.size >> TILE_HEIGHT * (level + 1)
                width = tile_width(level, number, self.size)
                rows.append(self._get_tile(level, number, width) if width else b"")
                level += 1
            root = Edge(self.size, [split_hashes(row) for row in rows]).root()
            if root != self.shown.checkpoint.root:
                raise MirrorError("the log's last tiles do not lead to the root it signed")
            self._edge = rows
        return self._edge

    def leaves(self, number: int, width: int) -> list[bytes]:
        """The leaves of a bundle, as the tile under them has their hashes."""
        data, wide = self._get(ENTRIES, number, width, 2 + MAX_LEAF_BYTES)
        leaves, rest = split_bundle(data)
        if len(leaves) != wide or rest:
            raise MirrorError(f"{tile_path(ENTRIES, number, wide)} is not {wide} entries")
        hashes = split_hashes(self.tile(0, number))
        for at, (leaf, hash_) in enumerate(zip(leaves[:width], hashes, strict=True)):
            if leaf_hash(leaf) != hash_:
                raise MirrorError(
                    f"entry {number * TILE_WIDTH + at} is not the one that was signed"
                )
        return leaves[:width]

    def _tile(self, level: int, number: int) -> bytes:
        if number == self.size >> TILE_HEIGHT * (level + 1):
            return self.edge()[level]
        at = number % TILE_WIDTH * HASH_BYTES
        root = self.tile(level + 1, number // TILE_WIDTH)[at : at + HASH_BYTES]
        here = read_tile(self.directory, level, number, TILE_WIDTH)
        if here is not None and root_of(here) == root:
            return here
        found = self._get_tile(level, number, TILE_WIDTH)
        if root_of(found) != root:
            raise MirrorError(f"{tile_path(level, number)} does not lead to the signed root")
        return found

    def _get_tile(self, level: int, number: int, width: int) -> bytes:
        data, wide = self._get(level, number, width, HASH_BYTES)
        if len(data) != wide * HASH_BYTES:
            raise MirrorError(f"{tile_path(level, number, wide)} has the wrong length")
        return data[: width * HASH_BYTES]

    def _get(self, level: int, number: int, width: int, each: int) -> tuple[bytes, int]:
        """A file and how wide it is: a partial one may go once the full one is there."""
        try:
            return self.fetch(tile_path(level, number, width), width * each), width
        except NotFoundError:
            if width == TILE_WIDTH:
                raise
            return self.fetch(tile_path(level, number), TILE_WIDTH * each), TILE_WIDTH


def _require_consistent(log: _Log, directory: Path, verifiers: Sequence[Verifier]) -> None:
    """Hold the note that the log shows against the newest one kept."""
    names = list(kept_names(directory))
    if not names:
        return
    try:
        kept = read_note(directory, names[-1], verifiers)
    except VerificationError as error:
        raise MirrorError(f"{names[-1]} in the mirror is damaged: {error}") from error
    shown = log.shown
    if shown.checkpoint.size < kept.checkpoint.size:
        # The log went back. What it shows now is held against our own files.
        ours = _Log(partial(_read_own, directory), directory, kept)
        if shown.checkpoint.size:
            _require_no_fork(ours, shown, kept, shown, verifiers)
        raise StaleError(shown.checkpoint.size, kept.checkpoint.size)
    if kept.checkpoint.size:
        _require_no_fork(log, kept, shown, shown, verifiers)


def _require_no_fork(
    log: _Log, old: KeptNote, new: KeptNote, shown: KeptNote, verifiers: Sequence[Verifier]
) -> None:
    """Require that the smaller tree is the beginning of the larger one, which `log` is under.

    If it is not, the note that was shown is in the proof, which is kept. Raises ForkError.
    """
    size, directory = old.checkpoint.size, log.directory
    same = size == new.checkpoint.size
    root = new.checkpoint.root if same else log.tiles.tree(size).root()
    if root == old.checkpoint.root:
        return
    proof = ForkProof.between(old.note, new.note, log.tiles.tree(new.checkpoint.size))
    proof.verify(verifiers)
    name = f"{size}-{new.checkpoint.size}-{shown.checkpoint.root.hex()[:16]}.fork"
    put(directory, f"{FORKS}/{name}", proof.text.encode())
    raise ForkError(proof, directory / FORKS / name)


def _read_own(directory: Path, path: str, most: int) -> bytes:
    try:
        return read_file(directory / path, most)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is not in the mirror yet") from error


def _fetch_all(log: _Log, directory: Path, progress: Progress) -> tuple[int, int]:
    """Fetch and write every file that is not there; how many, and how many anchors name in vain."""
    log.edge()

    def fetch(level: int, number: int, width: int) -> None:
        if level == ENTRIES:
            data = write_bundle(log.leaves(number, width))
        else:
            data = log.tile(level, number)
        put(directory, tile_path(level, number, width), data)

    total = sum(count for _, count in _rows(log.size))
    done = fetched = 0
    waiting: deque[Future[None]] = deque()
    progress(done, total)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for each in _files(log.size):
                if (directory / tile_path(*each)).exists():
                    done += 1
                    continue
                waiting.append(pool.submit(fetch, *each))
                fetched += 1
                if len(waiting) > AHEAD:
                    waiting.popleft().result()
                    done += 1
                    progress(done, total)
            while waiting:
                waiting.popleft().result()
                done += 1
                progress(done, total)
        finally:
            pool.shutdown(cancel_futures=True)
    progress(done, total)
    said = missing(directory, log.shown.checkpoint.origin, log.size)
    unshown = fetch_said(
        log.fetch,
        directory,
        said,
        at_once=AT_ONCE,
        progress=lambda more: progress(total + more, total + len(said)),
    )
    return fetched + len(said) - unshown, unshown


def _rows(size: int) -> Iterator[tuple[int, int]]:
    """Each level and how many files it has: the highest first, entries last."""
    top = max(0, (size.bit_length() - 1) // TILE_HEIGHT)
    for level in (*range(top, -1, -1), ENTRIES):
        hashes = size >> TILE_HEIGHT * max(level, 0)
        yield level, (hashes + TILE_WIDTH - 1) // TILE_WIDTH


def _files(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every file of a log, a tile after those above it."""
    for level, count in _rows(size):
        for number in range(count):
            yield level, number, tile_width(max(level, 0), number, size)


def _keep(directory: Path, shown: KeptNote) -> None:
    """Keep the note among those seen: of each size the first, or one with more signatures."""
    where = f"{FOLDER}/{shown.checkpoint.size}"
    path = directory / where
    if not path.exists() or path.read_text("utf-8").count("\n") < shown.note.count("\n"):
        put(directory, where, shown.note.encode())


def _remove_narrower(directory: Path, size: int) -> None:
    """Remove partial files of smaller trees: a wider one begins with the same."""
    for path in (directory / "tile").rglob("*.p/*"):
        with suppress(NotFoundError, OSError):
            level, number, width = parse_tile_path(path.relative_to(directory).as_posix())
            if width < tile_width(max(level, 0), number, size):
                path.unlink()
                path.parent.rmdir()


def _newest_complete(directory: Path, verifiers: Sequence[Verifier]) -> int:
    """The size that was complete before; a damaged checkpoint is about to be replaced."""
    try:
        return read_note(directory, NEWEST, verifiers).checkpoint.size
    except (FileNotFoundError, VerificationError):
        return 0


def _text(note: bytes) -> str:
    try:
        return note.decode()
    except UnicodeDecodeError as error:
        raise MirrorError("the log's checkpoint is not text") from error


@contextmanager
def _only_writer(directory: Path) -> Iterator[None]:
    with (directory / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"another process is writing the mirror {directory}") from error
        yield
