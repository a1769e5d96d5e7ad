"""`farseal ledger`: look after a ledger. It needs no server, only the ledger's folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ledger.errors import LedgerError, NoteError
from ledger.fsck import Report, fsck
from ledger.generations import Keybook, KnownLog
from ledger.note import Verifier
from ledger.snapshot import Snapshot
from server.cli.usage import Commands, told
from signing.errors import OfficeError
from signing.ledger_keys import Place

CLEAN, DAMAGED, UNUSABLE = 0, 1, 3


LATER = {
    "mirror": ("server.cli.mirror", "command"),
    "audit": ("server.cli.audit", "command"),
    "when": ("server.cli.when", "command"),
    "recover": ("server.cli.recover", "command"),
    "keys": ("server.cli.keys", "keys_command"),
    "rotate": ("server.cli.keys", "rotate_command"),
    "retire": ("server.cli.keys", "retire_command"),
    "succeed": ("server.cli.succeed", "command"),
    "accept-clock": ("server.cli.keys", "clock_command"),
    "fork": ("server.cli.mirror", "fork_command"),
}
"""Commands that are imported when they are called."""


class Ledger(Commands):
    """Its commands exit with 3, not 2, when they are called wrongly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LATER})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in LATER:
            return super().get_command(ctx, name)
        module, attribute = LATER[name]
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            told(error).show()
            ctx.exit(UNUSABLE)


@click.command(cls=Ledger)
def command() -> None:
    """Look after the ledger, or after a copy of anybody's."""


@command.command("fsck")
@click.argument("directory", type=click.Path(path_type=Path), default=Path("data"))
@click.option(
    "--ledger-database",
    "database",
    metavar="URL",
    envvar="FARSEAL_LEDGER_DATABASE",
    help="Look at a ledger in PostgreSQL instead.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="A verifier key of the log, or a file that holds some (trust.json, or one a line).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(directory: Path, database: str | None, keys: tuple[str, ...], as_json: bool) -> None:
    """Recompute hashes, chains, tiles, roots and signatures of the ledger in DIRECTORY.

    Looks at DIRECTORY/ledger.db or DIRECTORY/ledger/ledger.db and changes nothing. Exits with 0
    when all is well, 1 when something is damaged, 3 when it could not look.
    """
    console = Console(stderr=True)
    try:
        verifiers = read_keys(keys)
        ledger = database or find_database(directory)
        with Snapshot.of(ledger) as snapshot, Progress(console=console) as bar:
            task = bar.add_task("entries", total=None)
            report = fsck(
                snapshot,
                verifiers,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except LedgerError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(UNUSABLE)
    if as_json:
        click.echo(json.dumps(asdict(report) | {"clean": report.clean}, indent=2))
    else:
        show(report)
    sys.exit(CLEAN if report.clean else DAMAGED)


def find_database(directory: Path) -> Path:
    """DIR/ledger.db, or that of the office's present ledger, such as DIR/ledger/ledger.db."""
    nested = ledger_folder(directory) / "ledger.db"
    return nested if nested.is_file() else directory / "ledger.db"


def ledger_folder(directory: Path) -> Path:
    """Where the present ledger of a data directory lies; the first one's if there is no office."""
    try:
        return directory / Place.read(directory / "office", "").folder
    except OfficeError as error:
        raise LedgerError(str(error)) from error


def read_keys(given: Sequence[str]) -> Sequence[Verifier]:
    """The keys of every `--key` and trust.json, as one thing to verify by.

    A trust.json says which trees each generation of keys signs, plain keys must all have signed.
    """
    plain: list[Verifier] = []
    logs: dict[str, KnownLog] = {}
    for each in given:
        book = read_trusted(each)
        if book is None:
            plain += read_verifiers(each)
        else:
            logs |= {log.origin: log for log in book.logs}
    if not logs:
        return plain
    rest = Keybook.of(key for key in plain if key.name not in logs)
    return Keybook((*logs.values(), *rest.logs))


def read_trusted(path: str) -> Keybook | None:
    """The ledgers a trust.json names; None for what is no trust.json. Raises NoteError."""
    if not Path(path).is_file():
        return None
    try:
        value = json.loads(Path(path).read_text("utf-8"))
        ledger = value["ledger"]
        return Keybook(tuple(map(KnownLog.parse, [ledger, *ledger.get("former", [])])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read_verifiers(key: str) -> list[Verifier]:
    """The verifier keys of `--key`: one itself, or every one in a text or JSON file."""
    path = Path(key)
    try:
        is_file = path.is_file()
    except OSError:  # a key of 1,800 characters is longer than a file's name can be
        is_file = False
    if not is_file:
        return [Verifier.parse(key)]
    text = path.read_text("utf-8")
    found = []
    for word in words(text):
        try:
            found.append(Verifier.parse(word))
        except NoteError:  # a file may hold other things too
            continue
    if not found:
        raise NoteError(f"{path} holds no verifier key")
    return found


def words(text: str) -> Iterator[str]:
    """Every string in a JSON document, or every line of another text."""
    try:
        values = [json.loads(text)]
    except RecursionError as error:
        raise ValueError("a file of keys is not nested so deep") from error
    except ValueError:
        yield from text.split()
        return
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)


def show(report: Report) -> None:
    """A person's view of a report."""
    console = Console()
    signed = "signatures verified" if report.signatures else "signatures not checked (no --key)"
    console.print(
        f"{report.entries} entries, {report.tiles} full tiles, "
        f"{report.checkpoints} checkpoints, {signed}\nroot {report.root}"
    )
    if report.clean:
        console.print("[green]clean[/green]")
        return
    table = Table("where", "what")
    for finding in report.findings:
        table.add_row(finding.where, finding.what)
    console.print(table)
    if report.omitted:
        console.print(f"and {report.omitted} more")
    console.print("[red]damaged[/red]: restore what is named from a mirror; never sign it anew")
