"""What is wrong with a ledger that does not start, or that its scrubber complains of.

    locked             another process writes it
    empty, missing     there is no database; the guard says whether there ever was one
    unreachable        PostgreSQL does not answer
    unreadable         the database cannot read its own files
    triggers           PostgreSQL would not refuse changes
    entry, tile        one was changed where it lies; which, by `ledger.scrub`
    damaged            anything else that `ledger.fsck` finds
    guard-missing, guard-damaged
    older              the database does not reach the guard, or a witness's checkpoint
    forked             it reaches them, and has another history
    clock              the newest entry is later than this machine's clock

It only reads. What to do about each stands in docs/operations.md and in `farseal ledger recover`.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.entry import Leaf
from ledger.errors import EntryError, GuardError, NotFoundError, StoreError
from ledger.fsck import Report, fsck
from ledger.guard import Guard, Mark
from ledger.merkle import Edge, leaf_hash
from ledger.note import Checkpoint, Verifier, open_checkpoint
from ledger.scrub import Scrub
from ledger.snapshot import Snapshot

TOLERANCE_MS = 60_000
"""How far the newest entry may be ahead of this machine's clock."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. kind: a word of the list above; detail: what its words name."""

    kind: str
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was seen. size: entries; signed: the guard's size, None without a guard."""

    size: int
    signed: int | None
    troubles: tuple[Trouble, ...]

    @property
    def healthy(self) -> bool:
        """Whether the log would start; that another process writes it is no damage."""
        return all(trouble.kind == "locked" for trouble in self.troubles)


def diagnose(
    ledger: Path | str,
    guard: Path,
    *,
    verifiers: Sequence[Verifier] = (),
    witnessed: Sequence[str] = (),
    now: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Diagnosis:
    """Look at a SQLite file, or the PostgreSQL database at a URL, at its guard, and at checkpoint
    notes that others hold (`witnessed`).

    now: ms UTC. Raises NoteError for a note that is none, or that these keys have not signed;
    OSError.
    """
    notes = [_read(note, verifiers) for note in witnessed]
    database = _shown(ledger)
    try:
        troubles = [Trouble("locked", {"database": database})] if _is_locked(ledger) else []
    except StoreError as error:
        return Diagnosis(0, None, (Trouble("unreachable", {"why": str(error)}),))
    try:
        with Snapshot.of(ledger) as snapshot:
            found, size, mark = _look(snapshot, guard, verifiers, notes, now, progress)
    except NotFoundError:
        known = guard.exists() or any(note.size for note in notes)
        found = [Trouble("missing" if known else "empty", {"database": database})]
        size, mark = 0, None
    except StoreError as error:
        found, size, mark = [Trouble("unreadable", {"why": str(error)})], 0, None
    return Diagnosis(size, mark.size if mark else None, (*troubles, *found))


def _look(
    snapshot: Snapshot,
    guard: Path,
    verifiers: Sequence[Verifier],
    notes: Sequence[Checkpoint],
    now: int,
    progress: Callable[[int, int], None],
) -> tuple[list[Trouble], int, Mark | None]:
    report = fsck(snapshot, verifiers, progress=progress)
    found = _damage(snapshot, report)
    if off := snapshot.unguarded():
        found.append(Trouble("triggers", {"names": ", ".join(off)}))
    origin, signed = _newest(snapshot)
    mark: Mark | None = None
    try:
        mark = Guard(guard, origin).read() if origin else None
        if mark is None and signed is not None:
            lines = f"{origin}\n{signed.size}\n{signed.root.hex()}\n"
            found.append(Trouble("guard-missing", {"guard": str(guard), "lines": lines}))
    except GuardError as error:
        found.append(Trouble("guard-damaged", {"guard": str(guard), "why": str(error)}))
    marks = [(str(guard), mark.size, bytes.fromhex(mark.root))] if mark else []
    marks += [("witness", note.size, note.root) for note in notes]
    roots = _roots(snapshot, {size for _, size, _ in marks})
    for who, size, root in marks:
        detail = {"who": who, "size": report.entries, "signed": size}
        if size > report.entries:
            found.append(Trouble("older", detail))
        elif roots[size] != root and not found:  # damage is told as damage
            found.append(Trouble("forked", detail))
    if (last := _last_time(snapshot, report.entries)) > now + TOLERANCE_MS:
        found.append(Trouble("clock", {"ahead_s": (last - now) // 1000}))
    return found, report.entries, mark


def _damage(snapshot: Snapshot, report: Report) -> list[Trouble]:
    """What was changed, named by the scrubber; the rest of what fsck found, as it says it."""
    if report.clean:
        return []
    unreadable = [each for each in report.findings if each.where == "database"]
    if unreadable:
        return [Trouble("unreadable", {"why": unreadable[0].what})]
    scrub = Scrub()
    while not scrub.step(snapshot, bundles=64):
        pass
    found = [
        Trouble("tile" if each.kind == "tile" else "entry", {"where": each.where})
        for each in sorted(scrub.faults)
    ]
    return found or [
        Trouble("damaged", {"where": each.where, "what": each.what}) for each in report.findings
    ]


def _newest(snapshot: Snapshot) -> tuple[str, Checkpoint | None]:
    for _, note in reversed(snapshot.checkpoints()):
        checkpoint = Checkpoint.unverified(note)
        return checkpoint.origin, checkpoint
    return "", None


def _roots(snapshot: Snapshot, sizes: set[int]) -> dict[int, bytes]:
    """The root of the first entries, for each of the sizes that there is."""
    edge = Edge()
    roots = {0: edge.root()}
    for row in snapshot.entries() if sizes else ():
        edge.append(leaf_hash(row.leaf), [])
        if edge.size in sizes:
            roots[edge.size] = edge.root()
    return roots


def _last_time(snapshot: Snapshot, size: int) -> int:
    rows = snapshot.rows(size - 1, size)
    try:
        return Leaf.parse(rows[0].leaf).time if rows else 0
    except EntryError:
        return 0  # it is told as damage


def _read(note: str, verifiers: Sequence[Verifier]) -> Checkpoint:
    return open_checkpoint(note, verifiers) if verifiers else Checkpoint.unverified(note)


def _shown(ledger: Path | str) -> str:
    if isinstance(ledger, Path):
        return str(ledger)
    from ledger.postgres import shown  # whoever keeps a file needs no driver for a server

    return shown(ledger)


def _is_locked(ledger: Path | str) -> bool:
    """Whether a log is open for writing; nothing is held afterwards. StoreError: nobody answers."""
    if isinstance(ledger, str):
        from ledger.postgres import is_led

        return is_led(ledger)
    database = ledger
    try:
        with database.with_name(database.name + ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
