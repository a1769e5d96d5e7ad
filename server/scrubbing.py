"""The scrubber's clock: reads the ledger again a little at a time, once a day, while it is in use.

One slice every few seconds, in a thread, through a connection that only reads. What has changed is
said loudly and once, with the command that helps; `/healthz` has it until a pass finds it well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from ledger.errors import LedgerError
from ledger.merkle import TILE_WIDTH
from ledger.scrub import Fault, Scrub
from ledger.snapshot import Snapshot

PAUSE_S = 5.0
PASS_S = 86_400.0
_log = logging.getLogger("farseal.scrubber")


class Scrubber:
    """One per process. `sleep` and `monotonic` (seconds) are the caller's; `clock` is ms UTC."""

    def __init__(
        self,
        database: Path | str,
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._found: frozenset[Fault] = frozenset()
        self._seen: frozenset[Fault] = frozenset()
        self.scrubbed_at: int | None = None
        """When the last whole pass ended (ms UTC)."""
        self.scrubbed = 0
        """How many entries that pass has read again."""
        self.unreadable = ""

    @property
    def damaged(self) -> tuple[str, ...]:
        """What is not as it was signed, as far as this pass and the one before it have seen."""
        named = [fault.where for fault in sorted(self._found | self._seen)]
        return (*named, *(["database"] if self.unreadable else []))

    async def run(self) -> None:
        """One pass after another, for as long as the server runs."""
        while True:
            began = self._monotonic()
            await self._pass()
            await self._sleep(max(PAUSE_S, began + PASS_S - self._monotonic()))

    async def _pass(self) -> None:
        scrub = Scrub()
        self._seen = frozenset()
        while not await self._slice(scrub):
            await self._sleep(PAUSE_S)
        self._found, self._seen = self._seen, frozenset()
        self.scrubbed, self.scrubbed_at = scrub.done, self._clock()

    async def _slice(self, scrub: Scrub) -> bool:
        try:
            over = await asyncio.to_thread(self._step, scrub)
        except LedgerError as error:
            if str(error) != self.unreadable:
                _log.error("the ledger cannot be read again: %s", error)
            self.unreadable = str(error)
            return False
        self.unreadable = ""
        for fault in scrub.faults:
            if fault not in self._seen | self._found:
                _log.error(
                    "%s of the ledger is not as it was signed; stop the server and run "
                    "`farseal ledger recover`, which says the ways out",
                    fault.where,
                )
        self._seen |= frozenset(scrub.faults)
        return over

    def _step(self, scrub: Scrub) -> bool:
        with Snapshot.of(self._database) as snapshot:
            # A large ledger takes larger slices, so that a pass fits into its day.
            slices = PASS_S / PAUSE_S / 2
            bundles = 1 + int(scrub.goal(snapshot) / TILE_WIDTH / slices)
            return scrub.step(snapshot, bundles=bundles)
