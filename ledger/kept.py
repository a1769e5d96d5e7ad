"""The checkpoints of a mirror's folder, and how its files are written.

checkpoint              the newest note whose files are all here
checkpoints/<size>      every note that was accepted, the one with most signatures of each size
keys/<n>                handovers: what the log's keys, as one trusted them, said of later ones
attest/<size>/<sha256>  what anchors name, by its digest: tokens, their notes, witnesses' lines
forks/<old>-<new>.fork  proofs that the log signed two histories
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from ledger.anchors import FOLDER as SAID
from ledger.errors import MirrorError, NotFoundError, VerificationError
from ledger.folder import read_file
from ledger.generations import Keybook
from ledger.handover import FOLDER as HANDOVERS
from ledger.handover import LONGEST, follow_shown
from ledger.note import MAX_NOTE_BYTES, Checkpoint, Verifier, open_checkpoint

NEWEST = "checkpoint"
FOLDER = "checkpoints"
FORKS = "forks"
UNFINISHED = ".unfinished"
"""The end of a name that is not yet a file of the mirror."""


@dataclass(frozen=True, slots=True)
class KeptNote:
    """A note whose signatures hold. where: its file in the mirror."""

    where: str
    note: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Kept:
    """All notes of a mirror. newest: what its files are for; refused: file and reason."""

    newest: KeptNote | None
    notes: tuple[KeptNote, ...]
    refused: tuple[tuple[str, str], ...]


def read_kept(directory: Path, verifiers: Sequence[Verifier]) -> Kept:
    """Read every note. Raises NotFoundError when there is no complete checkpoint."""
    if not (directory / NEWEST).is_file():
        raise NotFoundError(f"there is no checkpoint in {directory}")
    notes, refused = [], []
    for where in (NEWEST, *kept_names(directory)):
        try:
            found = read_note(directory, where, verifiers)
            notes.append(found)
        except (VerificationError, FileNotFoundError) as error:
            refused.append((where, str(error)))
    current = [each for each in notes if each.where == NEWEST]
    newest = max(current or notes, key=lambda each: each.checkpoint.size, default=None)
    return Kept(newest, tuple(notes), tuple(refused))


def kept_names(directory: Path) -> Iterator[str]:
    """The notes in `checkpoints/`, smallest tree first."""
    folder = directory / FOLDER
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in sorted((name for name in names if name.isdecimal()), key=int):
        yield f"{FOLDER}/{name}"


def read_note(directory: Path, where: str, verifiers: Sequence[Verifier]) -> KeptNote:
    """Read one note; raises NoteError, MirrorError when it is not what its name says."""
    data = read_file(directory / where, 4 * MAX_NOTE_BYTES)
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise MirrorError("it is not text") from error
    checkpoint = open_checkpoint(note, verifiers)
    if where not in (NEWEST, f"{FOLDER}/{checkpoint.size}"):
        raise MirrorError(f"its note is for size {checkpoint.size}")
    return KeptNote(where, note, checkpoint)


def read_handovers(directory: Path, book: Keybook) -> Keybook:
    """Follow the handovers that were kept, as far as they hold."""

    def show(number: int) -> str:
        try:
            return read_file(directory / HANDOVERS / str(number), 2 * LONGEST).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise NotFoundError(f"{HANDOVERS}/{number} is not here") from error

    return follow_shown(book, show)


def put(directory: Path, where: str, data: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, whenever this process dies."""
    path = directory / where
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}{UNFINISHED}")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def sweep(directory: Path) -> None:
    """Remove what a killed run left half-written. Only for the one process that writes."""
    for folder in (directory, directory / FOLDER, directory / FORKS, directory / HANDOVERS):
        for path in folder.glob(f"*{UNFINISHED}"):
            path.unlink(missing_ok=True)
    for tree in ("tile", SAID):
        for path in (directory / tree).rglob(f"*{UNFINISHED}"):
            path.unlink(missing_ok=True)
