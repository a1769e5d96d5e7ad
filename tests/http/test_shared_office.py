"""Two servers on one ledger: one leads, the other plays a whole case and goes on when it is killed.

The leader is a process of its own, so that it can be killed; the other runs in this one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.fsck import fsck
from ledger.note import Checkpoint
from ledger.snapshot import Snapshot
from server.rehearsal import story
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import SERVE, FreshOffice, OfficeProcess
from signing.trust import Trust
from tests.fakes.office import Browser, Office, running_office
from tests.http.test_whole_case import footage, today
from tests.ledger.postgresql import Server
from tests.ledger.postgresql import running as postgresql_running

TAKEOVER_S = 5.0


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with postgresql_running() as server:
        yield server


def join(first: Path, second: Path) -> None:
    """What an operator copies to a second server: the office, its secret, and the guard."""
    shutil.copytree(first / "office", second / "office")
    shutil.copy(first / "secret", second / "secret")
    (second / "ledger").mkdir(mode=0o700)
    shutil.copy(first / "ledger" / "guard.json", second / "ledger" / "guard.json")


def leading(url: str) -> list[int]:
    """The sessions that hold the ledger's lock."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ).fetchall()
    return [pid for (pid,) in rows]


async def anchored(browser: Browser, case: str) -> list[int]:
    """The indexes of a case's entries, once each has one."""
    async with asyncio.timeout(60):
        while True:
            entries = (await browser.get(f"/api/cases/{case}/timeline"))["entries"]
            indexes = [entry["index"] for entry in entries]
            if indexes and None not in indexes:
                return indexes


async def require_whole_case(office: Office) -> None:
    """A case played at a server that does not lead, up to what a stranger verifies."""
    fresh = FreshOffice(office.url, office.data, staff_logins(office.data))
    acts: list[str] = []
    async with (
        story.play(fresh, footage(), acts.append, today=today()) as played,
        office.browser() as stranger,
    ):
        assert played.case["state"] == "DELIVERED"
        bundle = await played.applicant.download(f"/api/cases/{played.case['id']}/bundle.zip")
        report = await stranger.upload("/api/verify/file", bundle, name="bundle.zip")
        assert report["verdict"] == "valid", report


async def test_a_case_is_played_where_another_leads_who_is_then_killed(
    tmp_path: Path, postgresql: Server
) -> None:
    url, second = postgresql.fresh(), tmp_path / "second"
    first = OfficeProcess(tmp_path / "first", command=(*SERVE, "--ledger-database", url))
    try:
        there = await first.start()
        leader = leading(url)
        join(first.data, second)
        async with running_office(second, ledger_database=url) as office:
            await require_whole_case(office)
            assert leading(url) == leader
            async with office.browser() as stranger, office.applicant("13900000009") as ana:
                page = await stranger.get("/api/ledger")
                assert page["size"] > 60
                stranger.url = there  # one ledger, whoever shows it
                note = (await stranger.get("/log/checkpoint")).decode()
                assert Checkpoint.unverified(note).size >= page["size"]

                await first.kill()
                killed = time.monotonic()
                case = await ana.post("/api/cases", {"matter": "poa-remote"})
                await anchored(ana, case["id"])
                took = time.monotonic() - killed
                print(f"takeover: {took:.2f} s")
                assert took < TAKEOVER_S
                assert leading(url) != leader
            again = await first.start()
            async with office.browser() as stranger:
                stranger.url = again
                assert (await stranger.get("/healthz"))["ok"]
    finally:
        await first.stop()
    trust = Trust.parse(json.loads((second / "office" / "trust.json").read_text()))
    with Snapshot.of(url) as snapshot:
        assert fsck(snapshot, trust.log_keys).findings == ()
