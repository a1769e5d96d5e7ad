"""kill -9 of the media worker in the middle of a session; the people dial again and finish.

The whole office with two workers: what the recorder had made durable is in the ledger before the
session goes on, in the other worker, as new takes; the case ends with a valid certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

from server.rehearsal.footage import Footage
from server.rehearsal.session import hold_session, identity, play_until
from server.rehearsal.story import until_state
from tests.rehearsal.audience import House, waiting_case

WORKERS = ("--workers", "2", "--media-ports", "43000-43127")
AGAIN_S = 15.0


def rows(house: House, query: str) -> list[sqlite3.Row]:
    """Rows of the office's database, read beside the server."""
    path = house.process.data / "farseal.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(query).fetchall()


def worker_of(house: House, session: str) -> tuple[str, int, int]:
    """(name, process, epoch) of the worker a session is in."""
    [row] = rows(
        house,
        "SELECT worker, pid, placement.epoch FROM placement "
        "JOIN media_worker ON media_worker.id = worker "
        f"WHERE session_id = '{session}'",
    )
    return row["worker"], row["pid"], row["epoch"]


async def test_a_session_outlives_its_worker(tmp_path: Path, footage: Footage) -> None:
    async with waiting_case(tmp_path, footage, *WORKERS) as house:
        async with house.meeting() as stage:
            session = stage.session
            await play_until(stage, 2)
            await identity(stage)
            name, pid, epoch = worker_of(house, session)
            assert epoch == 1
            os.kill(pid, signal.SIGKILL)
            killed_at = time.monotonic()
            for screen in (stage.desk, stage.phone):
                await screen.until(
                    lambda screen=screen: screen.redials == 1, what="the word to dial again"
                )
            await stage.dial_again()
            async with asyncio.timeout(AGAIN_S):
                for screen in (stage.desk, stage.phone):
                    await screen.until(
                        lambda screen=screen: all(
                            each["take"] == 1 for each in screen.view["participants"]
                        ),
                        what="the second takes",
                    )
            assert time.monotonic() - killed_at < AGAIN_S
            other, _, epoch = worker_of(house, session)
            assert (other != name, epoch) == (True, 2)
            await hold_session(stage, house.office.staff("notary"), lambda _: None)
        await until_state(house.notary, f"/api/desk/cases/{house.case}", "SEALED")
        await house.approve()
        left = await house.delivered(tmp_path / "left")
        await left.require_valid()
        house.require_receipts(left.view)

        assert [leaf.body["session"] for leaf in left.entries("session-opened")] == [session]
        assert len(left.entries("session-resumed")) == 1
        ended = [
            (leaf.body["participant"], leaf.body["take"])
            for leaf in left.entries("take-ended")
            if leaf.body["reason"] == "lost"
        ]
        assert sorted(ended) == [("applicant", 0), ("notary", 0)]
        kinds = {
            (leaf.body["participant"], leaf.body["gap"], leaf.body["take"])
            for leaf in left.entries("gap")
        }
        assert kinds >= {
            (role, kind, take)
            for role in ("applicant", "notary")
            for kind, take in (("stall", 0), ("reconnect", 1))
        }
        recordings = {path.name for path in (left.out / "recordings").iterdir()}
        assert recordings >= {
            f"{role}-{take}.webm" for role in ("applicant", "notary") for take in (0, 1)
        }
        assert rows(house, "SELECT * FROM placement") == [], "a session that is over is in none"
