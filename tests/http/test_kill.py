"""The server killed with -9 in the middle of a session: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from server.rehearsal import story
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import FreshOffice
from server.rehearsal.peer import Peer
from server.rehearsal.visitor import Visitor
from tests.http.test_whole_case import footage, today


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(data: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`farseal serve` in a process of its own, answering."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "serve", "--data", str(data), "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while not await answers(http, port):
                assert server.returncode is None
                await asyncio.sleep(0.2)
        yield server
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def answers(http: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with http.get(f"http://localhost:{port}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_a_session_survives_kill_9(tmp_path: Path) -> None:
    data, port, film = tmp_path / "data", free_port(), footage()
    url = f"http://localhost:{port}"
    async with Visitor(url) as applicant, Visitor(url) as notary:
        async with served(data, port) as server:
            office = FreshOffice(url, data, staff_logins(data))
            case = await story.apply(office, applicant, film, today())
            await story.log_in(notary, office.staff("notary"))
            await notary.post(f"/api/desk/cases/{case}/precheck")
            await notary.post(f"/api/desk/cases/{case}/accept", {"conflict_checked": True})
            await story.prepare(applicant, case)
            session = (await notary.post(f"/api/desk/cases/{case}/session"))["id"]
            async with notary.socket(session) as desk, applicant.socket(session) as phone:
                cameras = [
                    Peer(clip, exchange=line.exchange, hosts=("127.0.0.1",))
                    for clip, line in ((film.notary, desk), (film.face, phone))
                ]
                for camera in cameras:
                    await camera.connect()
                await desk.until(
                    lambda: desk.view.get("recording", {}).get("segments", 0) >= 4, what="segments"
                )
                told = {each["event"]: each["leaf_hash"] for each in phone.anchored}
                before = desk.view["recording"]["segments"]
                server.send_signal(signal.SIGKILL)
                await server.wait()
                for camera in cameras:
                    await camera.close()

        async with served(data, port):
            view = await notary.get(f"/api/sessions/{session}")
            assert view["state"] == "INTERRUPTED"
            assert view["recording"]["segments"] >= before
            assert view["recording"]["gaps"]
            timeline = (await applicant.get(f"/api/cases/{case}/timeline"))["entries"]
            kept = {each["event"]: each["leaf_hash"] for each in timeline}
            shown = set(told) & set(kept)
            assert shown
            assert {event: told[event] for event in shown} == {e: kept[e] for e in shown}
            resumed = await notary.post(f"/api/sessions/{session}/resume")
            assert resumed["state"] == "OPEN"
            for recording in sorted((data / "recordings").iterdir()):
                assert recording.stat().st_size > 0

    fsck = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server.cli", "ledger", "fsck", str(data)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await fsck.communicate()
    assert fsck.returncode == 0, printed.decode()
