"""`farseal ledger keys`, `rotate`, `retire`, `accept-clock`: what an office's console does to its
own ledger while the server is stopped."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

import click

from ledger.generations import Generation
from server.cli import keys_words as catalogue
from server.cli.verify_words import Language, Words, spoken

if TYPE_CHECKING:
    from ledger.log import Log
    from server.config import Config
    from signing.ca import Office

T = TypeVar("T")
REFUSED, SETTING, IN_USE, UNUSABLE = 1, 2, 4, 5

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path, exists=True),
    default=Path("data"),
    show_default=True,
    envvar="FARSEAL_DATA",
    help="Directory of databases, keys, objects and recordings.",
)
lang_option = click.option("--lang", type=click.Choice(["zh-CN", "en"]), help="Language.")
wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for witnesses and timestamp.",
)


class RefusedError(Exception):
    """What was asked for cannot be right now; nothing was changed."""


@click.command("keys")
@data_option
@lang_option
def keys_command(data: Path, lang: str | None) -> None:
    """List the generations of the ledger's keys: ids, which trees they sign, and their state.

    The server has to be stopped. Exit codes: 0 done, 1 refused, 2 a setting that cannot work,
    4 a server uses the data directory, 5 the data directory cannot be used.
    """
    language = cast("Language", lang or spoken())

    async def work(_config: Config, office: Office, log: Log) -> None:
        _show(office, log.generations, language)

    run(data, work)


@click.command("rotate")
@data_option
@wait_option
@lang_option
def rotate_command(data: Path, wait_s: float, lang: str | None) -> None:
    """Make new keys for the ledger and have them sign beside the present ones.

    \b
    1 `farseal ledger rotate`   both generations sign, the log itself names the new one
    2 give the new trust.json to witnesses and to whoever relies on the ledger; some weeks
    3 `farseal ledger retire`   the old generation signs no more, its private keys are destroyed

    The server has to be stopped; it starts again with both. Repeating the command finishes one
    that was broken off. Exit codes as for `keys`.
    """
    language = cast("Language", lang or spoken())

    async def work(_config: Config, office: Office, log: Log) -> None:
        signing = [each for each in log.generations if each.until_size is None]
        if len(signing) == 1:
            fresh = office.ledger.prepare()
            await log.tell(lambda sequencer: sequencer.rotate(fresh))
            office.ledger.tell(log.generations)
            office.trust()
        index = _began(log.generations)
        sealed = await _seal(log, index, wait_s)
        _say(catalogue.ROTATED if sealed else catalogue.ROTATED_WAITING, language, index=index)
        _show(office, log.generations, language)

    run(data, work)


@click.command("retire")
@data_option
@wait_option
@lang_option
def retire_command(data: Path, wait_s: float, lang: str | None) -> None:
    """End the overlap: the older generation signs no more, its private keys are destroyed.

    Refused while nobody outside could have learned of the new keys: before a checkpoint with both
    generations' lines is sealed (witnesses and timestamp, where there are any). The server has to
    be stopped. Repeating the command finishes one that was broken off. Exit codes as for `keys`.
    """
    language = cast("Language", lang or spoken())

    async def work(_config: Config, office: Office, log: Log) -> None:
        signing = [each for each in log.generations if each.until_size is None]
        gone = [each for each in log.generations if each.until_size is not None]
        left = {each.verifiers for each in gone} & {k.verifiers for k in office.ledger.at_hand}
        if len(signing) > 1:
            if not await _seal(log, _began(log.generations), wait_s):
                raise RefusedError(catalogue.NOT_SEALED[language])
            old = signing[0]
            await log.tell(lambda sequencer: sequencer.retire(old.verifiers))
            office.ledger.tell(log.generations)
            office.trust()
            left = {old.verifiers}
        elif not left:
            raise RefusedError(catalogue.NO_OVERLAP[language])
        removed = sum(office.ledger.destroy(verifiers) for verifiers in left)
        _say(catalogue.RETIRED, language, files=removed)
        _show(office, log.generations, language)

    run(data, work)


@click.command("accept-clock")
@click.argument("reason")
@data_option
@lang_option
def clock_command(reason: str, data: Path, lang: str | None) -> None:
    """Record that the machine's clock, which had jumped ahead, is right as it is, and why.

    A running log refuses to write by a clock that has jumped more than ten seconds ahead: one wrong
    time would poison all later ones. If the clock is wrong, put it right, and the log goes on. If
    it is right, stop the server, run this, and start it again. REASON stands in the public ledger:
    name no person. Exit codes as for `keys`.
    """
    language = cast("Language", lang or spoken())

    async def work(_config: Config, office: Office, log: Log) -> None:
        receipt = await log.accept_clock(reason)
        _say(catalogue.CLOCK, language, index=receipt.index)

    run(data, work)


def _began(generations: tuple[Generation, ...]) -> int:
    """The index of the entry that named the newest generation."""
    return max(each.from_size for each in generations) - 1


async def _seal(log: Log, index: int, wait_s: float) -> bool:
    """Whether everybody asked has signed a checkpoint over an entry, or does so now."""
    try:
        async with asyncio.timeout(wait_s):
            await log.seal(index)
    except TimeoutError:
        return False
    return True


def _show(office: Office, generations: tuple[Generation, ...], language: Language) -> None:
    click.echo(office.ledger.place.origin)
    at_hand = [keys.verifiers for keys in office.ledger.at_hand]
    for number, each in enumerate(generations, 1):
        ids = " ".join(key.key_id.hex() for key in each.verifiers)
        until = each.until_size
        state = catalogue.SIGNS if until is None else catalogue.SIGNED
        told = state[language].format(first=each.from_size, last=until)
        click.echo(f"  {number}  {ids}  {told}")
    named = [each.verifiers for each in generations]
    for verifiers in at_hand:
        if verifiers not in named:
            ids = " ".join(key.key_id.hex() for key in verifiers)
            click.echo(f"  -  {ids}  {catalogue.PREPARED[language]}")


def run(data: Path, work: Callable[[Config, Office, Log], Awaitable[T]]) -> T:
    """Do something with the ledger of a data directory; what is refused ends the command."""
    from ledger.errors import LedgerError
    from server.app import ledger_alone
    from server.config import ConfigError, read_config
    from server.folder import DirectoryBusyError
    from signing.errors import SigningError

    async def opened() -> T:
        if not (data / "office").is_dir():  # or the settings would found one
            raise ConfigError(f"there is no office in {data}; nothing was changed")
        database = os.environ.get("FARSEAL_LEDGER_DATABASE")
        config = read_config(data=data, ledger_database=database, environment=os.environ)
        async with ledger_alone(config) as (office, log):
            return await work(config, office, log)

    try:
        return asyncio.run(opened())
    except RefusedError as error:
        _stop(str(error), REFUSED)
    except ConfigError as error:
        _stop(str(error), SETTING)
    except DirectoryBusyError as error:
        _stop(f"{error}. This is done while the server is stopped; nothing was changed", IN_USE)
    except (LedgerError, SigningError, OSError) as error:
        _stop(str(error), UNUSABLE)


def _say(sentence: Words, language: Language, **detail: object) -> None:
    click.echo(sentence[language].format(**detail))


def _stop(told: str, code: int) -> NoReturn:
    click.secho(f"farseal: {told}", fg="red", err=True)
    sys.exit(code)
