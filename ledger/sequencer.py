"""The one writer: puts entries in order, commits them in groups, signs checkpoints, recovers.

It runs in a single thread and knows no asyncio. Its order of work is what survives crashes:

    commit: leaves, tiles  ->  acknowledged
    publish: guard durable ->  sign -> stored -> shown

After any failure it trusts its memory no more: the next call begins with `recover`, the same
code that starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.clock import Reading, Timeline
from ledger.entry import (
    MAX_LEAF_BYTES,
    NO_HASH,
    Receipt,
    Submission,
    canonical_json,
    is_leaf_of,
    splice_leaf,
)
from ledger.errors import ConflictError, EntryError, LedgerError, StoreError, TakenError
from ledger.guard import Guard, Mark
from ledger.merkle import Edge, FullTile, leaf_hash
from ledger.note import Checkpoint, LogKeys, sign_checkpoint
from ledger.read import LogReader, Published, State
from ledger.recovery import recover
from ledger.store import Row, SqliteStore

KNOWN_CASES = 65_536
"""How many cases' newest entries are remembered before all are forgotten and looked up anew."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A submission in canonical bytes, made by the caller so that the one writer need not."""

    key: bytes
    event: str
    case: str
    body: bytes

    @classmethod
    def of(cls, submission: Submission) -> Draft:
        body = canonical_json(submission.body)
        return cls(submission.key, submission.event, submission.case, body)


Outcome = Receipt | LedgerError


@dataclass(slots=True)
class _Batch:
    """One group commit in the making; thrown away when it fails."""

    edge: Edge
    prev: str
    rows: list[Row]
    tiles: list[FullTile]
    heads: dict[str, tuple[int, str]]
    taken: dict[bytes, tuple[int, bytes]]


def own_case(origin: str) -> str:
    """The case in which a log records what happens to itself, such as a clock put back."""
    return sha256(b"ledger/log/v1\0" + origin.encode()).hexdigest()[:32]


