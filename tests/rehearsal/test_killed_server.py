"""kill -9 of the whole server, at the worst moments of one case; the people come back.

What `tests/services/test_kill.py` shows of the services, shown here of the server: real process,
real sockets, real media, the same folder and the same port.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from server.rehearsal.cast import STROKES
from server.rehearsal.footage import Footage
from server.rehearsal.office import OfficeDidNotStartError
from server.rehearsal.session import hold_session, identity, play_until, questions
from server.rehearsal.story import until_state
from server.rehearsal.visitor import RefusedError
from tests.rehearsal.audience import House, waiting_case


async def test_a_case_survives_every_death(tmp_path: Path, footage: Footage) -> None:
    async with waiting_case(tmp_path, footage) as house:
        session, pending = await die_in_steps_2_5_and_7(house)
        async with house.meeting() as stage:
            assert stage.session == session
            assert stage.desk.view["step"] == 7
            # the page that held the key is gone, and with it what it was about to sign
            with pytest.raises(RefusedError) as refused:
                await stage.as_applicant(f"signing/{pending}", {"signature_b64": "AAAA"})
            assert refused.value.code == "signing-unknown"
            await hold_session(stage, house.office.staff("notary"), lambda _: None)
        number, pdf = await die_while_issuing(house)

        left = await house.delivered(tmp_path / "left")
        assert left.case["id"] == house.case
        assert left.case["certificate"]["number"] == number
        assert left.case["certificate"]["pdf_sha256"] == pdf
        await left.require_valid()
        house.require_receipts(left.view)

        # one number, one intent, one act: in the ledger and in the register of certificates
        assert len(left.entries("act-intended")) == 1
        [completed] = left.entries("act-completed")
        assert completed.body["pdf_sha256"] == left.case["certificate"]["pdf_sha256"]
        assert [row["text"] for row in rows(house, "certificate_number")] == [number]
        assert len(rows(house, "certificate_file")) == 1

        # one session; three interruptions, three steps again, and a gap for each silence
        assert [leaf.body["session"] for leaf in left.entries("session-opened")] == [session]
        resumed = [leaf.body["step"] for leaf in left.entries("session-resumed")]
        assert sorted(set(resumed)) == [2, 5, 7]
        assert resumed == sorted(resumed)
        stalls = [leaf.body for leaf in left.entries("gap") if leaf.body["gap"] == "stall"]
        lost = [leaf.body for leaf in left.entries("take-ended") if leaf.body["reason"] == "lost"]
        for told in (stalls, lost):
            for role in ("applicant", "notary"):
                assert len({body["take"] for body in told if body["participant"] == role}) >= 3
        recordings = {path.name for path in (left.out / "recordings").iterdir()}
        assert recordings >= {
            f"{role}-{take}.webm" for role in ("applicant", "notary") for take in range(4)
        }


async def die_in_steps_2_5_and_7(house: House) -> tuple[str, str]:
    """Three deaths within the grace; returns their one session, and what was about to be signed."""
    async with house.meeting() as stage:
        session = stage.session
        await play_until(stage, 2)
        await identity(stage)
        await house.die()

    async with house.meeting() as stage:
        assert stage.session == session
        assert stage.desk.view["steps"][1]["state"] == "repeated"
        assert stage.desk.view["steps"][1]["missing"], "identity must be shown again"
        await play_until(stage, 5)
        await questions(stage)
        await house.die()

    async with house.meeting() as stage:
        assert stage.session == session
        repeated = stage.desk.view["steps"][4]
        assert repeated["state"] == "repeated"
        assert [e["done"] for e in repeated["evidence"] if e["key"] == "identity_recheck"] == [
            False
        ]
        assert len(stage.desk.view["record"]) == 5, "what was said stands"
        await play_until(stage, 7)
        await stage.own_key()
        prepared = await stage.as_applicant("signing", {"act": "document", "strokes": STROKES})
        await house.die()

    return session, prepared["id"]


async def die_while_issuing(house: House) -> tuple[str, str]:
    """Dies as soon as it is approved, and again as soon as a signed PDF is stored.

    Returns the number as the first death left it, and the PDF's digest as the second did.
    """
    await house.approve()
    await house.kill()
    [allocated] = rows(house, "certificate_number")

    async def start() -> None:
        with contextlib.suppress(OfficeDidNotStartError):
            await house.start()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(start(), name="a start that is cut short")
        async with asyncio.timeout(150):
            while not rows(house, "certificate_file"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await house.kill()
    assert [row["text"] for row in rows(house, "certificate_number")] == [allocated["text"]]
    [stored] = rows(house, "certificate_file")
    await house.start()
    return allocated["text"], stored["sha256"]


def rows(house: House, table: str) -> list[sqlite3.Row]:
    """A table of the office's database, read beside the server."""
    path = house.process.data / "farseal.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(f"SELECT * FROM {table}").fetchall()


async def test_beyond_the_grace_a_new_session_is_linked(tmp_path: Path, footage: Footage) -> None:
    async with waiting_case(tmp_path, footage) as house:
        async with house.meeting() as stage:
            first = stage.session
            await play_until(stage, 2)
            await house.die(dead_ms=90_000)

        async with house.meeting() as stage:
            assert stage.session != first
            assert stage.desk.view["linked_to"] == first
            assert stage.desk.view["step"] == 1
            old = await house.notary.get(f"/api/sessions/{first}")
            assert old["state"] == "ABORTED"
            assert old["replaced_by"] == stage.session
            await hold_session(stage, house.office.staff("notary"), lambda _: None)
        await until_state(house.notary, f"/api/desk/cases/{house.case}", "SEALED")
        await house.approve()
        left = await house.delivered(tmp_path / "left")
        await left.require_valid()
        house.require_receipts(left.view)
        first_session, second = left.entries("session-opened")
        assert second.body["linked_to"] == first_session.body["session"] == first
