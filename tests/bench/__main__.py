"""`python -m tests.bench [--only NAME]`: measure room by room and print one table."""

from __future__ import annotations

import os
from importlib import import_module

import click
from rich.console import Console
from rich.table import Table

from tests.bench import Row

ROOMS = ("ledger", "postgresql", "proofs", "audit", "media", "signing")
WIDTH = 180  # characters, where nobody says how wide the paper is


def table() -> Table:
    result = Table()
    result.add_column("what", no_wrap=True)
    result.add_column("ours", justify="right", no_wrap=True)
    result.add_column("beside")
    result.add_column("theirs", justify="right", no_wrap=True)
    result.add_column("ours / theirs", justify="right")
    result.add_column("asked", justify="right")
    return result


def cells(row: Row) -> tuple[str, ...]:
    def number(value: float | None, unit: str = "") -> str:
        if value is None:
            return ""
        return f"{value:,.3g} {unit}".strip() if value < 100 else f"{value:,.0f} {unit}".strip()

    def asked(row: Row) -> str:
        if row.promise is not None:
            sign = ">=" if row.unit == "/s" else "<="
            return f"{sign} {number(row.promise, row.unit)}"
        return "" if row.floor is None else f">= x{row.floor:.2f}"

    return (
        row.what,
        number(row.ours, row.unit),
        row.peer,
        number(row.theirs, row.unit),
        "" if row.ratio is None else f"x{row.ratio:.2f}",
        asked(row),
    )


def load() -> float:
    """How many programs wanted a core, on average over the last minute."""
    return os.getloadavg()[0]


@click.command()
@click.option("--only", type=click.Choice(ROOMS), multiple=True, help="Only these rooms.")
def main(only: tuple[str, ...]) -> None:
    """Measure and print; ratios mean something, absolute speeds are this machine's."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    found, before, below = table(), load(), []
    for room in only or ROOMS:
        module = import_module(f"tests.bench.{room}")
        found.add_section()
        found.add_row(f"[bold]{module.TITLE}[/bold]")
        with console.status(f"measuring {room} ..."):
            for row in module.rows():
                found.add_row(*cells(row))
                if not row.kept:
                    below.append(f"{row.what} {row.peer}".rstrip())
    console.print(found)
    console.print(
        f"{os.cpu_count()} cores; load average {before:.1f} before the first row (others' work), "
        f"{load():.1f} after the last (ours too). "
        + ("Little else ran." if before < 0.5 else "Read the ratios, not the speeds."),
        highlight=False,
    )
    for what in below:
        console.print(f"not what was asked: {what}", style="red")


if __name__ == "__main__":
    main()
