"""`farseal rehearse`: play one whole case and leave what it makes in a folder."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for what the case leaves; made when missing, refused when not empty.",
)
@click.option("--keep-office", is_flag=True, help="Keep the office's data too, in OUT/office.")
def command(out: Path, keep_office: bool) -> None:
    """Play one whole case with scripted people against a fresh office.

    An applicant, a notary and an approver, all made up, do everything over HTTP and real WebRTC.
    OUT then holds certificate.pdf, bundle.zip, trust.json, ledger/, timestamps/ and recordings/.

    \b
    farseal rehearse --out rehearsal
    farseal verify rehearsal/bundle.zip --trust rehearsal/trust.json
    pdfsig rehearsal/certificate.pdf
    """
    console = Console(stderr=True)
    if out.exists() and any(out.iterdir()):
        raise click.UsageError(f"{out} is not empty; give a new folder, nothing was changed")
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    from server.rehearsal.office import OfficeDidNotStartError
    from server.rehearsal.play import ACTS, rehearse
    from server.rehearsal.visitor import RefusedError

    with (
        tempfile.TemporaryDirectory(prefix="farseal-rehearsal-") as scratch,
        Progress(
            TextColumn("{task.description:<42}"), BarColumn(), TimeElapsedColumn(), console=console
        ) as bar,
    ):
        task = bar.add_task("", total=len(ACTS))

        def now(act: str) -> None:
            bar.update(task, description=ACTS[act], advance=1)

        try:
            number = asyncio.run(rehearse(out, scratch=Path(scratch), now=now))
        except (OSError, RefusedError, OfficeDidNotStartError, ExceptionGroup) as error:
            bar.stop()
            log = Path(scratch, "office.log")
            if log.exists():
                shutil.copy(log, out / "office.log")
            console.print(f"[red]The rehearsal stopped:[/red] {_reason(error)}", highlight=False)
            console.print(f"The office's own words are in {out / 'office.log'}.")
            sys.exit(1)
        if keep_office:
            shutil.copytree(Path(scratch, "data"), out / "office")
    seconds = time.monotonic() - began
    console.print(f"Certificate {number} stands in {out} after {seconds:.1f} s. Check it:")
    console.print(f"  farseal verify {out}/bundle.zip --trust {out}/trust.json", highlight=False)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
