"""`farseal ledger when INDEX... DIR|URL`: between which times entries lie, and who says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import click
from rich.console import Console

from ledger.anchors import Anchor, anchor_case, anchors_of
from ledger.audit import Audit, audit
from ledger.between import (
    Between,
    Bounds,
    Hear,
    Heard,
    Held,
    Said,
    between,
    hear,
    read_held,
    roots_of,
)
from ledger.entry import Leaf
from ledger.errors import ForkError, LedgerError, VerificationError
from ledger.tiles import Mirror
from server.cli import mirror, trust_words
from server.cli import when_words as catalogue
from server.cli.ledger import CLEAN, DAMAGED, UNUSABLE
from server.cli.log_site import LogSite
from server.cli.verify_words import Language, spoken
from signing.errors import CertificateError, SigningError, TrustError
from signing.tokens import read_token
from signing.trust import Trust


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A log's anchors with their indexes, and what is at hand of what others said."""

    anchors: list[tuple[int, Anchor]]
    held: Held
    said: list[Said]


@click.command("when")
@click.argument("indexes", metavar="INDEX...", nargs=-1, required=True, type=click.IntRange(min=0))
@click.argument("source", metavar="DIR|URL")
@mirror.key_option
@mirror.trust_option
@mirror.json_option
@mirror.lang_option
def command(
    indexes: tuple[int, ...],
    source: str,
    keys: tuple[str, ...],
    trust: Path | None,
    as_json: bool,
    lang: str | None,
) -> None:
    """Say between which times the entries INDEX... were written, and whose word that is.

    The log is audited first; a URL is mirrored into a temporary folder. Only cosignatures and
    tokens at hand that verify by --trust count. Exits with 0 when it could say what there is to
    say, 1 when the log is not as it was signed, 3 when it could not look.
    """
    language = cast("Language", lang or spoken())
    console = Console(stderr=True, highlight=False)
    with ExitStack() as stack:
        try:
            site = LogSite(source) if "://" in source else None
            beside = None if site else Path(source)
            if trust is None and not keys and beside and (beside / "trust.json").is_file():
                trust = beside / "trust.json"
            trusted = Trust.load(trust.read_bytes()) if trust else None
            verifiers = mirror.choose_keys(keys, trust, beside, console=console, language=language)
            directory = Path(source)
            if site is not None:
                directory = Path(stack.enter_context(TemporaryDirectory(prefix="farseal-when-")))
                mirror.fetch(site, directory, verifiers, console=console)
            origins = {anchor_case(key.name) for key in verifiers}
            done = audit(directory, verifiers, cases=origins)
            if not done.clean:
                wrong = catalogue.DAMAGED[language].format(where=done.findings[0].where)
                mirror.stop(VerificationError(wrong), DAMAGED, as_json=as_json)
            for index in indexes:
                if index >= done.size:
                    told = catalogue.NO_ENTRY[language].format(index=index, size=done.size)
                    raise ValueError(told)
            witnessed = listen(directory, done, trusted)
            leaves = Mirror.at(directory).open(verifiers)
            times = {index: leaves.leaf(index).time for index in indexes}
        except ForkError as error:
            mirror.report_fork(error, as_json=as_json, language=language)
        except VerificationError as error:
            mirror.stop(error, DAMAGED, as_json=as_json)
        except TrustError as error:
            mirror.stop(trust_words.told(error, language), UNUSABLE, as_json=as_json)
        except (LedgerError, SigningError, OSError, ValueError) as error:
            mirror.stop(error, UNUSABLE, as_json=as_json)
    found = [between(index, witnessed.said, witnessed.anchors) for index in indexes]
    if as_json:
        entries = [asdict(each) | {"time": times[each.index]} for each in found]
        record = {"origin": done.origin, "size": done.size, "entries": entries}
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        for each in found:
            _show(each, times[each.index], language)
        if trusted is None:
            click.echo(catalogue.NO_TRUST[language])
    sys.exit(CLEAN)


def listen(directory: Path, done: Audit, trust: Trust | None) -> Witnessed:
    """What others said of a log whose audit found nothing wrong. Raises LedgerError, OSError."""
    leaves = (Leaf.parse(data) for _, data in done.collected)
    anchors = anchors_of(done.origin, leaves)
    held = read_held(directory)
    said = hear(
        held,
        roots_of(directory, done.size),
        origin=done.origin,
        size=done.size,
        witnesses=trust.policy.verifiers if trust else (),
        read_token=authority(trust) if trust else None,
    )
    return Witnessed(anchors, held, said)


def authority(trust: Trust) -> Hear:
    """Reads tokens by the trusted roots; one that leads to the office's own root is its own."""

    def read(token: bytes, note: bytes) -> Heard:
        found = read_token(token, digest=sha256(note).digest(), roots=trust.tsa_roots)
        who = found.certificate.subject.rfc4514_string()
        return Heard(found.at, who, outside=found.path[-1] not in trust.roots)

    return read


def is_false(token: bytes, note: bytes) -> bool:
    """Whether a token is not over a note, or not what its certificate signed. One that nobody
    trusted has signed is neither."""
    try:
        read_token(token, digest=sha256(note).digest(), roots=())
    except CertificateError:
        return False
    except SigningError:
        return True
    return False


def _show(each: Between, time: int, language: Language) -> None:
    click.echo(catalogue.ENTRY[language].format(index=each.index, time=_moment(time)))
    for side, bounds in (("not_before", each.not_before), ("not_after", each.not_after)):
        for told in _lines(bounds, language):
            click.echo(f"  {catalogue.SIDES[side][language]}  {told}")


def _lines(bounds: Bounds, language: Language) -> list[str]:
    told = [] if bounds.outside else [catalogue.UNAVAILABLE[language]]
    for kind in ("outside", "own", "named"):
        bound = getattr(bounds, kind)
        if bound is None:
            continue
        facts: Mapping[str, Any] = asdict(bound) | {
            "at": _moment(bound.at),
            "of": catalogue.OF[bound.of][language],
        }
        logged = catalogue.LOGGED[language].format(**facts)
        more = logged if kind != "named" and bound.anchor is not None else ""
        told.append(catalogue.PROVEN[kind][language].format(**facts) + more)
    return told


def _moment(at: int) -> str:
    """To the millisecond: a time cut short would say more than was said."""
    moment = datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
    return moment.isoformat(" ", "milliseconds").removesuffix("+00:00") + " UTC"
