"""What the services need of a ledger: `ledger.log.Log` is one."""

from typing import Protocol

from ledger.sealing import Sealed, Witnessed


class Ledger(Protocol):
    """Reading and sealing; writing is the journal's alone."""

    @property
    def pending(self) -> str | None:
        """What a seal waits for now: "witnesses", "timestamp", or None."""
        ...

    @property
    def witnessed(self) -> Witnessed | None:
        """The newest checkpoint with the quorum's lines, or the newest without; None: no quorum."""
        ...

    async def seal(self, index: int) -> Sealed:
        """Wait until an entry can be proven to others, and return the proof."""
        ...

    async def checkpoint(self) -> str:
        """The newest published checkpoint note."""
        ...

    async def chain(self, case: str) -> list[tuple[int, bytes]]:
        """Index and leaf of every entry of a case, in the case's order."""
        ...

    async def inclusion(self, index: int, size: int) -> tuple[str, ...]:
        """The inclusion proof of an entry in the tree of `size` leaves."""
        ...

    async def handovers(self) -> tuple[str, ...]:
        """How the ledger's keys changed, proven, in order."""
        ...

    async def leaf(self, index: int) -> bytes:
        """The bytes of an entry's leaf."""
        ...
