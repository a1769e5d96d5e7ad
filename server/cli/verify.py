"""`farseal verify FILE`: check a certificate or an evidence bundle, with nothing but trust.json."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from server.cli.usage import Told
from signing.report import Check, Report

if TYPE_CHECKING:
    from server.cli.verify_words import Language

_DAY_MS = 86_400_000
_TIMES = ("at", "as_of", "signed_at", "sealed_at", "timestamped_at", "archived_at")
_SHAPES = {"valid": ("●", "green"), "invalid": ("■", "red"), "indeterminate": ("◆", "yellow")}
_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "unavailable": ("–", "yellow")}


class Usage(Told):
    """A wrong call. Exit code 2, click's own, means "indeterminate" here."""

    exit_code = 3


class VerifyCommand(click.Command):
    """Turns click's own usage errors into ours."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise Usage(error) from error


def _wrong(message: str) -> Usage:
    return Usage(click.UsageError(message, click.get_current_context()))


class _Text(click.ParamType[str]):
    """The text of a JSON file that exists."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            text = Path(value).read_text("utf-8")
            json.loads(text)
        except OSError as error:
            self.fail(f"{value} cannot be read: {error.strerror}", param, ctx)
        except (ValueError, RecursionError):  # a million brackets are no file of ours either
            self.fail(f"{value} is not JSON", param, ctx)
        return text


@click.command(cls=VerifyCommand, name="verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--trust", type=_Text(), help="trust.json from the office's site, or from paper.")
@click.option("--ledger", metavar="DIR|URL", help="A mirror of the ledger, for a bare PDF.")
@click.option("--status", type=_Text(), help="A newer status list (the office's /status.json).")
@click.option("--max-age", type=click.IntRange(0), metavar="DAYS", help="Refuse an older status.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--lang", type=click.Choice(["zh-CN", "en"]), help="Language of the report.")
def command(
    file: Path,
    trust: str | None,
    ledger: str | None,
    status: str | None,
    max_age: int | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Check a certificate PDF or an evidence bundle, offline.

    Exit codes: 0 valid, 1 invalid (also revoked), 2 indeterminate, 3 wrong usage.

    Nothing is fetched and nothing is sent, unless --ledger names a URL. What to trust is never
    taken from FILE: without --trust the answer is "indeterminate".
    """
    _require_trust(trust, lang)
    if ledger is not None and "://" not in ledger and not Path(ledger).is_dir():
        raise _wrong(f"--ledger: there is no directory {ledger}")
    from server.cli.verify_words import spoken
    from signing.confined import Request, verify_confined

    request = Request(
        at=time.time_ns() // 1_000_000,
        trust=trust,
        ledger=ledger,
        status=status,
        max_age_ms=None if max_age is None else max_age * _DAY_MS,
    )
    report = verify_confined(file.read_bytes(), request)
    if as_json:
        click.echo(json.dumps(report.record(), ensure_ascii=False, indent=2))
    else:
        show(report, file=file, language=cast("Language", lang or spoken()))
    sys.exit(report.exit_code)


def _require_trust(trust: str | None, lang: str | None) -> None:
    if trust is None:
        return
    from server.cli.trust_words import told
    from server.cli.verify_words import spoken
    from signing.errors import TrustError
    from signing.trust import Trust

    try:
        Trust.load(trust.encode())
    except TrustError as error:
        language = cast("Language", lang or spoken())
        raise _wrong(f"--trust: {told(error, language)}") from error


def show(report: Report, *, file: Path, language: Language) -> None:
    """Print a report for people: the verdict first, as a sentence, then the numbered checks."""
    from rich.console import Console
    from rich.markup import escape
    from rich.text import Text

    from server.cli import verify_words as catalogue

    console = Console(highlight=False)
    key = "revoked" if report.revoked else report.verdict
    shape, colour = _SHAPES[report.verdict]
    sentence = _fill(catalogue.VERDICTS[key][language], {"as_of": report.as_of})
    console.print(Text(f"{shape} {sentence}", style=f"bold {colour}"))
    number = report.facts.get("number") or report.facts.get("certificate", {}).get("number", "")
    console.print(Text(f"  {file.name}  {number}".rstrip(), style="dim"))
    if report.deciding is not None and report.verdict != "valid":
        console.print(f"  {escape(_told(report.deciding, language))}")
    console.print()
    for check in report.checks:
        mark, tint = _MARKS[check.outcome]
        title = catalogue.CHECKS[check.key][language]
        outcome = catalogue.OUTCOMES[check.outcome][language]
        console.print(
            f"{check.number:>3} [{tint}]{mark} {outcome}[/{tint}]  [bold]{escape(title)}[/bold]"
        )
        if told := _told(check, language):
            console.print(f"      {escape(told)}", soft_wrap=True)
        if check.against:
            against = catalogue.AGAINST[language] + check.against
            console.print(Text(f"      {against}", style="dim"), soft_wrap=True)
    if between := report.facts.get("between"):
        console.print()
        console.print(catalogue.BETWEEN_TITLE[language])
        for number, line in enumerate(between, 1):
            words = catalogue.BETWEEN["-".join(line[k] for k in ("key", "why") if k in line)]
            told = _fill(words[language], line)
            console.print(f"{number:>3} {escape(told)}", soft_wrap=True)
    held = sum(check.outcome == "ok" for check in report.checks)
    console.print()
    console.print(_fill(catalogue.CHECKED[language], {"total": len(report.checks), "ok": held}))
    for note in report.notes:
        console.print(f"[yellow]! {escape(catalogue.NOTES[note][language])}[/yellow]")


def _told(check: Check, language: Language) -> str:
    from server.cli import verify_words as catalogue

    if check.outcome == "ok":
        found = catalogue.FOUND.get(check.key)
        return _fill(found[language], check.detail) if found else ""
    reason = catalogue.REASONS.get(check.reason)
    return _fill(reason[language], check.detail) if reason else check.reason


class _Detail(dict[str, Any]):
    """A detail that lacks a value prints a dash, not a traceback."""

    def __missing__(self, key: str) -> str:
        return "–"


def _fill(sentence: str, detail: Mapping[str, Any]) -> str:
    shown = {
        key: _moment(value) if key in _TIMES and isinstance(value, int) else value
        for key, value in detail.items()
    }
    shown |= {key: ", ".join(map(str, v)) for key, v in shown.items() if isinstance(v, list)}
    return sentence.format_map(_Detail(shown))


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
