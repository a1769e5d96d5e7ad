"""The one writer: puts entries in order, commits them in groups, signs checkpoints, recovers.

It runs in a single thread and knows no asyncio. Its order of work is what survives crashes:

    commit: leaves, tiles  ->  acknowledged
    publish: guard durable ->  sign -> stored -> shown

After any failure it trusts its memory no more: the next call begins with `recover`, the same
code that starts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from ledger.anchors import COSIGNATURE, Anchoring, ReadToken
from ledger.clock import Reading, Timeline
from ledger.entry import (
    MAX_LEAF_BYTES,
    NO_HASH,
    Leaf,
    Receipt,
    Submission,
    canonical_json,
    leaf_front,
    splice_leaf,
)
from ledger.errors import (
    ClosedError,
    ConflictError,
    DamageError,
    EntryError,
    LedgerError,
    NotFoundError,
    StoreError,
    TakenError,
)
from ledger.generations import RETIRED, ROTATED, Generation, learn
from ledger.guard import Guard, Mark
from ledger.handover import CLOSED, generations_of, own_case
from ledger.merkle import Edge, FullTile, leaf_hash
from ledger.note import Checkpoint, LogKeys, Signature, Verifier, sign_checkpoint
from ledger.read import LogReader, Published, State
from ledger.recovery import NO_HEAD, Head, head_of, recover
from ledger.store import Row, Store

KNOWN_CASES = 65_536
"""How many cases' newest entries are remembered before all are forgotten and looked up anew."""


Draft = tuple[bytes, bytes, str, bytes]
"""A submission in canonical bytes, made by the caller so that the one writer need not: its key,
its event, its case, and its leaf as far as the caller knows it (`leaf_front`)."""


def draft_of(submission: Submission) -> Draft:
    """Raises EntryError for a body that has no canonical form."""
    case = submission.case
    front = leaf_front(canonical_json(submission.body), case)
    return submission.key, submission.event.encode(), case, front


Outcome = Receipt | LedgerError


@dataclass(slots=True)
class _Batch:
    """One group commit in the making; thrown away when it fails."""

    edge: Edge
    prev: bytes
    rows: list[Row]
    tiles: list[FullTile]
    heads: dict[str, Head]
    taken: dict[bytes, Row]


