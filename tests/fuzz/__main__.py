"""`python -m tests.fuzz [--only NAME] [--seconds N]`: fuzz every target, a while each.

`--replay NAME FILE` runs one input again. What it learns stays in .fuzz/, an input that fails too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
MEMORY_MB, INPUT_S, LONGEST = 1024, 5, 30_000
"""No input may take more memory or time; nor is any longer (bytes)."""
NAMES = (
    "note", "checkpoint", "vkey", "proof", "fork", "leaf", "body", "bundle", "path", "mirror",
    "policy", "trust", "request", "handover", "generations", "answer",
)  # fmt: skip


@click.command()
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="Only these parsers.")
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="In all.")
@click.option("--replay", nargs=2, metavar="NAME FILE", help="Run one input again.")
@click.option("--child", hidden=True)
def main(
    only: tuple[str, ...], seconds: int, replay: tuple[str, str] | None, child: str | None
) -> None:
    """Fuzz the parsers of what strangers send; exits 1 and keeps the input when one fails."""
    if find_spec("atheris") is None:
        click.echo("Atheris is not installed here: make fuzz installs it", err=True)
        sys.exit(2)
    if child is not None:
        _fuzz(child, seconds)
    elif replay is not None:
        from tests.fuzz.targets import TARGETS

        TARGETS[replay[0]].call(Path(replay[1]).read_bytes())
        click.echo("it raised nothing")
    else:
        names = only or NAMES
        failed = [name for name in names if not _run(name, max(1, seconds // len(names)))]
        click.echo(f"failed: {', '.join(failed)}" if failed else "nothing failed")
        sys.exit(1 if failed else 0)


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; whether nothing failed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--child", name, "--seconds", str(seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
    )
    said = dict(re.findall(r"^stat::(\w+):\s+(\d+)", done.stderr, re.M))
    count, speed = (int(said.get(key, 0)) for key in (
        "number_of_executed_units", "average_exec_per_sec"))  # fmt: skip
    click.echo(f"{name:12} {count:>9,} inputs {speed:>8,}/s  {'ok' if not done.returncode else ''}")
    if done.returncode:
        click.echo(done.stderr[-3000:])
        click.echo(f"again: {sys.executable} -m tests.fuzz --replay {name} FILE (in {KEPT / name})")
    return done.returncode == 0 and count > 0


def _fuzz(name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["ledger", "signing.trust"]):
        from tests.fuzz.targets import TARGETS

    assert tuple(TARGETS) == NAMES
    target, corpus = TARGETS[name], KEPT / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": LONGEST,
        "rss_limit_mb": MEMORY_MB,
        "timeout": INPUT_S,
        "artifact_prefix": f"{KEPT / name}/",
        "print_final_stats": 1,
    }
    arguments = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], target.call)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
