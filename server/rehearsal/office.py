"""A fresh office for one rehearsal: `farseal serve` in a process and a folder of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from server.rehearsal.logins import StaffLogin, staff_logins


class OfficeDidNotStartError(Exception):
    """`farseal serve` ended, or did not answer in time; the message carries what it printed."""


@dataclass(frozen=True, slots=True)
class FreshOffice:
    """A running office: its address, its data folder, and what its console outbox has sent."""

    url: str
    data: Path
    logins: Mapping[str, StaffLogin]

    def messages(self, to: str) -> list[dict[str, str]]:
        """What the console outbox sent to `to`, oldest first."""
        outbox = self.data / "outbox.jsonl"
        lines = outbox.read_text().splitlines() if outbox.exists() else []
        return [message for message in map(json.loads, lines) if message["to"] == to]

    def staff(self, login: str) -> StaffLogin:
        """The demo login of that name."""
        return self.logins[login]


@asynccontextmanager
async def fresh_office(data: Path, *, deadline_s: float = 120) -> AsyncIterator[FreshOffice]:
    """Starts an office with its data in `data` and stops it afterwards.

    Raises OfficeDidNotStartError when it does not answer within `deadline_s` seconds.
    """
    port = _free_port()
    log = data.parent / "office.log"
    with log.open("wb") as printed:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server.cli", "serve", "--data", str(data)),
            *("--host", "127.0.0.1", "--port", str(port)),
            stdout=printed,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        url = f"http://localhost:{port}"
        try:
            async with asyncio.timeout(deadline_s):
                await _until_healthy(url, process)
        except (TimeoutError, OfficeDidNotStartError):
            raise OfficeDidNotStartError(log.read_text(errors="replace")[-4000:]) from None
        yield FreshOffice(url=url, data=data, logins=staff_logins(data))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_healthy(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while process.returncode is None:
            try:
                async with http.get(f"{url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.1)
    raise OfficeDidNotStartError


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
