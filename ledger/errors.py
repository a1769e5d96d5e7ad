"""What can go wrong with a ledger, as one tree.

    LedgerError
    ├── EntryError        the submission cannot become a leaf: not canonical JSON, or too long
    ├── ConflictError     the event id is already in the ledger with other content
    ├── NotFoundError     no such entry, size, tile or path
    ├── VerificationError something handed to us does not hold
    │   ├── NoteError     a signed note or a verifier key: malformed, unknown key, bad signature
    │   │   └── RetiredError  signed by keys that do not sign trees of this size (any more)
    │   ├── ProofError    an inclusion, consistency or case proof
    │   ├── MirrorError   a mirror's files do not add up to its signed checkpoint
    │   │   ├── ForkError   the log signed two histories; it carries the proof
    │   │   └── StaleError  the log shows an older checkpoint than was seen before
    │   ├── WitnessError  a witness's answer is of no use; it may be asked again
    │   └── TokenError    a timestamp whose time cannot be; another is asked for
    ├── PolicyError       a witness policy that cannot be read, or can never be met
    ├── StoreError        the database could not record; nothing that was acknowledged is lost
    │   ├── TakenError    a row is there already; the sequencer looks which
    │   └── DeposedError  another process writes this ledger now; stop, and recover
    ├── RecoveryError     the database cannot be opened as it is
    │   ├── DamageError   its parts contradict each other: run `farseal ledger fsck`
    │   ├── GuardError    it is older than the guard, or the guard is missing
    │   ├── HistoryError  a witness has seen another history of this log
    │   └── LockedError   another process writes it
    ├── ClockError        the clock jumped ahead; `farseal ledger accept-clock`
    ├── MissingError      an optional extra of this program is not installed
    └── ClosedError       the log was closed

A verifier catches `VerificationError`; a writer may retry after `StoreError` and `ClockError`
with the same event id, for append is idempotent.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.fork import ForkProof


class LedgerError(Exception):
    """The root of the tree; its message tells a person what happened and what to do next."""


class EntryError(LedgerError):
    """The submission cannot become a leaf."""


class ConflictError(LedgerError):
    """The event id is already in the ledger with other content."""

    def __init__(self, event: str, index: int) -> None:
        super().__init__(
            f"event {event} is already entry {index}, with other content; "
            "nothing was recorded: a changed fact needs an event id of its own"
        )
        self.event = event
        self.index = index


class NotFoundError(LedgerError):
    """No such entry, size, tile or path."""


class VerificationError(LedgerError):
    """Something handed to us does not hold."""


class NoteError(VerificationError):
    """A signed note or verifier key is malformed, unknown or badly signed."""


class RetiredError(NoteError):
    """A note is signed by keys that do not sign trees of its size, or not any more."""


class ProofError(VerificationError):
    """A Merkle proof or a case chain does not hold."""


class MirrorError(VerificationError):
    """A mirror's files do not add up to its signed checkpoint."""


class ForkError(MirrorError):
    """The log signed two histories; `proof`, kept in `where`, shows it to whoever has its key."""

    def __init__(self, proof: ForkProof, where: Path) -> None:
        super().__init__(f"the log signed two histories that contradict each other: {where}")
        self.proof = proof
        self.where = where


class StaleError(MirrorError):
    """The log shows an older checkpoint than was seen before: from a cache, or rolled back."""

    def __init__(self, shown: int, kept: int) -> None:
        super().__init__(
            f"the log shows its checkpoint of {shown} entries; {kept} were seen before"
        )
        self.shown = shown
        self.kept = kept


class WitnessError(VerificationError):
    """A witness's answer is of no use."""


class TokenError(VerificationError):
    """A timestamp whose time cannot be; another is asked for."""


class PolicyError(LedgerError):
    """A witness policy cannot be read, or can never be met."""


class StoreError(LedgerError):
    """The database could not record; nothing that was acknowledged is lost."""


class TakenError(StoreError):
    """A row with this key is there already; nothing was written."""


class DeposedError(StoreError):
    """Another process has written this ledger since: what memory says of it is out of date."""


class RecoveryError(LedgerError):
    """The database cannot be opened as it is."""


class DamageError(RecoveryError):
    """Parts of the database contradict each other."""


class GuardError(RecoveryError):
    """The database is older than the guard, or the guard is missing."""


class HistoryError(RecoveryError):
    """A witness has seen a history of this log that the database does not have."""


class LockedError(RecoveryError):
    """Another process writes this ledger."""


class ClockError(LedgerError):
    """The clock jumped ahead of the monotonic clock."""


class MissingError(LedgerError):
    """An optional extra of this program is not installed."""


class ClosedError(LedgerError):
    """The log was closed; what was acknowledged is kept."""
