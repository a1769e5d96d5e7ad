"""`python -m tests.bench [--only NAME]`: measure and print a table for each room."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click
from rich.console import Console
from rich.table import Table

from tests.bench import Row

ROOMS = ("ledger", "media", "signing")


def table(title: str) -> Table:
    result = Table(title=title, title_justify="left")
    result.add_column("what")
    result.add_column("ours", justify="right")
    result.add_column("beside")
    result.add_column("theirs", justify="right")
    result.add_column("ours / theirs", justify="right")
    result.add_column("at least", justify="right")
    return result


def cells(row: Row) -> tuple[str, ...]:
    def number(value: float | None, unit: str = "") -> str:
        return (
            ""
            if value is None
            else f"{value:,.3g} {unit}".strip()
            if value < 100
            else (f"{value:,.0f} {unit}".strip())
        )

    return (
        row.what,
        number(row.ours, row.unit),
        row.peer,
        number(row.theirs, row.unit),
        "" if row.ratio is None else f"x{row.ratio:.2f}",
        "" if row.floor is None else f"x{row.floor:.2f}",
    )


@click.command()
@click.option("--only", type=click.Choice(ROOMS), multiple=True, help="Only these rooms.")
def main(only: tuple[str, ...]) -> None:
    """Measure and print; ratios mean something, absolute speeds are this machine's."""
    console = Console()
    for room in only or ROOMS:
        if find_spec(f"tests.bench.{room}") is None:
            continue
        module = import_module(f"tests.bench.{room}")
        found = table(module.TITLE)
        with console.status(f"measuring {room} ..."):
            for row in module.rows():
                found.add_row(*cells(row))
        console.print(found)


if __name__ == "__main__":
    main()
