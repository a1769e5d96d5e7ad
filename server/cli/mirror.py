"""`farseal ledger mirror URL DIR` and `fork FILE`: keep a copy that its operator cannot rewrite."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, cast

import click
from rich.console import Console
from rich.progress import Progress

from ledger.errors import ForkError, LedgerError, NoteError, StaleError, VerificationError
from ledger.fork import ForkProof
from ledger.kept import NEWEST
from ledger.mirror import Mirrored, mirror
from ledger.note import Verifier
from ledger.sm2 import Sm2Line
from server.cli import audit_words as catalogue
from server.cli.ledger import CLEAN, DAMAGED, UNUSABLE, read_keys
from server.cli.log_site import LogSite
from server.cli.verify_words import Language, Words, spoken, words
from signing.errors import SigningError
from signing.trust import Trust

LARGEST_PROOF = 1_000_000
UNSHOWN = words(
    "锚条目所指的时间戳、检查点和见证行中，有 {unshown} 个账本没有出示；"
    "没有它们，这些锚什么也证明不了。下次再取。",
    "Of the tokens, notes and witnesses' lines that anchor entries name, the log does not show "
    "{unshown}; without them those anchors prove nothing. The next run asks again.",
)
SM2: dict[Sm2Line, Words] = {
    "held": words("检查点的 SM2 签名行：已核对", "The checkpoint's SM2 line: checked"),
    "absent": words("检查点没有 SM2 签名行", "The checkpoint has no SM2 line"),
    "unchecked": words(
        "检查点的 SM2 签名行：没有核对，需要 [gm] 扩展（pip install 'farseal[gm]'）",
        "The checkpoint's SM2 line: not checked, needs the extra [gm] (pip install 'farseal[gm]')",
    ),
}

key_option = click.option(
    "--key",
    "keys",
    multiple=True,
    help="A verifier key of the log, or a file that holds some (trust.json, or one a line).",
)
trust_option = click.option(
    "--trust",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="trust.json, from the office or from paper. Without --key: DIR/trust.json.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
lang_option = click.option("--lang", type=click.Choice(["zh-CN", "en"]), help="Language.")


@click.command("mirror")
@click.argument("url")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@key_option
@trust_option
@json_option
@lang_option
def command(
    url: str,
    directory: Path,
    keys: tuple[str, ...],
    trust: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Copy the log under URL (https://office.example/log/) into DIRECTORY, or bring it up to date.

    Every file is checked against the signed checkpoint before it counts, and every checkpoint
    against the one kept before. May be killed at any time; run it again and it goes on. Exits with
    0 when the mirror is up to date, 1 when the log shows something that does not hold, or signed
    two histories (a proof is kept and printed), 3 when it could not look.
    """
    language = cast("Language", lang or spoken())
    console = Console(stderr=True, highlight=False)
    try:
        site = LogSite(url)
        verifiers = choose_keys(keys, trust, directory, console=console, language=language)
        done = fetch(site, directory, verifiers, console=console)
        sm2 = _sm2(directory, trust)
    except ForkError as error:
        report_fork(error, as_json=as_json, language=language)
    except StaleError as error:
        stop(error, UNUSABLE, as_json=as_json)
    except VerificationError as error:
        stop(error, DAMAGED, as_json=as_json)
    except (LedgerError, OSError, ValueError) as error:
        stop(error, UNUSABLE, as_json=as_json)
    if as_json:
        click.echo(json.dumps(asdict(done) | {"mirrored": True, "sm2": sm2}, indent=2))
    else:
        click.echo(catalogue.MIRRORED[language].format(**asdict(done)))
        if done.learned:
            click.echo(catalogue.LEARNED[language].format(learned=done.learned))
        if done.unshown:
            _say(UNSHOWN, language, unshown=done.unshown)
        if sm2 != "none":
            _say(SM2[sm2], language)
    sys.exit(CLEAN)


def _sm2(directory: Path, trust: Path | None) -> Sm2Line:
    """What is known of the SM2 line under the checkpoint that was mirrored. NoteError, OSError."""
    beside = directory / "trust.json"
    path = trust or (beside if beside.is_file() else None)
    try:
        known = Trust.load(path.read_bytes()) if path else None
    except SigningError:  # a file of keys alone
        return "none"
    if known is None or known.sm2 is None:
        return "none"
    note = (directory / NEWEST).read_text("utf-8")
    return known.sm2.line_of(note) if note.startswith(f"{known.origin}\n") else "none"


def fetch(
    site: LogSite, directory: Path, verifiers: Sequence[Verifier], *, console: Console
) -> Mirrored:
    """Mirror with a bar on standard error."""
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("mirror 镜像", total=None)
        return mirror(
            site,
            directory,
            verifiers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def choose_keys(
    keys: tuple[str, ...],
    trust: Path | None,
    directory: Path | None,
    *,
    console: Console,
    language: Language,
) -> Sequence[Verifier]:
    """The log's keys, as the caller gave them. Raises ValueError without any."""
    beside = directory / "trust.json" if directory else None
    if trust is None and not keys and beside is not None and beside.is_file():
        # Nothing of ours writes it there; whoever did is trusted, so say so.
        trust = beside
        console.print(catalogue.TRUSTED[language].format(where=beside), markup=False)
    try:
        found = read_keys([*keys, *([str(trust)] if trust else [])])
    except NoteError as error:  # the caller's key is none, which says nothing of the log
        raise ValueError(str(error)) from error
    if not found:
        raise ValueError(catalogue.NO_KEY[language])
    return found


def report_fork(error: ForkError, *, as_json: bool, language: Language) -> NoReturn:
    """Print the proof of a fork, so that it can be carried away, and exit."""
    if as_json:
        record = {"mirrored": False, "fork": error.proof.text, "kept": str(error.where)}
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        click.echo(catalogue.FORK[language], err=True)
        click.echo(catalogue.KEPT_AT[language].format(where=error.where), err=True)
        click.echo(error.proof.text, nl=False)
    sys.exit(DAMAGED)


def stop(error: Exception | str, code: int, *, as_json: bool) -> NoReturn:
    """Say why nothing was done, and exit."""
    if as_json:
        click.echo(json.dumps({"mirrored": False, "error": str(error)}, ensure_ascii=False))
    Console(stderr=True, highlight=False).print(str(error), style="red", markup=False)
    sys.exit(code)


@click.command("fork")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@key_option
@trust_option
@lang_option
def fork_command(file: Path, keys: tuple[str, ...], trust: Path | None, lang: str | None) -> None:
    """Check a proof of fork: that the log signed two histories that contradict each other.

    Exits with 0 when the proof holds, 1 when it does not, 3 when it could not look.
    """
    language = cast("Language", lang or spoken())
    console = Console(stderr=True, highlight=False)
    try:
        verifiers = choose_keys(keys, trust, None, console=console, language=language)
        text = file.read_bytes()[:LARGEST_PROOF].decode()
    except (LedgerError, OSError, ValueError) as error:
        stop(error, UNUSABLE, as_json=False)
    try:
        old, new = ForkProof.parse(text).verify(verifiers)
    except VerificationError as error:
        _say(catalogue.FORK_FAILS, language, error=str(error))
        sys.exit(DAMAGED)
    _say(catalogue.FORK_HOLDS, language, origin=old.origin, old=old.size, new=new.size)
    sys.exit(CLEAN)


def _say(sentence: Words, language: Language, **detail: object) -> None:
    click.echo(sentence[language].format(**detail))
