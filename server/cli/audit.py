"""`farseal ledger audit DIR|URL`: recompute everything a log says, from a copy of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from ledger.anchors import anchor_case
from ledger.audit import CHECKS, Audit, Quorum, audit
from ledger.between import Checked, check_anchors
from ledger.errors import ForkError, LedgerError, NoteError, VerificationError
from ledger.note import Checkpoint, Verifier
from ledger.policy import Policy
from ledger.replay import Finding, Findings
from ledger.sm2 import Sm2Line
from server.cli import audit_words as catalogue
from server.cli import mirror, trust_words
from server.cli.ledger import CLEAN, DAMAGED, UNUSABLE
from server.cli.log_site import LogSite
from server.cli.verify_words import OUTCOMES, Language, spoken
from server.cli.when import is_false, listen
from signing import register_audit
from signing.errors import SigningError, TrustError
from signing.register import register_of
from signing.trust import Trust

ORDER = (
    *("checkpoint", "sm2", "witnesses", *CHECKS[1:-1]),
    *("tokens", "anchors", "register", "status"),
)
_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "unavailable": ("–", "yellow")}


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller holds the log against, beside its keys."""

    keys: Sequence[Verifier]
    policy: Quorum | None
    trust: Trust | None
    status: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Result:
    """An audit and what the register's rules add to it.

    unavailable: what could not be looked at, with the word for why. facts: numbers for the report.
    """

    audit: Audit
    keys: int
    findings: tuple[Finding, ...]
    omitted: int
    unavailable: Mapping[str, str]
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not self.findings

    def outcome(self, check: str) -> str:
        if any(finding.check == check for finding in self.findings):
            return "failed"
        return "unavailable" if check in self.unavailable else "ok"

    def record(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "clean": self.clean,
            **self.facts,
            "root": self.audit.root,
            "checks": [{"check": check, "outcome": self.outcome(check)} for check in ORDER],
            "findings": [asdict(finding) for finding in self.findings],
            "omitted": self.omitted,
            "forks": [fork.text for fork in self.audit.forks],
        }


