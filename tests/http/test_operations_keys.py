"""The commands on the ledger's keys in docs/operations.md run, in the order they stand there."""

from __future__ import annotations

import asyncio
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from server.cli import main
from tests.conftest import ROOT
from tests.fakes.office import running_office

SECTIONS = ("The ledger's keys, every year", "When the ledger's keys may have leaked")


def commands(section: str) -> list[str]:
    """The commands in a section's fenced blocks, without comments."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    found = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", found, re.M | re.S)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]


async def test_they_run_as_they_stand(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_office(data):
        pass
    ran = []
    for line in (each for section in SECTIONS for each in commands(section)):
        program, *words = shlex.split(line)
        assert program == "farseal"
        words[words.index("--data") + 1] = str(data)
        if "--leaked-from" in words:  # the example's moment may lie ahead of this machine's clock
            words[words.index("--leaked-from") + 1] = datetime.now(UTC).isoformat()
        done = await in_thread(words)
        assert done == 0, line
        ran.append(words[1])
    assert ran == ["keys", "rotate", "retire", "succeed"]


async def in_thread(words: list[str]) -> int:
    """A command has an event loop of its own."""
    done = await asyncio.to_thread(CliRunner().invoke, main, words)
    return done.exit_code
