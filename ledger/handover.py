"""A handover 交接: the proof that a log's keys say who signs after them.

    ledger/handover/v1
    <leaf, as it stands in the log>
    <C2SP tlog-proof of that leaf, under a checkpoint of the log>

The leaf is an entry `keys-rotated` or `keys-retired` of the log's own case, and the checkpoint is
signed by keys one had before: so whoever holds an old trust.json follows to the keys of today. A
log shows its handovers in order, as `keys/1`, `keys/2`, ...; mirrors and bundles carry them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from ledger.entry import MAX_LEAF_BYTES, Leaf
from ledger.errors import LedgerError, NoteError, NotFoundError, ProofError
from ledger.generations import RETIRED, ROTATED, Generation, Keybook, KnownLog, learn
from ledger.note import Verifier
from ledger.proof import TlogProof, parse_leaf

HEADER = "ledger/handover/v1"
FOLDER = "keys"
MOST = 100
"""A log that has more of them is not read on."""
LONGEST = 2 * MAX_LEAF_BYTES + 256_000
CLOSED = "log-closed"
BEGAN = "log-began"


def own_case(origin: str) -> str:
    """The case in which a log records what happens to itself, such as a clock put back."""
    return sha256(b"ledger/log/v1\0" + origin.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Handover:
    """An entry that names a log's keys, and its proof."""

    leaf: bytes
    proof: TlogProof

    @property
    def text(self) -> str:
        return f"{HEADER}\n{self.leaf.decode()}\n{self.proof.text}"

    @classmethod
    def parse(cls, text: str) -> Handover:
        """Read one; nothing in it is believed yet. Raises ProofError."""
        header, _, rest = text.partition("\n")
        leaf, separator, proof = rest.partition("\n")
        if header != HEADER or not separator or len(text) > LONGEST:
            raise ProofError("not a handover of version 1")
        try:
            return cls(leaf.encode(), TlogProof.parse(proof))
        except UnicodeEncodeError as error:
            raise ProofError("the handover's leaf is not text") from error

    def follow(self, book: Keybook) -> Keybook:
        """What one knows after it. Raises NoteError, ProofError: then nothing follows from it."""
        checkpoint = self.proof.verify(self.leaf, book)
        leaf = parse_leaf(self.leaf, index=self.proof.index)
        log = book.log(checkpoint.origin)
        if log is None or leaf.case != own_case(checkpoint.origin):
            raise ProofError("the handover is not an entry of the log about itself")
        if leaf.body.get("kind") not in (ROTATED, RETIRED):
            raise ProofError("the handover's entry names no keys")
        return book.with_log(
            replace(log, generations=learn(log.generations, leaf.body, leaf.index))
        )


def follow(book: Keybook, texts: Iterable[str]) -> Keybook:
    """Follow handovers in order. Raises NoteError, ProofError at the first that does not hold."""
    for text in texts:
        book = Handover.parse(text).follow(book)
    return book


def follow_shown(book: Keybook, show: Callable[[int], str]) -> Keybook:
    """Follow what a log or its mirror shows, from the first on, until there is no more.

    One that does not hold is where it ends: what is not proven is not believed.
    """
    with suppress(NotFoundError, NoteError, ProofError):
        for number in range(1, MOST + 1):
            book = Handover.parse(show(number)).follow(book)
    return book


def key_entries(chain: Sequence[tuple[int, bytes]]) -> list[Leaf]:
    """The entries of a log's own case that name keys, in order."""
    leaves = [Leaf.parse(data) for _, data in chain]
    return [leaf for leaf in leaves if leaf.body.get("kind") in (ROTATED, RETIRED)]


def generations_of(
    chain: Sequence[tuple[int, bytes]], founding: tuple[Verifier, ...]
) -> tuple[Generation, ...]:
    """A log's generations, as its own case tells them to itself.

    founding: the keys of a log that has never changed them. Raises NoteError.
    """
    entries = key_entries(chain)
    if entries:  # the first keys may be gone; the entry that followed them names them
        founding = tuple(Verifier.parse(vkey) for vkey in entries[0].body["before"])
    generations: tuple[Generation, ...] = (Generation(founding),)
    for leaf in entries:
        generations = learn(generations, leaf.body, leaf.index)
    return generations


def known(
    book: Keybook, origin: str, collected: Iterable[tuple[int, bytes]]
) -> tuple[Keybook, list[tuple[int, str]]]:
    """What one knows after a log's entries, all of them shown to be in its signed tree.

    Returns also each entry about keys that contradicts what is known: index and why.
    """
    refused: list[tuple[int, str]] = []
    for index, data in collected:
        log = book.log(origin)
        try:
            leaf = Leaf.parse(data)
            about_keys = leaf.body.get("kind") in (ROTATED, RETIRED)
            if log is None or leaf.case != own_case(origin) or not about_keys:
                continue
            book = book.with_log(
                replace(log, generations=learn(log.generations, leaf.body, leaf.index))
            )
        except LedgerError as error:
            refused.append((index, str(error)))
    return book, refused


def newly_known(before: Keybook, after: Keybook) -> int:
    """How many generations one knows now and did not before."""

    def count(logs: tuple[KnownLog, ...]) -> int:
        return sum(len(log.generations) for log in logs)

    return count(after.logs) - count(before.logs)
