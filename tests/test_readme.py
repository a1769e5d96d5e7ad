"""The commands in README run, and do what README says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT, commands, run

CHECKS = [line for line in commands("README.md") if "rehearsal/" in line]


def test_both_readmes_tell_the_same() -> None:
    spoken = [line.removesuffix(" --lang zh-CN") for line in commands("README.zh-CN.md")]
    assert spoken
    assert set(spoken) <= set(commands("README.md"))


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md"])
def test_every_make_target_exists(document: str) -> None:
    targets = [line.split()[1] for line in commands(document) if line.startswith("make ")]
    assert targets == ["run", "test"]
    for target in targets:
        assert run(f"make --dry-run {target}", at=ROOT).returncode == 0


def test_readme_plays_and_checks() -> None:
    assert [line.split()[0] for line in CHECKS] == [
        ".venv/bin/farseal",
        ".venv/bin/farseal",
        "pdfsig",
        "openssl",
    ]


@pytest.mark.parametrize("command", CHECKS, ids=lambda command: " ".join(command.split()[:3]))
def test_the_checks_in_readme_succeed(command: str, newcomer: Path) -> None:
    checked = run(command, at=newcomer)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout
