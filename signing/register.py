"""The public register 登记册, read from a mirror of the ledger: who has a number, and its standing.

Register entries carry number, status index and the signed PDF's plain SHA-256 in clear, in one
chain of their own. Whoever holds a mirror finds a file they hold, sees that its number is used
once, and what happened to it since, as of the mirror's checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from ledger.entry import Leaf
from ledger.errors import ProofError
from ledger.note import Checkpoint, Verifier, open_checkpoint, open_note
from ledger.proof import verify_case
from ledger.tiles import Mirror
from signing.report import Failed

COMPLETED = "act-completed"
INTENDED = "act-intended"
STATUS_LIST = "status-list"
# Kinds of later entries that take a certificate back; they name its number.
REVOKING = frozenset({"certificate-revoked", "certificate-voided"})


@dataclass(frozen=True, slots=True)
class Register:
    """The register as a signed checkpoint has it; every entry was shown to be in its tree.

    `as_of` (ms) is the checkpoint's own time. This is the ledger view that `verify_pdf` takes.
    """

    origin: str
    size: int
    as_of: int
    entries: tuple[Leaf, ...]

    def find(self, pdf_sha256: str) -> Leaf | None:
        """The entry that completed the certificate with this file digest."""
        found = [leaf for leaf in self.completed() if leaf.body.get("pdf_sha256") == pdf_sha256]
        return found[0] if found else None

    def completed(self) -> Sequence[Leaf]:
        """The entries that completed a certificate, in order."""
        return [leaf for leaf in self.entries if leaf.body.get("kind") == COMPLETED]

    def require_single(self, number: object) -> int:
        """Require that a number was completed once; tell how many numbers there are."""
        numbers = [leaf.body.get("number") for leaf in self.completed()]
        if numbers.count(number) != 1:
            raise Failed("number-twice", number=number, times=numbers.count(number))
        return len(numbers)

    def revoked_at(self, number: object) -> int | None:
        """When (ms) the register took a number back, or None if it did not."""
        for leaf in self.entries:
            if leaf.body.get("kind") in REVOKING and leaf.body.get("number") == number:
                return leaf.time
        return None


def register_of(origin: str) -> str:
    """The id of an office's register chain. It follows from the log's origin, so there is one: an
    office that kept two could use a number in each."""
    return sha256(f"farseal/register/v1\0{origin}".encode()).hexdigest()[:32]


def read_mirror(mirror: Mirror, keys: Sequence[Verifier]) -> Register:
    """The register of a mirror whose checkpoint these keys signed.

    Reads every entry, for a register is complete only with all of them. Raises LedgerError.
    """
    view = mirror.open(keys)
    log = view.keys.log(view.checkpoint.origin)
    if log is not None and log.ending is not None and log.ending.size != view.size:
        # Its keys may be anybody's by now: only the whole of it, by its last root, is believed.
        raise ProofError(
            f"this ledger ended at {log.ending.size} entries, the mirror has {view.size}"
        )
    entries = view.entries()
    chain = register_of(view.checkpoint.origin)
    register = tuple(leaf for leaf in entries if leaf.case == chain)
    verify_case(register, case=chain)
    if any(leaf.body.get("kind") == COMPLETED for leaf in entries if leaf.case != chain):
        raise ProofError("a certificate is registered outside the office's one register")
    return Register(
        view.checkpoint.origin,
        view.size,
        checkpoint_time(view.note, view.keys),
        register,
    )


def open_register(
    note: str, leaves: Sequence[bytes], *, register: str, keys: Sequence[Verifier]
) -> Register:
    """The register for a server that reads its own log: all leaves of the chain, from its store.

    The chain and the checkpoint's signatures are checked; inclusion is the log's own word.
    """
    checkpoint = open_checkpoint(note, keys)
    entries = tuple(Leaf.parse(leaf) for leaf in leaves)
    verify_case(entries, case=register)
    return Register(checkpoint.origin, checkpoint.size, checkpoint_time(note, keys), entries)


def with_former(present: Register | None, former: Sequence[Register]) -> Register | None:
    """One office's register across its ledgers: what those before have, and the present one.

    Each was read under its own ledger's keys. Numbers of all of them are held against each other.
    """
    newest = present or (former[-1] if former else None)
    if newest is None:
        return None
    entries = tuple(leaf for each in former for leaf in each.entries)
    return replace(newest, entries=(*entries, *(present.entries if present else ())))


def checkpoint_time(note: str, keys: Sequence[Verifier]) -> int:
    """When a checkpoint was signed (ms): the latest cosignature's time, in whole seconds."""
    times = [each.time for each in open_note(note, keys).signatures if each.time is not None]
    return max(times, default=0) * 1000


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint for a report."""
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
    }
