"""The `farseal` command. Each command is loaded only when called, so `farseal verify` starts
without the server's dependencies."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "serve": ("server.cli.serve", "Start the office: pages, API, live sessions, ledger."),
    "verify": ("server.cli.verify", "Check a certificate or an evidence bundle, offline."),
    "ledger": ("server.cli.ledger", "Look after the ledger: mirror, audit, fsck, recover."),
    "witness": ("server.cli.witness", "Watch other offices' ledgers and cosign their growth."),
    "case": ("server.cli.case", "Erase a case's evidence, or hold it; the server is stopped."),
    "rehearse": ("server.cli.rehearse", "Play one whole case and leave what it makes in a folder."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command: click.Command = import_module(module).command
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _told(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _told(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


def _told(error: click.UsageError) -> click.UsageError:
    from server.cli.usage import told

    return told(error)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="farseal")
def main() -> None:
    """Farseal 远证: remote video notarization with an append-only evidence ledger."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a sign the terminal lacks must not end a command
            stream.reconfigure(errors="replace")