class Sequencer:
    """Sole owner of the order of entries. `state` may be read by any thread.

    keys: each generation whose private keys are at hand, the oldest first. Which of them sign is
    for the log's own case to say, never for the files.
    """

    def __init__(
        self,
        store: Store,
        *,
        keys: Sequence[LogKeys],
        guard: Guard,
        clock: Callable[[], int],
        monotonic: Callable[[], int],
        read_token: ReadToken | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._guard = guard
        self._clock = clock
        self._monotonic = monotonic
        self._sound = False
        self._held = False
        self._origin = keys[0].origin
        self._own = own_case(self._origin)
        self._generations: tuple[Generation, ...] = ()
        self._ended = False
        self._prev = NO_HASH.encode()
        self._heads: dict[str, Head] = {}
        self._grown: dict[str, int] = {}
        self._timeline: Timeline | None = None
        self.anchoring = Anchoring(self._origin, read_token)
        self.state = State(Edge(), None)
        self.reader = LogReader(store, lambda: self.state)

    def recover(self) -> Timeline:
        """Start, or start again after a failure: believe the database, not memory.

        Raises StoreError, or RecoveryError with what to do.
        """
        self._sound = False
        recovered = recover(self._store, keys=self._keys[0], guard=self._guard)
        self._generations = recovered.generations
        self._signing(recovered.state.edge.size)
        self._ended = any(
            Leaf.parse(leaf).body.get("kind") == CLOSED for _, leaf in self._store.chain(self._own)
        )
        self.state = recovered.state
        self._prev = recovered.prev
        self._heads = dict(recovered.heads)
        self._grown = {case: index for case, (_, index, _) in recovered.heads.items()}
        if self._timeline is None:
            self._timeline = Timeline(self._clock, self._monotonic, last=recovered.time)
        self.anchoring.load(self._store)
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
            found = self._store.find([key for key, *_ in drafts]) if self._ended else {}
            return self._commit(drafts, found)
        except TakenError:  # rare, so the database finds repeats; no look-up for each entry
            self._sound = True  # the batch was rolled back as a whole
            return self._commit(drafts, self._store.find([key for key, *_ in drafts]))

    def _commit(
        self, drafts: Sequence[Draft], taken: dict[bytes, Row], *, beat: bool = False
    ) -> list[Outcome]:
        timeline = self._ready()
        if self._ended and any(key not in taken for key, *_ in drafts):
            raise ClosedError("this log has ended: its entry `log-closed` names the one after it")
        reading = timeline.read()
        batch = _Batch(
            edge=self.state.edge.copy(),
            prev=self._prev,
            rows=[],
            tiles=[],
            heads={},
            taken=taken,
        )
        self._recall({self._own, *(case for _, _, case, _ in drafts)})
        if reading.held and not self._held and any(key not in taken for key, *_ in drafts):
            self._note_held_clock(batch, reading)
        told = beat or any(case != self._own and key not in taken for key, _, case, _ in drafts)
        anchors = self.anchoring.due(reading.at) if told and self.anchoring.waits else ()
        if anchors:
            self._recall({self.anchoring.case})
            self._place(batch, [draft_of(each) for each in anchors], reading.at)
        outcomes = self._place(batch, drafts, reading.at)
        if batch.rows:
            self._sound = False
            self._store.add_entries(batch.rows, batch.tiles)
            self._sound = True
            self._prev = batch.prev
            self._remember(batch.heads)  # after the commit: a batch that failed has no heads
            self.state = State(batch.edge, self.state.published)
            self._held = reading.held
            self.anchoring.written(anchors, reading.at)
        return outcomes

    def beat(self) -> None:
        """Log back what others said although there is nothing to date: the log's heartbeat."""
        if not self._ended:
            self._commit([], {}, beat=True)

    def _place(self, batch: _Batch, drafts: Sequence[Draft], at: int) -> list[Outcome]:
        """Give each draft its place; what is done here per entry is what a ledger costs."""
        edge, rows, heads, taken = batch.edge, batch.rows, batch.heads, batch.taken
        outcomes: list[Outcome] = []
        for key, event, case, front in drafts:
            if key in taken:
                index, _, _, leaf = taken[key]
                outcomes.append(
                    Receipt(index, leaf_hash(leaf).hex())
                    if leaf.startswith(front)
                    else ConflictError(event.decode(), index)
                )
                continue
            seq, before, case_prev = heads.get(case) or self._heads[case]
            index = edge.size
            leaf = splice_leaf(
                front,
                case_prev=case_prev,
                case_seq=seq + 1,
                event=event,
                index=index,
                prev=batch.prev,
                time=at,
            )
            if len(leaf) > MAX_LEAF_BYTES:
                outcomes.append(
                    EntryError(f"the leaf would be {len(leaf)} bytes; at most {MAX_LEAF_BYTES}")
                )
                continue
            hash_ = leaf_hash(leaf)
            edge.append(hash_, batch.tiles)
            digits = hash_.hex()
            batch.prev = digits.encode()
            heads[case] = (seq + 1, index, batch.prev)
            taken[key] = row = (index, key, before, leaf)
            rows.append(row)
            outcomes.append(Receipt(index, digits))
        return outcomes

    def _recall(self, cases: set[str]) -> None:
        """Look up the newest entries of cases that memory has none of."""
        unknown = [case for case in cases if case not in self._heads]
        found = self._store.heads(unknown) if unknown else {}
        for case in unknown:
            row = found.get(case)
            self._heads[case] = head_of(Leaf.parse(row[1])) if row else NO_HEAD

    def _remember(self, heads: dict[str, Head]) -> None:
        self._heads.update(heads)
        self._grown.update((case, index) for case, (_, index, _) in heads.items())
        if len(self._heads) > KNOWN_CASES:  # but not those the store cannot tell yet
            self._heads = {case: self._heads[case] for case in self._grown}

    # -- the clock ----------------------------------------------------------------------------

    def _note_held_clock(self, batch: _Batch, reading: Reading) -> None:
        """Say in the log itself, once per time it happens, that its times are held."""
        body = {"clock": reading.clock, "held_at": reading.at, "kind": "clock-held"}
        self._place(batch, [self._own_draft(body, batch.edge.size)], reading.at)

    def accept_clock(self, reason: str) -> Receipt:
        """Take the clock as it stands now, and record that somebody decided so."""
        timeline = self._ready()
        timeline.accept()
        return self._record({"kind": "clock-accepted", "reason": reason})

    def _own_draft(self, body: Mapping[str, object], size: int) -> Draft:
        event = sha256(f"{self._own} {body['kind']} {size}".encode()).hexdigest()[:32]
        return draft_of(Submission("ledger", event, self._own, body))

    # -- keys ---------------------------------------------------------------------------------

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Whose keys sign which trees, by what is recorded so far."""
        return self._generations

    def rotate(self, fresh: LogKeys) -> Receipt:
        """Record that these keys sign from the next tree on, beside those that sign now.

        Repeating it changes nothing. Raises StoreError, NoteError for keys that cannot follow.
        """
        self._ready()
        before = [each for each in self._generations if each.until_size is None]
        names = [key.vkey for each in before for key in each.verifiers]
        if all(each.verifiers != fresh.verifiers for each in self._generations):
            body = {"before": names, "keys": _names(fresh.verifiers), "kind": ROTATED}
            self._keys = [*self._keys, fresh]
            return self._record_keys(body)
        return self._recorded(ROTATED, fresh.verifiers)

    def retire(self, verifiers: tuple[Verifier, ...]) -> Receipt:
        """Record that these keys sign no tree larger than the present one any more.

        Repeating it changes nothing. Raises StoreError, NoteError when no others would be left.
        """
        self._ready()
        for each in self._generations:
            if each.verifiers == verifiers and each.until_size is not None:
                return self._recorded(RETIRED, verifiers)
        return self._record_keys({"keys": _names(verifiers), "kind": RETIRED})

    def close_log(self, body: Mapping[str, object]) -> Receipt:
        """Record that the log ends here; nothing is taken after that. Once is enough."""
        self._ready()
        for index, data in self._store.chain(self._own):
            if Leaf.parse(data).body.get("kind") == CLOSED:
                return Receipt(index, leaf_hash(data).hex())
        receipt = self._record({**body, "kind": CLOSED})
        self._ended = True
        return receipt

    def _record_keys(self, body: Mapping[str, object]) -> Receipt:
        learn(self._generations, body, self.state.edge.size)  # or it may not be said
        receipt = self._record(body)
        founding = self._generations[0].verifiers
        self._generations = generations_of(self._store.chain(self._own), founding)
        return receipt

    def _recorded(self, kind: str, verifiers: Sequence[Verifier]) -> Receipt:
        for index, data in self._store.chain(self._own):
            body = Leaf.parse(data).body
            if body.get("kind") == kind and body.get("keys") == _names(verifiers):
                return Receipt(index, leaf_hash(data).hex())
        raise NotFoundError("these keys are the log's first; no entry names them")

    def _record(self, body: Mapping[str, object]) -> Receipt:
        outcome = self.commit([self._own_draft(body, self.state.edge.size)])[0]
        if isinstance(outcome, LedgerError):
            raise outcome
        return outcome

    def _signing(self, size: int) -> list[LogKeys]:
        """The keys that sign a tree of this size; raises DamageError when some are missing."""
        at_hand: dict[tuple[Verifier, ...], LogKeys] = {k.verifiers: k for k in self._keys}
        needed = [each for each in self._generations if each.signs(size)]
        missing = [each for each in needed if each.verifiers not in at_hand]
        if missing or not needed:
            names = ", ".join(each.verifiers[0].key_id.hex() for each in missing)
            raise DamageError(
                f"the log's keys {names} sign it, by its own entry, and are not at hand; nothing "
                "was written. Put their files back from the backup"
            )
        return [at_hand[each.verifiers] for each in needed]

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
        first, *beside = self._signing(edge.size)
        note = sign_checkpoint(first, size=edge.size, root=root, at=at, beside=beside)
        self._sound = False
        self._store.add_checkpoint(size=edge.size, note=note, heads=self._grown)
        self._sound = True
        self._grown = {}
        published = Published(Checkpoint(self._origin, edge.size, root), note)
        self.state = State(edge, published)
        return published

    def attest(self, size: int, kind: str, body: bytes, who: str = "") -> None:
        """Keep what somebody else said of a checkpoint, with the time it arrived."""
        at = self._clock()
        self._store.add_attestation(size=size, kind=kind, who=who, body=body, at=at)
        for each in self._store.attestations(size):
            if (each.kind, each.who) == (kind, who):
                self.anchoring.heard(each)

    def cosign(self, size: int, signatures: Sequence[Signature]) -> dict[str, str]:
        """Keep what witnesses' keys have signed, and show it while that checkpoint is the newest.

        Returns all that is kept of that checkpoint: lines by whose they are. What a key has signed
        first stands.
        """
        known = self._store.cosignatures(size)
        for each in signatures:
            if each.who not in known:
                self.attest(size, COSIGNATURE, each.line.encode(), each.who)
        lines = self._store.cosignatures(size)
        published = self.state.published
        if published is not None and published.checkpoint.size == size:
            published = replace(published, cosigned="".join(lines.values()))
            self.state = State(self.state.edge, published)
        return lines


def _names(verifiers: Sequence[Verifier]) -> list[str]:
    return [each.vkey for each in verifiers]
