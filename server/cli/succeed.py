"""`farseal ledger succeed`: end a ledger whose keys have leaked, and go on with another."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from server.cli import succeed_words as catalogue
from server.cli.keys import RefusedError, data_option, lang_option, run, wait_option
from server.cli.verify_words import Language, Words, spoken

if TYPE_CHECKING:
    from ledger.log import Log
    from server.config import Config
    from server.succession import Succeeded
    from signing.ca import Office

_LONGEST = 100


@click.command("succeed")
@click.option(
    "--leaked-from",
    required=True,
    metavar="TIME",
    help="The last moment at which the keys were certainly yours, such as 2026-11-24T02:00:00Z.",
)
@click.option("--origin", help="The new ledger's name. [default: the first one's, /2, /3, ...]")
@data_option
@wait_option
@lang_option
def command(
    leaked_from: str, origin: str | None, data: Path, wait_s: float, lang: str | None
) -> None:
    """End the ledger, because its keys have leaked, and go on with another.

    \b
    1 the old ledger's last entry names the new one; a mirror of it is kept and shown
    2 new keys, a new origin, and an entry 0 that names the old ledger's last tree
    3 trust.json names both: of the old one counts what was dated before TIME, and its last tree
    4 open cases go on in the new one; sessions without a certificate are held again

    The server has to be stopped. Until the last moment the old ledger stays the present one, so the
    command may be repeated when it was broken off. Exit codes: 0 done, 1 refused, 2 a setting that
    cannot work, 4 a server uses the data directory, 5 the data directory cannot be used.
    """
    language = cast("Language", lang or spoken())

    async def work(config: Config, office: Office, log: Log) -> tuple[Succeeded, int]:
        from server.succession import Succession, UnfinishedError

        place = office.ledger.place
        now = time.time_ns() // 1_000_000
        at = _moment(leaked_from, now, language)
        named = origin or f"{office.profile.origin}/{place.number + 1}"
        used = {place.origin, *(each.origin for each in place.former)}
        if set(named) & set(" +\n\t") or not 0 < len(named.encode()) <= _LONGEST or named in used:
            raise RefusedError(catalogue.NOT_AN_ORIGIN[language].format(given=named))
        if config.ledger_database is not None:
            raise RefusedError(catalogue.POSTGRES[language])
        succession = Succession(config, office, log, clock=lambda: time.time_ns() // 1_000_000)
        try:
            return await succession.succeed(named, leaked_from=at, wait_s=wait_s), place.number
        except UnfinishedError as error:
            cases = ", ".join(each[:8] for each in error.cases)
            raise RefusedError(catalogue.UNFINISHED[language].format(cases=cases)) from error

    async def forget(_config: Config, office: Office, _log: Log) -> int:
        return office.ledger.forget()  # opening the new ledger has written the new trust.json

    done, number = run(data, work)
    removed = run(data, forget)
    _tell(done, number, removed, data, language)


def _tell(done: Succeeded, number: int, removed: int, data: Path, language: Language) -> None:
    ending = done.ended.ending
    assert ending is not None  # a ledger that was succeeded has ended
    _say(
        catalogue.DONE,
        language,
        old=done.ended.origin,
        size=ending.size,
        root=ending.root.hex(),
        new=done.origin,
        folder=data / "former" / str(number),
        number=number,
        files=removed,
    )
    if not done.sealed:
        _say(catalogue.UNSEALED, language)
    _say(catalogue.GOING_ON, language, count=done.going_on)
    for case in done.again:
        _say(catalogue.AGAIN, language, case=case[:8])
    for late in done.late:
        _say(catalogue.LATE, language, number=late)


def _moment(given: str, now: int, language: Language) -> int:
    try:
        told = datetime.fromisoformat(given)
    except ValueError:
        told = None
    at = None if told is None or told.tzinfo is None else int(told.timestamp() * 1000)
    if at is None or not 0 <= at <= now:
        raise RefusedError(catalogue.NOT_A_TIME[language].format(given=given[:40]))
    return at


def _say(sentence: Words, language: Language, **detail: object) -> None:
    click.echo(sentence[language].format(**detail))
