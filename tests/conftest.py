"""What several rooms' tests share: one rehearsal, played as README tells a newcomer to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def commands(document: str) -> list[str]:
    """The commands in the sh blocks of a document, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def run(command: str, *, at: Path) -> subprocess.CompletedProcess[str]:
    """Runs one line as a shell would, below `at`."""
    return subprocess.run(
        ["sh", "-c", command], cwd=at, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where README's rehearsal was played: an otherwise empty folder, its results in rehearsal/."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    [command] = [line for line in commands("README.md") if " rehearse " in line]
    played = run(command, at=folder)
    assert played.returncode == 0, played.stderr
    return folder


@pytest.fixture(scope="session")
def rehearsal(newcomer: Path) -> Path:
    """What the rehearsal left."""
    return newcomer / "rehearsal"
