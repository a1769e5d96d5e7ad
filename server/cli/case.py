"""`farseal case`: what the office's console does to one case, while the server is stopped."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from server.cli.usage import Commands
from server.cli.verify_words import spoken

if TYPE_CHECKING:
    from server.services.erasure import Erasure

T = TypeVar("T")
REFUSED, SETTING, IN_USE, UNUSABLE = 1, 2, 4, 5
_SHORT = 8

WORDS = {
    "zh-CN": {
        "ask": "此操作不可恢复。请输入 {short} 确认销毁",
        "other": "输入的编号不符。没有任何改动。",
        "erased": "{case}：证据密钥已销毁；删除了 {objects} 个对象、{takes} 个录像段文件。\n"
        "服务器下次启动时，账本会记入 erased 条目。\n"
        "密钥库和对象的备份里仍有这些内容：请让备份按期失效。",
        "held": "{case}：已设定保全。",
        "released": "{case}：已解除保全。",
    },
    "en": {
        "ask": "This cannot be undone. Type {short} to destroy it",
        "other": "That is not its id. Nothing was changed.",
        "erased": "{case}: evidence key destroyed, {objects} objects and {takes} takes deleted.\n"
        "The ledger gets its entry `erased` at the server's next start.\n"
        "Backups of the vault and of the objects still hold it: let them expire.",
        "held": "{case}: held.",
        "released": "{case}: released.",
    },
}

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path, exists=True),
    default=Path("data"),
    show_default=True,
    envvar="FARSEAL_DATA",
    help="Directory of databases, keys, objects and recordings.",
)
_reason = click.option("--reason", required=True, help="Why; kept with the case's register key.")


@click.group(cls=Commands)
def command() -> None:
    """Erase a case's evidence, or hold it. The server has to be stopped.

    Exit codes: 0 done, 1 refused, 2 a setting that cannot work, 4 a server uses the data
    directory, 5 the data directory cannot be used.
    """


@command.command("erase")
@click.argument("case")
@_data
@_reason
@click.option("--before-term", metavar="WHY", help="Why it must go although its term runs.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
def erase(case: str, data: Path, reason: str, before_term: str | None, yes: bool) -> None:
    """Destroy the evidence of CASE (its id, or the first 8 digits) for good.

    Its evidence key is destroyed, with its papers, recordings and pictures. Certificate, bundle,
    status and verification stay. Repeating it finishes one that was broken off.
    """
    from server.services.erasure import Erased

    async def work(erasure: Erasure) -> Erased | None:
        found = await erasure.find(case)
        if found.erased_at is None:
            await erasure.require_erasable(found.id, before_term=before_term)
            short = found.id[:_SHORT]
            if not yes and click.prompt(_say("ask", short=short), err=True) != short:
                return None
        return await erasure.erase(found.id, reason=reason, before_term=before_term)

    done = _run(data, work)
    if done is None:
        click.secho(_say("other"), err=True)
        sys.exit(REFUSED)
    click.echo(_say("erased", case=done.case_id, objects=done.objects, takes=done.takes))


@command.command("hold")
@click.argument("case")
@_data
@_reason
def hold(case: str, data: Path, reason: str) -> None:
    """Put a legal hold on CASE: nothing of it can be erased until it is released."""

    async def work(erasure: Erasure) -> str:
        found = await erasure.find(case)
        await erasure.hold(found.id, reason=reason)
        return found.id

    click.echo(_say("held", case=_run(data, work)))


@command.command("release")
@click.argument("case")
@_data
@_reason
def release(case: str, data: Path, reason: str) -> None:
    """Lift the legal hold on CASE."""

    async def work(erasure: Erasure) -> str:
        found = await erasure.find(case)
        await erasure.lift(found.id, reason=reason)
        return found.id

    click.echo(_say("released", case=_run(data, work)))


def _run(data: Path, work: Callable[[Erasure], Awaitable[T]]) -> T:
    """Do something with the cases of a data directory; what is refused ends the command."""
    from server.config import ConfigError, read_config
    from server.domain.errors import DomainError
    from server.folder import DirectoryBusyError
    from server.http.messages import read_catalogue
    from server.offline import open_erasure
    from server.storage.vault import VaultError

    async def opened() -> T:
        if not (data / "office").is_dir():  # or the settings would found one
            raise ConfigError(f"there is no office in {data}; nothing was changed")
        config = read_config(data=data, environment=os.environ)
        async with open_erasure(config, clock=lambda: time.time_ns() // 1_000_000) as erasure:
            return await work(erasure)

    try:
        return asyncio.run(opened())
    except DomainError as error:
        told = read_catalogue().problem(error.code, language=spoken(), params=error.params)
        _stop(f"{told['title']} {told['kept']} {told['next']}", REFUSED)
    except ConfigError as error:
        _stop(str(error), SETTING)
    except DirectoryBusyError as error:
        _stop(f"{error}. Erasing is done while the server is stopped; nothing was changed", IN_USE)
    except (VaultError, OSError) as error:
        _stop(str(error), UNUSABLE)


def _say(key: str, **given: object) -> str:
    return WORDS[spoken()][key].format(**given)


def _stop(words: str, code: int) -> NoReturn:
    click.secho(f"farseal: {words}", fg="red", err=True)
    sys.exit(code)
