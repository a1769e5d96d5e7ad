"""What a test keeps of a played case: the people, every receipt shown, and what the ledger says."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ledger.entry import Leaf
from ledger.tiles import Mirror, View
from server.rehearsal import story
from server.rehearsal.footage import Footage
from server.rehearsal.leavings import leave
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import FreshOffice, OfficeProcess
from server.rehearsal.stage import Stage, meet, now_there
from server.rehearsal.visitor import Json, Visitor
from signing.trust import Trust
from signing.verify import verify

CLOCKED = (sys.executable, "-X", "faulthandler", str(Path(__file__).with_name("clocked_office.py")))
_BEFORE_MS = 600_000  # the office lives ten minutes ago, so that nothing it signs lies ahead


@dataclass
class Clock:
    """The office's clock beside the machine's."""

    ahead_ms: int = -_BEFORE_MS

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def seconds(self) -> float:
        return self.now() / 1000


@dataclass
class House:
    """One office that may die, one case, and what was acknowledged in it."""

    process: OfficeProcess
    clock: Clock
    applicant: Visitor
    notary: Visitor
    approver: Visitor
    footage: Footage
    office: FreshOffice
    case: str = ""
    receipts: dict[str, Json] = field(default_factory=dict)
    _died_at: int = 0

    @asynccontextmanager
    async def meeting(self) -> AsyncIterator[Stage]:
        """Both meet (again); every receipt a screen shows is kept."""
        async with meet(self.notary, self.applicant, self.case, self.footage) as stage:
            try:
                yield stage
            finally:
                for shown in (*stage.desk.anchored, *stage.phone.anchored):
                    self.receipts[shown["event"]] = shown

    async def die(self, *, dead_ms: int = 1_000) -> None:
        """kill -9, then a start on the same folder and port, `dead_ms` later by its clock."""
        await self.kill()
        await self.start(dead_ms=dead_ms)

    async def kill(self) -> None:
        """Only the death."""
        self._died_at = self.clock.now()
        await self.process.kill()

    async def start(self, *, dead_ms: int = 1_000) -> None:
        """Only the start."""
        await open_at(self.process, self.clock, self._died_at + dead_ms)

    async def seen(self) -> Json:
        """The case as the notary's desk shows it."""
        return await self.notary.get(f"/api/desk/cases/{self.case}")

    async def approve(self) -> None:
        """From the sealed session to the approval."""
        await story.approve(self.office, self.notary, self.approver, self.case)

    async def delivered(self, out: Path) -> Leavings:
        """Wait for the delivery, and fetch what a third party would be given."""
        case = await story.until_state(self.applicant, f"/api/cases/{self.case}", "DELIVERED")
        await leave(out, case=case, applicant=self.applicant, approver=self.approver)
        trust = Trust.load((out / "trust.json").read_bytes())
        return Leavings(out, case, trust, Mirror.at(out / "ledger").open(trust.log_keys))

    def require_receipts(self, view: View) -> None:
        """Every receipt that a screen showed is an entry of the tree, at its place."""
        assert len(self.receipts) > 5
        for shown in self.receipts.values():
            view.require(shown["index"], shown["leaf_hash"])
            assert view.leaf(shown["index"]).event == shown["event"]


@dataclass(frozen=True)
class Leavings:
    """What a delivered case left."""

    out: Path
    case: Json
    trust: Trust
    view: View

    async def require_valid(self) -> None:
        """The bundle is valid. On a thread, for the verifier runs a loop of its own."""
        data, now = (self.out / "bundle.zip").read_bytes(), time.time_ns() // 1_000_000
        report = await asyncio.to_thread(verify, data, self.trust, ledger=None, at=now)
        lacking = [check for check in report.checks if check.outcome != "ok"]
        assert report.exit_code == 0, lacking

    def entries(self, *kinds: str) -> Sequence[Leaf]:
        """The ledger's entries of these kinds, oldest first."""
        return [leaf for leaf in self.view.entries() if leaf.body["kind"] in kinds]


async def open_at(process: OfficeProcess, clock: Clock, at: int) -> str:
    """Start the server when it is `at` (ms) by its clock; returns its address."""
    (process.data.parent / "opens_at").write_text(str(at))
    url = await process.start()
    async with Visitor(url) as passer_by:
        clock.ahead_ms = await now_there(passer_by) - time.time_ns() // 1_000_000
    return url


@asynccontextmanager
async def waiting_case(folder: Path, footage: Footage, *options: str) -> AsyncIterator[House]:
    """An office in `folder`, and a case whose applicant is in the waiting room.

    `options` are further ones of the server's command.
    """
    async with AsyncExitStack() as closing:
        process = OfficeProcess(folder / "data", command=(*CLOCKED, *options))
        clock = Clock()
        closing.push_async_callback(process.kill)
        url = await open_at(process, clock, clock.now())
        office = FreshOffice(url, process.data, staff_logins(process.data, clock=clock.seconds))
        applicant, notary, approver = [
            await closing.enter_async_context(Visitor(url)) for _ in range(3)
        ]
        house = House(process, clock, applicant, notary, approver, footage, office)
        today = datetime.fromtimestamp(clock.seconds(), UTC).date()
        house.case = await story.receive(
            office, applicant, notary, footage, lambda _: None, today=today
        )
        yield house