class Sequencer:
    """Sole owner of the order of entries. `state` may be read by any thread."""

    def __init__(
        self,
        store: SqliteStore,
        *,
        keys: LogKeys,
        guard: Guard,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._store = store
        self._keys = keys
        self._guard = guard
        self._clock = clock
        self._monotonic = monotonic
        self._sound = False
        self._held = False
        self._prev = NO_HASH
        self._heads: dict[str, tuple[int, str]] = {}
        self._timeline: Timeline | None = None
        self.state = State(Edge(), None)
        self.reader = LogReader(store, lambda: self.state)

    def recover(self) -> Timeline:
        """Start, or start again after a failure: believe the database, not memory.

        Raises StoreError, or RecoveryError with what to do.
        """
        self._sound = False
        recovered = recover(self._store, keys=self._keys, guard=self._guard)
        self.state = recovered.state
        self._prev = recovered.prev
        self._heads.clear()
        if self._timeline is None:
            self._timeline = Timeline(self._clock, self._monotonic, last=recovered.time)
        self._sound = True
        return self._timeline

    def _ready(self) -> Timeline:
        return self._timeline if self._sound and self._timeline else self.recover()

    # -- appending ----------------------------------------------------------------------------

    def commit(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """Record a batch, durably; for each draft its receipt, or why it was refused.

        A draft that is in the ledger already gets the receipt it had. Raises LedgerError when
        nothing new of the batch is recorded.
        """
        try:
            return self._commit(drafts, {})
        except TakenError:  # rare, so the database finds repeats; no look-up for each entry
            self._sound = True  # the batch was rolled back as a whole
            return self._commit(drafts, self._store.find([draft.key for draft in drafts]))

    def _commit(
        self, drafts: Sequence[Draft], taken: dict[bytes, tuple[int, bytes]]
    ) -> list[Outcome]:
        timeline = self._ready()
        reading = timeline.read()
        batch = _Batch(
            edge=self.state.edge.copy(),
            prev=self._prev,
            rows=[],
            tiles=[],
            heads={},
            taken=taken,
        )
        self._recall({own_case(self._keys.origin), *(draft.case for draft in drafts)})
        if reading.held and not self._held and any(d.key not in taken for d in drafts):
            self._note_held_clock(batch, reading)
        outcomes = [self._place(batch, draft, reading.at) for draft in drafts]
        if batch.rows:
            self._sound = False
            self._store.add_entries(batch.rows, batch.tiles)
            self._sound = True
            self._prev = batch.prev
            self._remember(batch.heads)
            self.state = State(batch.edge, self.state.published)
            self._held = reading.held
        return outcomes

    def _place(self, batch: _Batch, draft: Draft, at: int) -> Outcome:
        before = batch.taken.get(draft.key)
        if before is not None:
            index, leaf = before
            if is_leaf_of(leaf, body=draft.body, case=draft.case):
                return Receipt(index, leaf_hash(leaf).hex())
            return ConflictError(draft.event, index)
        head = batch.heads.get(draft.case) or self._heads[draft.case]
        case_seq = head[0] + 1
        index = batch.edge.size
        leaf = splice_leaf(
            draft.body,
            case=draft.case,
            case_prev=head[1],
            case_seq=case_seq,
            event=draft.event,
            index=index,
            prev=batch.prev,
            time=at,
        )
        if len(leaf) > MAX_LEAF_BYTES:
            return EntryError(f"the leaf would be {len(leaf)} bytes; at most {MAX_LEAF_BYTES}")
        hash_ = leaf_hash(leaf)
        batch.edge.append(hash_, batch.tiles)
        batch.prev = hash_.hex()
        batch.heads[draft.case] = (case_seq, batch.prev)
        batch.taken[draft.key] = (index, leaf)
        batch.rows.append((index, draft.key, bytes.fromhex(draft.case), case_seq, leaf))
        return Receipt(index, batch.prev)

    def _recall(self, cases: set[str]) -> None:
        """Look up the newest entries of cases that memory has none of."""
        unknown = [case for case in cases if case not in self._heads]
        found = self._store.case_heads(unknown) if unknown else {}
        for case in unknown:
            seq, leaf = found.get(case, (-1, None))
            self._heads[case] = (seq, leaf_hash(leaf).hex() if leaf else NO_HASH)

    def _remember(self, heads: dict[str, tuple[int, str]]) -> None:
        self._heads.update(heads)
        if len(self._heads) > KNOWN_CASES:
            self._heads.clear()

    # -- the clock ----------------------------------------------------------------------------

    def _note_held_clock(self, batch: _Batch, reading: Reading) -> None:
        """Say in the log itself, once per time it happens, that its times are held."""
        body = {"clock": reading.clock, "held_at": reading.at, "kind": "clock-held"}
        self._place(batch, self._own_draft(body, batch.edge.size), reading.at)

    def accept_clock(self, reason: str) -> Receipt:
        """Take the clock as it stands now, and record that somebody decided so."""
        timeline = self._ready()
        timeline.accept()
        body = {"kind": "clock-accepted", "reason": reason}
        outcome = self.commit([self._own_draft(body, self.state.edge.size)])[0]
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    def _own_draft(self, body: Mapping[str, object], size: int) -> Draft:
        case = own_case(self._keys.origin)
        event = sha256(f"{case} {size}".encode()).hexdigest()[:32]
        return Draft.of(Submission("ledger", event, case, body))

    # -- publishing ---------------------------------------------------------------------------

    def publish(self) -> Published:
        """Sign the tree as it is now, if it has grown; the newest checkpoint.

        Raises StoreError or ClockError; it may be called again.
        """
        timeline = self._ready()
        edge, published = self.state.edge, self.state.published
        if published is not None and published.checkpoint.size == edge.size:
            return published
        at = timeline.read().at
        root = edge.root()
        try:
            self._guard.raise_to(Mark(edge.size, root.hex()))
        except OSError as error:
            raise StoreError(
                f"the guard could not be written, so nothing is signed: {error}"
            ) from error
        note = sign_checkpoint(self._keys, size=edge.size, root=root, at=at)
        self._sound = False
        self._store.add_checkpoint(size=edge.size, note=note)
        self._sound = True
        published = Published(Checkpoint(self._keys.origin, edge.size, root), note)
        self.state = State(edge, published)
        return published

    def attest(self, size: int, kind: str, body: bytes, who: str = "") -> None:
        """Keep what somebody else said of a checkpoint, with the time it arrived."""
        at = self._clock()
        self._store.add_attestation(size=size, kind=kind, who=who, body=body, at=at)
