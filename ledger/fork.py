"""A proof of fork 分叉证明, to carry away: two checkpoints of one log that cannot both be true.

    ledger/fork/v1
    <hashes, base64, one a line>

    <the signed note of the smaller tree, verbatim>

    <the signed note of the larger tree, verbatim>

The hashes lead from the smaller tree to the larger, as in a consistency proof (RFC 9162 2.1.4.2)
that begins with its first hash even where the smaller size is a power of two. They lead to the
larger note's root, so they are of its tree; and to another root than the smaller note has. Two
notes of one size need no hashes. Whoever holds the log's keys can check it, with nothing else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import ProofError
from ledger.merkle import HASH_BYTES, Tree, follow_consistency
from ledger.note import Checkpoint, Verifier, open_checkpoint

HEADER = "ledger/fork/v1"
MAX_PATH = 128


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two signed notes of one log and the path between them; `old` is the smaller tree's."""

    old: str
    new: str
    path: tuple[bytes, ...]

    @classmethod
    def between(cls, old: str, new: str, tree: Tree) -> ForkProof:
        """The proof out of the larger note's own tree. Verify it: it may prove nothing."""
        size = Checkpoint.unverified(old).size
        path = tree.consistency(size)
        if 0 < size < tree.size and size & (size - 1) == 0:
            path.insert(0, Tree(size, tree.tile).root())
        return cls(old, new, tuple(path))

    @property
    def text(self) -> str:
        """The proof as a file (media: `.fork`)."""
        lines = [HEADER, *(b64encode(hash_).decode() for hash_ in self.path)]
        return "\n".join(lines) + f"\n\n{self.old}\n{self.new}"

    @classmethod
    def parse(cls, text: str) -> ForkProof:
        """Read a proof; it is not yet verified. Raises ProofError."""
        parts = text.split("\n\n")
        # A checkpoint has one empty line, before its signatures, and ends with a newline.
        head, *notes = parts
        lines = head.split("\n")
        if len(notes) != 4 or lines.pop(0) != HEADER or len(lines) > MAX_PATH:
            raise ProofError("not a proof of fork of version 1")
        path = tuple(_hash(line) for line in lines)
        return cls(f"{notes[0]}\n\n{notes[1]}\n", f"{notes[2]}\n\n{notes[3]}", path)

    def verify(self, verifiers: Sequence[Verifier]) -> tuple[Checkpoint, Checkpoint]:
        """Check that the log signed both and that they contradict each other.

        Raises NoteError, or ProofError when they do not.
        """
        old = open_checkpoint(self.old, verifiers)
        new = open_checkpoint(self.new, verifiers)
        if old.origin != new.origin:
            raise ProofError("the two checkpoints are of different logs")
        if old.size == new.size:
            if self.path or old.root == new.root:
                raise ProofError("the two checkpoints do not contradict each other")
            return old, new
        reached = follow_consistency(old=old.size, new=new.size, path=self.path)
        if reached[1] != new.root:
            raise ProofError("the hashes are not of the larger checkpoint's tree")
        if reached[0] == old.root:
            raise ProofError("the two checkpoints do not contradict each other")
        return old, new


def _hash(line: str) -> bytes:
    try:
        hash_ = b64decode(line, validate=True)
    except (Base64Error, ValueError) as error:
        raise ProofError("the proof of fork holds a line that is not base64") from error
    if len(hash_) != HASH_BYTES or b64encode(hash_).decode() != line:
        raise ProofError("the proof of fork holds a hash that is none")
    return hash_
