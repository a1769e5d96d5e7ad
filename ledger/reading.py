"""What an open ledger shows, whether this process writes it or another: a Log, or a SharedLog."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from ledger.errors import NotFoundError
from ledger.read import LogReader
from ledger.store import Store

_T = TypeVar("_T")


class Reading(ABC):
    """Reads of one ledger, none of them in the event loop's thread. Raises StoreError."""

    _store: Store

    @property
    @abstractmethod
    def size(self) -> int:
        """How many entries are durable, as far as this process has seen."""

    @property
    @abstractmethod
    def reader(self) -> LogReader:
        """The files of this log, for `ledger.read.respond` and `ledger.tiles.export`."""

    @abstractmethod
    async def _read(self, work: Callable[[], _T]) -> _T:
        """Run work that reads, in a thread."""

    @property
    def witnessed_from(self) -> int | None:
        """The size of the first tree that was sealed with cosignatures; it reads the disk."""
        return self._store.first_witnessed()

    async def checkpoint(self) -> str:
        """The newest published checkpoint note."""
        return self.reader.note()

    async def leaf(self, index: int) -> bytes:
        """The bytes of an entry's leaf."""
        leaves = (
            await self._read(lambda: self._store.leaves(index, index + 1)) if index >= 0 else []
        )
        if not leaves:
            raise NotFoundError(f"no entry {index} in a log of {self.size}")
        return leaves[0]

    async def chain(self, case: str) -> list[tuple[int, bytes]]:
        """Index and leaf of every entry of a case, in the case's order."""
        return await self._read(lambda: self._store.chain(case))

    async def handovers(self) -> tuple[str, ...]:
        """How the log's keys changed, as `ledger.handover` proves it, in order."""
        return await self._read(lambda: tuple(self.reader.handovers()))

    async def inclusion(self, index: int, size: int) -> tuple[str, ...]:
        """The inclusion proof of an entry in the tree of `size` leaves, lowercase hex."""
        return await self._read(lambda: self.reader.inclusion(index, size))

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        """The proof that the tree of `old` leaves is a prefix of that of `new`."""
        return await self._read(lambda: self.reader.consistency(old, new))