@click.command("audit")
@click.argument("source", metavar="DIR|URL")
@mirror.key_option
@mirror.trust_option
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A witness policy (C2SP tlog-policy); its quorum must have signed the checkpoint.",
)
@click.option(
    "--status",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A status list (the office's /status.json), to be recomputed; needs --trust.",
)
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; one for each core.")
@mirror.json_option
@mirror.lang_option
def command(
    source: str,
    keys: tuple[str, ...],
    trust: Path | None,
    policy: Path | None,
    status: Path | None,
    workers: int | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Recompute a mirrored log: entries, chains, tiles, root, signatures, register.

    A URL is mirrored into a temporary folder first. Exits with 0 when all that could be checked
    holds, 1 when something is not as it was signed (the entry or the tile is named), 3 when it
    could not look.
    """
    language = cast("Language", lang or spoken())
    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        try:
            remote = "://" in source
            site = LogSite(source) if remote else None
            beside = None if remote else Path(source)
            trusted = Trust.load(trust.read_bytes()) if trust else None
            verifiers = mirror.choose_keys(keys, trust, beside, console=console, language=language)
            given = _given(verifiers, trusted, policy, status)
            if site is not None:
                source = stack.enter_context(TemporaryDirectory(prefix="farseal-audit-"))
                mirror.fetch(site, Path(source), verifiers, console=console)
            result = examine(Path(source), given, workers=workers, console=console)
        except ForkError as error:
            mirror.report_fork(error, as_json=as_json, language=language)
        except VerificationError as error:
            mirror.stop(error, DAMAGED, as_json=as_json)
        except TrustError as error:
            mirror.stop(trust_words.told(error, language), UNUSABLE, as_json=as_json)
        except (LedgerError, SigningError, OSError, ValueError) as error:
            mirror.stop(error, UNUSABLE, as_json=as_json)
    if as_json:
        click.echo(json.dumps(result.record(), ensure_ascii=False, indent=2))
    else:
        show(result, language=language)
    sys.exit(CLEAN if result.clean else DAMAGED)


@dataclass(frozen=True, slots=True)
class Since:
    """A policy that counts from some size on: smaller trees are older than the witnesses."""

    policy: Policy
    size: int

    def holds(self, note: str) -> bool:
        return Checkpoint.unverified(note).size >= self.size and self.policy.holds(note)


def _given(
    keys: Sequence[Verifier], trusted: Trust | None, policy: Path | None, status: Path | None
) -> Given:
    quorum: Quorum | None = Policy.parse(policy.read_bytes()) if policy else None
    if quorum is None and trusted is not None and trusted.policy.asks:
        quorum = Since(trusted.policy, trusted.witnessed_from)
    listed = register_audit.read_status(status.read_bytes()) if status else None
    return Given(keys, quorum, trusted, listed)


def examine(directory: Path, given: Given, *, workers: int | None, console: Console) -> Result:
    """Audit a folder and its register. Raises LedgerError, OSError when it could not look."""
    origins = {key.name for key in given.keys}
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("audit 审计", total=None)
        done = audit(
            directory,
            given.keys,
            policy=given.policy,
            cases={each(origin) for origin in origins for each in (register_of, anchor_case)},
            kinds=register_audit.KINDS,
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    keys = sum(key.name == done.origin for key in given.keys)
    if not done.origin:
        nothing = dict.fromkeys((check for check in ORDER if check != "checkpoint"), "")
        return Result(done, keys, done.findings, done.omitted, nothing)
    found = Findings()
    numbers = register_audit.audit_register(done.origin, done.collected, found)
    unavailable = {} if done.witnessed is not None else {"witnesses": "witnesses"}
    tokens = register_audit.Tokens((), ())
    as_of = 0
    if given.trust is not None:
        tokens = register_audit.audit_tokens(directory, done.kept, given.trust, found)
    if given.trust is not None and given.status is not None:
        listed = register_audit.audit_status(given.status, numbers, given.trust, found)
        as_of = listed.as_of if listed else 0
    else:
        unavailable["status"] = "status"
    if tokens.unknown:
        unavailable["tokens"] = "tokens-unknown"
    elif not tokens.times:
        unavailable["tokens"] = "tokens-none" if given.trust else "tokens-unchecked"
    anchors = _anchors(directory, done, given.trust, found)
    if anchors is None or not anchors.verified:
        known = anchors is not None and anchors != Checked(0, 0, 0)
        why = "damaged" if anchors is None else "unverified" if known else "none"
        unavailable["anchors"] = f"anchors-{why}"
    sm2, signed = _sm2(done, given.trust, found)
    if sm2 != "held":
        unavailable["sm2"] = f"sm2-{sm2}"
    facts = {
        "origin": done.origin,
        "size": done.size,
        "tiles": done.tiles,
        "cases": done.cases,
        "kept": len({each.checkpoint.size for each in done.kept}),
        "beyond": done.beyond,
        "keys": keys,
        "witnessed": done.witnessed,
        "numbers": len(numbers.indexes),
        "completed": len(numbers.completed),
        "revoked": len(numbers.revoked),
        "tokens": len(tokens.times),
        "tokens_unknown": len(tokens.unknown),
        "at": max(tokens.times, default=0),
        "as_of": as_of,
        "anchors": asdict(anchors) if anchors is not None else None,
        "sm2": sm2,
        "sm2_signed": signed,
    }
    return Result(
        done,
        keys,
        (*done.findings, *found.listed),
        done.omitted + found.omitted,
        unavailable,
        facts,
    )


def _anchors(directory: Path, done: Audit, trust: Trust | None, found: Findings) -> Checked | None:
    """Each anchor held against what it names; None where the log itself does not hold, for then
    nothing tells which of the two is false."""
    if done.findings:
        return None
    witnessed = listen(directory, done, trust)
    return check_anchors(
        witnessed.anchors,
        witnessed.held,
        witnessed.said,
        found,
        witnesses=trust.policy.verifiers if trust else (),
        false_token=is_false,
    )


def _sm2(done: Audit, trust: Trust | None, found: Findings) -> tuple[Sm2Line, int]:
    """What is known of the SM2 line under the newest checkpoint, and under how many it holds."""
    key = trust.sm2 if trust else None
    if key is None or key.name != done.origin:
        return "none", 0
    lines: list[tuple[int, Sm2Line]] = []
    for each in done.kept:
        try:
            lines.append((each.checkpoint.size, key.line_of(each.note)))
        except NoteError as error:
            found.add("sm2", each.where, "signature", error=str(error))
    newest = [line for size, line in lines if size == done.size]
    return newest[0] if newest else "absent", sum(line == "held" for _, line in lines)


def show(result: Result, *, language: Language) -> None:
    """Print a report for people: the verdict first, then each check, then what was found."""
    console = Console(highlight=False)
    facts = {**result.facts, "at": _moment(result.facts.get("at"))}
    facts["as_of"] = _moment(result.facts.get("as_of"))
    anchors = result.facts.get("anchors")
    if isinstance(anchors, Mapping):
        facts |= dict(anchors) | {"latest": _moment(anchors["latest"])}
    if result.clean:
        verdict, style = catalogue.CLEAN[language].format(**facts), "bold green"
    else:
        count = len(result.findings) + result.omitted
        verdict, style = catalogue.DAMAGED[language].format(count=count), "bold red"
    console.print(escape(verdict), style=style, soft_wrap=True)
    for check in ORDER:
        outcome = result.outcome(check)
        mark, tint = _MARKS[outcome]
        told = _told(check, outcome, facts, language, why=result.unavailable.get(check, ""))
        title = escape(catalogue.CHECKS[check][language])
        word = OUTCOMES[outcome][language]
        line = f" [{tint}]{mark} {word}[/{tint}]  [bold]{title}[/bold]  {escape(told)}"
        console.print(line.rstrip(), soft_wrap=True)
    if result.findings:
        console.print(_table(result, language))
    if result.omitted:
        console.print(catalogue.OMITTED[language].format(omitted=result.omitted))
    if result.audit.beyond:
        console.print(catalogue.BEYOND[language].format(beyond=result.audit.beyond))
    if result.audit.learned:
        told = catalogue.LEARNED[language].format(learned=result.audit.learned)
        console.print(escape(told), soft_wrap=True)
    if result.keys == 1:
        console.print(catalogue.ONE_KEY[language])
    for fork in result.audit.forks:
        console.print(catalogue.FORK[language], style="bold red")
        click.echo(fork.text, nl=False)


def _told(
    check: str, outcome: str, facts: Mapping[str, object], language: Language, *, why: str
) -> str:
    if outcome == "failed":
        return ""
    if outcome == "unavailable":
        return catalogue.UNAVAILABLE[why][language].format(**facts)
    sentence = catalogue.FOUND.get(check)
    return sentence[language].format(**facts) if sentence else ""


def _table(result: Result, language: Language) -> Table:
    table = Table(show_header=False)
    for finding in result.findings:
        detail = dict(finding.detail)
        if finding.reason == "anchor-time":
            detail |= {name: _moment(at) for name, at in detail.items()}
        what = catalogue.REASONS[finding.reason][language].format(**detail)
        table.add_row(escape(place(finding.where, language)), escape(what))
    return table


def place(where: str, language: Language) -> str:
    """Where a finding is, in the reader's language: "条目 7", "tile 0/003"."""
    for separator in (" ", "/"):
        kind, found, name = where.partition(separator)
        if found and kind in catalogue.PLACES:
            return f"{catalogue.PLACES[kind][language]} {name}"
    return catalogue.PLACES[where][language] if where in catalogue.PLACES else where


def _moment(at: object) -> str:
    if not isinstance(at, int):
        return ""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
