"""The yearly rotation, as an operator does it: commands on a data directory.

What changes the keys runs as a process of its own; what only looks, or is refused, runs here.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from ledger.handover import follow_shown
from ledger.note import open_checkpoint
from ledger.tiles import Mirror
from server.cli import main
from signing.trust import Trust
from tests.fakes.office import running_office


def farseal(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli", "ledger", *words, "--lang", "en"],
        capture_output=True,
        text=True,
        timeout=120,
    )


async def here(data: Path, *words: str) -> tuple[int, str]:
    """The same command within this process."""
    arguments = ["ledger", *words, "--lang", "en", "--data", str(data)]
    done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


async def command(data: Path, *words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(farseal, *words, "--data", str(data))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


async def test_a_rotation_from_the_first_command_to_the_last(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_office(data) as office, office.browser() as visitor:
        old = Trust.parse(await visitor.get("/trust.json"))
        assert (await here(data, "rotate"))[0] == 4  # a server runs
    code, said = await here(data, "retire")
    assert (code, "only one generation signs" in said) == (1, True)
    code, said = await command(data, "rotate")
    assert (code, "is sealed" in said) == (0, True)
    assert (await here(data, "rotate"))[0] == 0  # once is enough
    keys = data / "office"
    assert len([*keys.glob("ledger-*.key")]) == 4
    async with running_office(data) as office, office.applicant() as ana:
        await ana.post("/api/cases", {"matter": "poa-remote"})
        note = (await ana.get("/log/checkpoint")).decode()
        assert open_checkpoint(note, old.log_keys).origin == old.origin
    code, said = await command(data, "retire")
    assert (code, "2 private key files were removed" in said) == (0, True)
    assert (await here(data, "retire"))[0] == 1
    assert len([*keys.glob("ledger-*.key")]) == 2
    code, said = await here(data, "accept-clock", "the battery was changed")
    assert (code, "Entry" in said) == (0, True)
    code, said = await here(data, "keys")
    assert code == 0
    assert "retired: signed trees of 0 to" in said
    async with running_office(data) as office, office.browser() as visitor:
        trust = await visitor.get("/trust.json")
        assert trust == json.loads((keys / "trust.json").read_bytes())
        new = Trust.parse(trust)
        note = (await visitor.get("/log/checkpoint")).decode()
        handed = [(await visitor.get(f"/log/keys/{number}")).decode() for number in (1, 2)]
    assert len(new.log_keys.logs[0].generations) == 2
    checkpoint = open_checkpoint(note, new.log_keys)

    def show(number: int) -> str:
        return Mirror(lambda path: handed[int(path.rpartition("/")[2]) - 1].encode()).handover(
            number
        )

    followed = follow_shown(old.log_keys, lambda number: show(number) if number < 3 else "")
    assert open_checkpoint(note, followed) == checkpoint
