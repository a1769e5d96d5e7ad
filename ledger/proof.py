"""Proofs to carry away: an entry's inclusion (C2SP tlog-proof) and a case's completeness.

Inclusion shows that an entry is in the log. It cannot show that no other entry of the case was
left out; for that, all entries of a case are handed over and their own chain is checked.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.entry import NO_HASH, Leaf
from ledger.errors import EntryError, ProofError
from ledger.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from ledger.note import Checkpoint, Verifier, open_checkpoint

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An offline proof that a leaf is in a log.

    inclusion: lowercase hex, leaf's sibling first. checkpoint: the signed note, verbatim.
    extra: opaque bytes that nothing authenticates.
    """

    index: int
    inclusion: tuple[str, ...]
    checkpoint: str
    extra: bytes | None = None

    @property
    def text(self) -> str:
        """The file's text (media: `.tlog-proof`)."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines.extend(b64encode(bytes.fromhex(hash_)).decode() for hash_ in self.inclusion)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> TlogProof:
        """Read a proof; it is not yet verified. Raises ProofError."""
        head, separator, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not separator or lines.pop(0) != HEADER:
            raise ProofError("not a tlog-proof of version 1")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _from_base64(lines.pop(0).removeprefix("extra "))
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if index is None:
            raise ProofError("the tlog-proof has no index line")
        hashes = [_from_base64(line) for line in lines]
        if len(hashes) > MAX_PATH or any(len(hash_) != HASH_BYTES for hash_ in hashes):
            raise ProofError("the tlog-proof has a path that cannot be")
        return cls(int(index[1]), tuple(hash_.hex() for hash_ in hashes), checkpoint, extra)

    def verify(self, leaf: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
        """Check that `leaf` is in the log; the signed checkpoint it is under.

        Every key given for the log's origin must have signed. Raises NoteError, ProofError.
        """
        checkpoint = open_checkpoint(self.checkpoint, verifiers)
        try:
            path = [bytes.fromhex(hash_) for hash_ in self.inclusion]
        except ValueError as error:
            raise ProofError("the inclusion proof is not hex") from error
        verify_inclusion(
            index=self.index,
            size=checkpoint.size,
            leaf=leaf_hash(leaf),
            proof=path,
            root=checkpoint.root,
        )
        return checkpoint


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise ProofError("the tlog-proof holds a line that is not base64") from error


def parse_leaf(data: bytes, *, index: int) -> Leaf:
    """Read a leaf that was proven at `index`; a leaf that was moved there raises ProofError."""
    try:
        leaf = Leaf.parse(data)
    except EntryError as error:
        raise ProofError(str(error)) from error
    if leaf.index != index:
        raise ProofError(f"the leaf proven at {index} says it is {leaf.index}")
    return leaf


def verify_case(leaves: Sequence[Leaf], *, case: str, count: int | None = None) -> None:
    """Check that these are the first entries of a case, each of them, in order.

    case_seq runs 0..n-1, each case_prev is the leaf hash before it, indexes rise and times do
    not fall. With `count` there must be as many, no more and no fewer. That no entry *follows*
    is shown by a later entry of the case, or by a complete mirror, never by the entries
    themselves. Inclusion of each is checked apart. Raises ProofError.
    """
    if count is not None and len(leaves) != count:
        raise ProofError(f"the case has {count} entries, {len(leaves)} are here")
    before: Leaf | None = None
    for number, leaf in enumerate(leaves):
        if leaf.case != case:
            raise ProofError(f"entry {leaf.index} belongs to another case")
        if leaf.case_seq != number:
            raise ProofError(
                f"the case's entry {number} is missing: {leaf.case_seq} is in its place"
            )
        if leaf.case_prev != (before.hash if before else NO_HASH):
            raise ProofError(f"entry {leaf.index} does not follow the case's entry before it")
        if before and (leaf.index <= before.index or leaf.time < before.time):
            raise ProofError(f"entry {leaf.index} is out of order")
        before = leaf
