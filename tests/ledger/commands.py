"""The `farseal ledger` commands, called in this process."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from server.cli import main


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code and what was said on each stream."""
    done = CliRunner(env={"LANG": "C.UTF-8", "COLUMNS": "100"}).invoke(
        main, ["ledger", *map(str, arguments)]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stdout, done.stderr
