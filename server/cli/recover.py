"""`farseal ledger recover DIR`: what is wrong with a ledger, and each way out, in words."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

import click
from rich.console import Console
from rich.progress import Progress

from ledger.diagnosis import Diagnosis, diagnose
from ledger.errors import DamageError, GuardError, LedgerError
from ledger.note import Verifier
from ledger.repair import Rewritten, rewrite
from server.cli import recover_words as catalogue
from server.cli.ledger import CLEAN, DAMAGED, UNUSABLE, find_database, ledger_folder, read_keys
from server.cli.mirror import json_option, key_option, lang_option
from server.cli.verify_words import Language, spoken


@click.command("recover")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--ledger-database",
    "address",
    metavar="URL",
    envvar="FARSEAL_LEDGER_DATABASE",
    help="Look at a ledger in PostgreSQL instead; the guard and the keys are in DIRECTORY.",
)
@key_option
@click.option(
    "--guard",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The guard, where it lies elsewhere. Default: guard.json beside the database, "
    "with PostgreSQL DIRECTORY/ledger/guard.json.",
)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint of this log that somebody else holds; may be repeated.",
)
@click.option("--rebuild-tiles", is_flag=True, help="Build what follows from the entries anew.")
@click.option(
    "--from-mirror",
    "mirror",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Restore changed entries from this mirror of the log, each one proven.",
)
@json_option
@lang_option
def command(
    directory: Path,
    address: str | None,
    keys: tuple[str, ...],
    guard: Path | None,
    witnesses: tuple[Path, ...],
    rebuild_tiles: bool,
    mirror: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Say what is wrong with the ledger in DIRECTORY and what to do; change nothing.

    With --rebuild-tiles or --from-mirror the database is written anew beside itself, checked
    against the newest checkpoint and the guard, and takes its place; the damaged one is kept.
    Nothing is ever signed. Keys: --key, else office/trust.json in DIRECTORY. Exits with 0 when
    all is well, 1 when something is wrong, 3 when it could not look.
    """
    language = cast("Language", lang or spoken())
    console = Console(stderr=True)
    ledger, beside = address or find_database(directory), ledger_folder(directory)
    guard = guard or (ledger.parent if isinstance(ledger, Path) else beside) / "guard.json"
    done: Rewritten | None = None
    try:
        verifiers = _keys(keys, directory)
        if rebuild_tiles or mirror is not None:
            if mirror is not None and not verifiers:
                raise LedgerError(catalogue.NO_KEY[language])
            done = rewrite(ledger, guard, verifiers, mirror=mirror)
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("entries", total=None)
            found = diagnose(
                ledger,
                guard,
                verifiers=verifiers,
                witnessed=[path.read_text("utf-8") for path in witnesses],
                now=time.time_ns() // 1_000_000,
                progress=lambda at, total: bar.update(task, completed=at, total=total),
            )
    except (DamageError, GuardError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(DAMAGED)
    except (LedgerError, OSError, UnicodeDecodeError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(UNUSABLE)
    if as_json:
        click.echo(json.dumps(_record(found, done), ensure_ascii=False, indent=2))
    else:
        _show(found, done, signed=bool(verifiers), language=language)
    sys.exit(CLEAN if found.healthy else DAMAGED)


def _keys(keys: tuple[str, ...], directory: Path) -> Sequence[Verifier]:
    """The log's keys: as given, else those of the office that keeps it here."""
    own = directory / "office" / "trust.json"
    return read_keys(keys or ([str(own)] if own.is_file() else ()))


def _record(found: Diagnosis, done: Rewritten | None) -> Mapping[str, object]:
    wrote = asdict(done) if done else None
    return {"healthy": found.healthy, **asdict(found), "rewritten": wrote}


def _show(found: Diagnosis, done: Rewritten | None, *, signed: bool, language: Language) -> None:
    console = Console(highlight=False)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, soft_wrap=True)

    if done is not None:
        nothing = catalogue.NOTHING[language]
        restored = ", ".join(map(str, done.restored)) or nothing
        rebuilt = ", ".join(done.tiles) or nothing
        told = {"entries": done.entries, "tiles": rebuilt, "restored": restored}
        say(catalogue.REWRITTEN[language].format(**told, kept=done.kept), "green")
    if not signed:
        say(catalogue.UNSIGNED[language], "yellow")
    if not found.troubles:
        guard = catalogue.NOTHING[language] if found.signed is None else found.signed
        say(catalogue.HEALTHY[language].format(size=found.size, signed=guard), "green")
    ways: dict[str, Mapping[str, object]] = {}
    for trouble in found.troubles:
        say(catalogue.SEEN[trouble.kind][language].format(**trouble.detail), "bold")
        ways.setdefault(trouble.kind, trouble.detail)
    for kind, detail in ways.items():
        say(f"\n{catalogue.WAY_OUT[language]}")
        say(catalogue.WAYS[kind][language].format(**detail))
