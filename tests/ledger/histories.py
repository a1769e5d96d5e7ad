"""A log as a witness sees it: checkpoints of a growing tree, and proofs between them."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.merkle import EMPTY_ROOT, Pyramid, Tree, expand, leaf_hash
from ledger.note import LogKeys, sign_checkpoint
from ledger.witness import Request
from tests.ledger.house import NOON

LONGEST = 256


@dataclass(frozen=True, slots=True)
class History:
    """What a log says happened. Two with other names are two histories from `fork` on."""

    keys: LogKeys
    name: str = "a"
    fork: int = 0

    def _tile(self, level: int, number: int, width: int) -> Pyramid:
        assert level == number == 0
        leaves = (f"{'' if at < self.fork else self.name} {at}" for at in range(width))
        return expand([leaf_hash(leaf.encode()) for leaf in leaves])

    def tree(self, size: int) -> Tree:
        assert size < LONGEST
        return Tree(size, self._tile)

    def root(self, size: int) -> bytes:
        return self.tree(size).root() if size else EMPTY_ROOT

    def note(self, size: int, *, at: int = NOON) -> str:
        return sign_checkpoint(self.keys, size=size, root=self.root(size), at=at)

    def request(self, old: int, size: int) -> Request:
        """The request that leads from one size to another, as an honest log makes it."""
        proof = self.tree(size).consistency(old) if 0 < old <= size else []
        return Request(old, tuple(proof), self.note(size))
