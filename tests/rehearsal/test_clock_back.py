"""The wall clock goes an hour back in the middle of a session: held, written down, gone on."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from ledger.tiles import Mirror
from server.rehearsal import story
from server.rehearsal.footage import Footage
from server.rehearsal.leavings import leave
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import FreshOffice
from server.rehearsal.session import hold_session, play_until
from server.rehearsal.stage import meet
from server.rehearsal.visitor import Visitor
from signing.trust import Trust
from signing.verify import verify
from tests.fakes.office import running_office

HOUR_MS = 3_600_000


class WallClock:
    """The machine's clock, which somebody can set."""

    def __init__(self) -> None:
        self.set_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.set_ms

    def seconds(self) -> float:
        return self() / 1000


async def test_an_hour_back_is_held_and_written_down(tmp_path: Path, footage: Footage) -> None:
    clock = WallClock()
    clock.set_ms = -2 * HOUR_MS
    async with running_office(tmp_path / "data", clock=clock):
        pass  # founded two hours ago: an hour back, its certificates are valid already
    clock.set_ms = 0
    async with (
        running_office(tmp_path / "data", clock=clock) as running,
        Visitor(running.url) as applicant,
        Visitor(running.url) as notary,
        Visitor(running.url) as approver,
    ):
        logins = staff_logins(running.data, clock=time.time)  # telephones keep the right time
        office = FreshOffice(running.url, running.data, logins)
        today = datetime.fromtimestamp(clock.seconds(), UTC).date()
        case = await story.receive(office, applicant, notary, footage, lambda _: None, today=today)
        async with meet(notary, applicant, case, footage) as stage:
            await play_until(stage, 4)
            before = len(stage.desk.anchored)
            clock.set_ms = -HOUR_MS
            await stage.desk.until(
                lambda: "clock" in {gap["kind"] for gap in stage.desk.view["recording"]["gaps"]},
                what="the jump in the recording's gaps",
            )
            # the call and its anchoring go on, by a clock that stands
            await stage.desk.until(
                lambda: len(stage.desk.anchored) > before + 2, what="entries after the jump"
            )
            await play_until(stage, 9)
            clock.set_ms = 0  # put right again, as by NTP
            await hold_session(stage, office.staff("notary"), lambda _: None)
        await story.approve(office, notary, approver, case)
        delivered = await story.until_state(applicant, f"/api/cases/{case}", "DELIVERED")
        out = tmp_path / "left"
        await leave(out, case=delivered, applicant=applicant, approver=approver)

    trust = Trust.load((out / "trust.json").read_bytes())
    entries = Mirror.at(out / "ledger").open(trust.log_keys).entries()
    assert all(earlier.time <= later.time for earlier, later in pairwise(entries))
    held = [entry.body for entry in entries if entry.body["kind"] == "clock-held"]
    assert held
    assert all(body["held_at"] - body["clock"] > HOUR_MS - 120_000 for body in held)
    jumps = [entry.body for entry in entries if entry.body.get("gap") == "clock"]
    assert {body["participant"] for body in jumps} == {"applicant", "notary"}
    report = await asyncio.to_thread(
        verify,
        (out / "bundle.zip").read_bytes(),
        trust,
        ledger=None,
        at=time.time_ns() // 1_000_000,
    )
    assert report.exit_code == 0, report.record()
