"""A fresh office for one rehearsal: `farseal serve` in a process and a folder of its own."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from json import loads
from pathlib import Path

import aiohttp

from server.rehearsal.logins import StaffLogin, staff_logins

SERVE = (sys.executable, "-m", "server.cli", "serve", "--host", "127.0.0.1")
_GOODBYE_S = 30.0


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
        return [message for message in map(loads, lines) if message["to"] == to]

    def staff(self, login: str) -> StaffLogin:
        """The demo login of that name."""
        return self.logins[login]


class OfficeProcess:
    """The server of one data folder: started, stopped, and started again on the same port.

    `command` is what runs; --data and --port are added. What it prints goes to `log`, beside the
    data. Not safe for two tasks at once.
    """

    def __init__(self, data: Path, *, command: Sequence[str] = SERVE) -> None:
        self.data = data
        self.log = data.parent / "office.log"
        self._port = _free_port()
        self._command = (*command, "--data", str(data), "--port", str(self._port))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, deadline_s: float = 120) -> str:
        """Starts the server and returns its address once it answers.

        Raises OfficeDidNotStartError when it does not within `deadline_s` seconds.
        """
        with self.log.open("ab") as printed:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=printed, stderr=asyncio.subprocess.STDOUT
            )
        scheme = "https" if "--tls" in self._command else "http"
        url = f"{scheme}://localhost:{self._port}"
        try:
            async with asyncio.timeout(deadline_s):
                await _until_healthy(url, self._process)
        except (TimeoutError, OfficeDidNotStartError):
            said = self.log.read_text(errors="replace")[-4000:]
            raise OfficeDidNotStartError(said) from None
        return url

    async def stop(self) -> None:
        """Asks the server to end, and ends it when it does not within half a minute."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _GOODBYE_S)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Ends the server without a word (SIGKILL), as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def fresh_office(data: Path, *, deadline_s: float = 120) -> AsyncIterator[FreshOffice]:
    """Starts an office with its data in `data` and stops it afterwards.

    Raises OfficeDidNotStartError when it does not answer within `deadline_s` seconds.
    """
    process = OfficeProcess(data)
    try:
        url = await process.start(deadline_s=deadline_s)
        yield FreshOffice(url=url, data=data, logins=staff_logins(data))
    finally:
        await process.stop()


async def _until_healthy(url: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while process.returncode is None:
            try:
                # Only whether it is up; who it is, callers check.
                async with http.get(f"{url}/healthz", ssl=False) as answer:
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
