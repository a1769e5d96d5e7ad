"""`farseal witness` as a process: killed, raced and read by others over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from ledger.note import Checkpoint, LogKeys, Verifier, open_note
from ledger.witness import MAX_ANSWER_BYTES, Answer, Request
from server.cli.witness import command
from server.http.witness import Asker
from server.witness_house import open_witness
from tests.conftest import ROOT
from tests.ledger.histories import History

KEYS = LogKeys.generate("office.example/ledger")
NAME = "witness.example/w1"
FARSEAL = (sys.executable, "-m", "server.cli")


@dataclass
class Running:
    """A witness's process: its address and keys, as it printed them."""

    process: Process
    url: str
    verifiers: tuple[Verifier, ...]
    printed: str


@asynccontextmanager
async def running(directory: Path, *options: str) -> AsyncIterator[Running]:
    logs = [part for key in KEYS.verifiers for part in ("--log", key.vkey)]
    process = await asyncio.create_subprocess_exec(
        *FARSEAL, "witness", "--dir", str(directory), "--port", "0", *logs, *options,
        stdout=PIPE,
        stderr=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            printed = ""
            while "\ngroup " not in printed:
                line = await process.stdout.readline()
                assert line, await refusal(process)
                printed += line.decode()
        url = re.search(r"listens on (\S+)", printed)
        assert url is not None
        keys = re.findall(r"^witness \S+/\w+ (\S+) http\S+$", printed, re.M)
        yield Running(process, url[1], tuple(Verifier.parse(key) for key in keys), printed)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def refusal(process: Process) -> str:
    _, stderr = await process.communicate()
    return stderr.decode()


def cosigned(running: Running, request: Request, answer: Answer) -> Checkpoint:
    """What was cosigned by both keys that the process printed."""
    note = open_note(request.note + answer.body.decode(), running.verifiers)
    assert len(note.signatures) == 2
    return Checkpoint.parse(note.text)


async def test_a_witness_founds_itself_and_keeps_its_keys(tmp_path: Path) -> None:
    log = History(KEYS)
    folder = tmp_path / "w1"
    async with running(folder, "--name", NAME) as first, Asker() as ask:
        address = f"{first.url}/add-checkpoint"
        request = log.request(0, 7)
        answer = await ask(address, request.text.encode())
        assert cosigned(first, request, answer).size == 7
        assert await ask(address, log.request(3, 9).text.encode()) == Answer(
            409, b"7\n", "text/x.tlog.size"
        )
        origin = hashlib.sha256(KEYS.origin.encode()).hexdigest()
        shown = await ask(f"{first.url}/{origin}/checkpoint", None)
        assert shown.body.decode() == request.note + answer.body.decode()
        assert (await ask(f"{first.url}/{'0' * 64}/checkpoint", None)).status == 404
        assert (await ask(f"{first.url}/healthz", None)).body == b"ok\n"
        assert (await ask(address, b"x" * 900_000)).status == 413
        assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
        first.process.send_signal(signal.SIGTERM)
        assert await first.process.wait() == 0
        secrets = [path.read_text().split("\n")[1] for path in folder.glob("*.key")]
        assert len(secrets) == 2
        assert not any(secret in first.printed for secret in secrets)
    async with running(folder) as second:
        assert second.verifiers == first.verifiers


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        ((), 2, "give a --name"),
        (("--name", "two words"), 2, "no spaces"),
        (("--name", NAME, "--log", "nonsense"), 2, "not a verifier key|not base64"),
    ],
)
def test_what_cannot_be_a_witness_is_told(
    tmp_path: Path, options: tuple[str, ...], code: int, why: str
) -> None:
    logs = () if "--log" in options else ("--log", KEYS.verifiers[0].vkey)
    told = CliRunner().invoke(command, ["--dir", str(tmp_path / "w"), *logs, *options])
    assert told.exit_code == code
    assert re.search(why, told.stderr)
    assert not (tmp_path / "w").exists()


def test_a_folder_is_a_witness_s_or_it_is_left_alone(tmp_path: Path) -> None:
    def begin(*options: str) -> str:
        key = KEYS.verifiers[0].vkey
        told = CliRunner().invoke(command, ["--dir", str(tmp_path / "w"), "--log", key, *options])
        assert told.exit_code in (2, 5)
        return told.stderr

    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "letter.txt").write_text("somebody's")
    assert "holds files that are no witness's" in begin("--name", NAME)
    (tmp_path / "w" / "letter.txt").unlink()
    logs = {KEYS.origin: KEYS.verifiers}
    open_witness(tmp_path / "w", name=NAME, logs=logs).close()
    assert "for ever" in begin("--name", "witness.example/w2")
    (tmp_path / "w" / "ed25519.key").chmod(0o644)
    assert "chmod 600" in begin()
    (tmp_path / "w" / "ed25519.key").chmod(0o600)
    (tmp_path / "w" / "witness.db").unlink()
    assert "retire this witness" in begin("--name", NAME)


def test_every_option_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert all(f"`{option.opts[0]}`" in operations for option in command.params)


async def cheat(
    log: History, witness: Running, signed: dict[int, set[bytes]], *, enough: int
) -> None:
    """Ask for one history until the witness dies, or says that it has signed another.

    It is killed, with other requests on their way, once it has signed for `enough` sizes.
    """
    old = 0
    async with Asker() as ask:
        while True:
            request = log.request(old, min(old + 1, 250))
            try:
                answer = await ask(f"{witness.url}/add-checkpoint", request.text.encode())
            except OSError:
                return
            if answer.status == 409:
                old = int(answer.body)
                continue
            if answer.status == 422:
                return
            found = cosigned(witness, request, answer)
            signed.setdefault(found.size, set()).add(found.root)
            old = found.size
            if len(signed) >= enough and witness.process.returncode is None:
                witness.process.kill()


async def test_killed_under_two_histories_it_signs_one(tmp_path: Path) -> None:
    """kill -9 while a cheating log asks for both: whatever was cosigned is one history."""
    histories = [History(KEYS), History(KEYS, "b")]
    signed: dict[int, set[bytes]] = {}
    for kill in range(1, 4):
        name = ("--name", NAME) if kill == 1 else ()
        async with running(tmp_path / "w", *name) as witness, asyncio.timeout(60):
            async with asyncio.TaskGroup() as group:
                for log in histories * 2:
                    group.create_task(cheat(log, witness, signed, enough=8 * kill))
            assert await witness.process.wait() == -signal.SIGKILL
        assert len(signed) >= 8 * kill
    first = min(signed)
    (history,) = (log for log in histories if {log.root(first)} == signed[first])
    assert signed == {size: {history.root(size)} for size in signed}


# -- asking others --------------------------------------------------------------------------------


@asynccontextmanager
async def serving(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_no_more_of_an_answer_is_read_than_one_may_be_long() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(80):
            await response.write(b"x" * 65_536)
            sent += 65_536
        return response

    async with serving(endless) as url, Asker() as ask:
        answer = await ask(url, b"")
    assert len(answer.body) == MAX_ANSWER_BYTES + 1


async def test_no_redirection_is_followed() -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/secret"})

    async with serving(elsewhere) as url, Asker() as ask:
        assert (await ask(url, b"")).status == 307


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "nonsense", "http://[", "file:///etc/hosts"]
)
async def test_nobody_there_is_an_oserror(url: str) -> None:
    async with Asker() as ask:
        with pytest.raises(OSError, match=r"\S"):
            await ask(url, b"")
    with pytest.raises(OSError, match="closed"):
        await ask(url, b"")
