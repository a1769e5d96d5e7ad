"""`python -m tests.soak [--only NAME]`: keep promises at full size."""

from __future__ import annotations

from importlib import import_module

import click

ROOMS = ("growth", "kills", "mirror")


@click.command()
@click.option("--only", type=click.Choice(ROOMS), multiple=True, help="Only these rooms.")
def main(only: tuple[str, ...]) -> None:
    """Run each room; the first promise that is broken ends it with a traceback."""
    for room in only or ROOMS:
        import_module(f"tests.soak.{room}").run(
            lambda line, room=room: click.echo(f"{room}: {line}")
        )


if __name__ == "__main__":
    main()
