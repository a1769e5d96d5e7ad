"""The composition root: everything is made here, handed to what needs it, and closed in reverse.

    serve(config, ready=...)     what `farseal serve` runs, until SIGINT or SIGTERM
    running(config, ...)         the same as a context, for tests and rehearsals

A start is a recovery: there is one path. Order: port, lock of the directory, office (keys),
database,
vault, ledger, accounts, services, journal, studio, jobs, doors. What was running when the last
process died is told to the services before the doors open.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiohttp import web

from ledger.log import Log
from ledger.read import respond
from server.backstage import Backstage, open_backstage
from server.config import Config, ConfigError, derive
from server.folder import locked
from server.greeting import Opened
from server.http.application import build
from server.http.limits import Limiter
from server.http.local_authority import LocalAuthority
from server.http.logins import Logins, caller_of
from server.http.messages import LANGUAGES, Catalogue, read_catalogue
from server.http.middleware import Doorman
from server.http.pages import Pages
from server.http.public import Public
from server.http.routes import Caller
from server.http.sandbox import Sandbox
from server.http.uploads import LARGEST_PAPER
from server.http.witness import Asker
from server.ledger_standing import tell_standing
from server.observe import logger
from server.open_ledger import OpenLedger, open_alone, open_ledger
from server.outbox.console import ConsoleOutbox
from server.services.accounts import Accounts, NewStaff, demo_staff
from server.storage.accounts import AccountStore
from server.storage.database import Database
from server.timestamps import OutsideTime
from server.tls import Address, Served, keep_fresh, own_addresses, own_certificate
from signing.ca import NotaryProfile, Office, OfficeProfile, open_office
from signing.keys import Secret

STATIC = Path(__file__).parent / "static"
DEMO_OFFICE = {
    "name_zh": "远山市公证处（示例）",
    "name_en": "Yuanshan Notary Office (demo)",
    "phone": "0000-12345678",
    "hours_zh": "工作日 9:00-17:00",
    "hours_en": "Working days 9:00-17:00",
}
STAND_INS = ("certificate-authority", "registry", "outbox")
_GOODBYE_S = 10.0


class PortTakenError(Exception):
    """Somebody else listens on the address."""


def wall_clock() -> int:
    """Return the time, ms UTC."""
    return time.time_ns() // 1_000_000


async def serve(
    config: Config,
    *,
    ready: Callable[[Opened], None],
    clock: Callable[[], int] = wall_clock,
) -> None:
    """Run an office until a signal asks it to stop; `ready` is told once the doors are open."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with running(config, clock=clock, failed=lambda _: stop.set()) as opened:
        ready(opened)
        await stop.wait()
        logger("app").info("stopping")


@asynccontextmanager
async def running(
    config: Config,
    *,
    clock: Callable[[], int] = wall_clock,
    random: Callable[[int], bytes] = secrets.token_bytes,
    print_line: Callable[[str], None] = print,
    failed: Callable[[str], None] = lambda _: None,
    warm: bool = True,
) -> AsyncIterator[Opened]:
    """Open an office and its doors; leaving closes everything, newest first.

    `failed(name)` is told when something the server cannot be without has ended; without `warm`
    the image analysis starts at its first use.

    Raises PortTakenError, DirectoryBusyError, ConfigError, and what office, ledger and vault raise
    for a damaged directory.
    """
    log = logger("app")
    async with AsyncExitStack() as closing:
        listening = closing.enter_context(_listening(config))
        port = int(listening.getsockname()[1])
        lock = closing.enter_context(locked(config.path("lock")))
        shown = await asyncio.to_thread(_served, config, clock())
        local = f"{'https' if shown else 'http'}://{_spoken(config, shown)}:{port}"
        config = replace(config, port=port, public_url=_public_url(config, local))
        people = demo_staff(lambda label: derive(config.secret, label))
        office = await asyncio.to_thread(_office, config, people, clock)

        database = Database(config.path("farseal.db"))
        await database.open()
        closing.push_async_callback(database.close)
        outbox = ConsoleOutbox(config.path("outbox.jsonl"), clock=clock, print_line=print_line)
        accounts = Accounts(
            AccountStore(database),
            key=derive(config.secret, "accounts"),
            send=outbox.send,
            clock=clock,
            random=random,
        )
        closing.push_async_callback(accounts.close)
        for person in people:
            await accounts.put_staff(person)

        ask = await closing.enter_async_context(Asker())
        office.trust_outside(root for each in config.authorities for root in each.roots)
        outside = _outside(config, ask, clock)
        ledger = await open_ledger(config, office, clock=clock, ask=ask, outside=outside)
        closing.push_async_callback(ledger.close)
        office.trust_ledger(ledger.generations, config.policy, since=lambda: ledger.witnessed_from)

        catalogue = read_catalogue()
        backstage = await closing.enter_async_context(
            open_backstage(
                config,
                lock=lock.fileno(),
                office=office,
                database=database,
                ledger=ledger,
                accounts=accounts,
                outbox=outbox,
                clock=clock,
                random=random,
                catalogue=catalogue,
                failed=failed,
                warm=warm,
                outside=outside,
            )
        )
        trusted = shown.authority_der() if shown else b""
        app = _doors(
            config, office, accounts, ledger, backstage, catalogue, clock=clock, trusted=trusted
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        closing.push_async_callback(backstage.hub.close)
        context = shown.context() if shown else None
        if shown is not None and context is not None:
            first: Served = shown
            backstage.tasks.start(
                keep_fresh(
                    context,
                    lambda: _served(config, clock()) or first,
                    told=lambda why: log.error("the certificate was not renewed", why=why),
                ),
                name="certificate of this server",
            )
        await web.SockSite(runner, listening, ssl_context=context).start()
        log.info("open", address=local, ledger_size=ledger.size)
        yield Opened(
            url=local,
            public_url=office.profile.public_url,
            data=str(config.data),
            name_zh=DEMO_OFFICE["name_zh"],
            name_en=DEMO_OFFICE["name_en"],
            root_fingerprint=office.root_fingerprint,
            ledger_size=ledger.size,
            people=people,
            now=clock(),
            authority=sha256(trusted).hexdigest() if trusted else "",
        )


@asynccontextmanager
async def ledger_alone(
    config: Config, *, clock: Callable[[], int] = wall_clock
) -> AsyncIterator[tuple[Office, Log]]:
    """An office's ledger behind shut doors, for commands: no server can run or start meanwhile.

    It is opened as a server opens it: recovered, its witnesses asked first. Raises ConfigError when
    no office was founded there, DirectoryBusyError, and what office and ledger raise.
    """
    async with AsyncExitStack() as closing:
        if not (config.path("office") / "office.json").exists():
            raise ConfigError(f"there is no office in {config.data}; nothing was changed")
        closing.enter_context(locked(config.path("lock")))
        config = replace(config, public_url=_public_url(config, ""))
        people = demo_staff(lambda label: derive(config.secret, label))
        office = await asyncio.to_thread(_office, config, people, clock)
        ask = await closing.enter_async_context(Asker())
        office.trust_outside(root for each in config.authorities for root in each.roots)
        outside = _outside(config, ask, clock)
        ledger = await open_alone(config, office, clock=clock, ask=ask, outside=outside)
        closing.push_async_callback(ledger.close)
        office.trust_ledger(ledger.generations, config.policy, since=lambda: ledger.witnessed_from)
        yield office, ledger


_LOOPBACK = ("127.0.0.1", "0.0.0.0", "::", "localhost")  # noqa: S104 - names, not a bind


@contextmanager
def _listening(config: Config) -> Iterator[socket.socket]:
    """Take the port before anything is written. Raises PortTakenError, ConfigError."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"no such address to listen on: {config.host}") from error
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(128)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTakenError(
                    f"port {config.port} on {config.host} is taken; "
                    "stop the other program or choose another with --port"
                ) from error
            raise ConfigError(
                f"cannot listen on {config.host}:{config.port} ({error.strerror})"
            ) from error
        listening.setblocking(False)
        yield listening


def _served(config: Config, now: int) -> Served | None:
    if config.tls_files is not None:
        return Served(*config.tls_files)
    if not config.tls:
        return None
    return own_certificate(config.path("tls"), addresses=_addresses(config), now=now)


def _addresses(config: Config) -> list[Address]:
    try:
        one = ipaddress.ip_address(config.host)
    except ValueError:
        return own_addresses()
    return own_addresses() if one.is_unspecified else [one]


def _spoken(config: Config, shown: Served | None) -> str:
    """The host in the address to type: with a certificate of our own, what a phone reaches."""
    if shown is not None and shown.authority is not None and config.host != "localhost":
        for each in _addresses(config):
            return f"[{each}]" if each.version == 6 else str(each)
    return "localhost" if config.host in _LOOPBACK else config.host


def _public_url(config: Config, local: str) -> str:
    """Return the address that stands in certificates: the one the office was founded with."""
    founded = config.path("office") / "office.json"
    fixed = json.loads(founded.read_text())["public_url"] if founded.exists() else None
    asked = config.public_url
    if fixed is not None and asked is not None and asked != fixed:
        raise ConfigError(
            f"this office was founded as {fixed}, which stands in its certificates; "
            f"leave --public-url out, or start another office with another --data"
        )
    return str(fixed or asked or local)


def _office(config: Config, people: tuple[NewStaff, ...], clock: Callable[[], int]) -> Office:
    notaries = tuple(
        NotaryProfile(each.staff.id, each.staff.name_zh, each.staff.name_en, each.staff.licence)
        for each in people
        if each.staff.role == "notary"
    )
    profile = OfficeProfile(
        name_zh=DEMO_OFFICE["name_zh"],
        name_en=DEMO_OFFICE["name_en"],
        public_url=config.public_url or "",
        origin=(config.public_url or "").split("://", 1)[1] + "/log",
        demo=True,
        notaries=notaries,
    )
    passphrase = Secret(derive(config.secret, "office").hex())
    office = open_office(config.path("office"), profile, passphrase, clock=clock)
    if config.gm:
        office.sign_by_sm2()
    return office


def _outside(config: Config, ask: Asker, clock: Callable[[], int]) -> OutsideTime | None:
    async def post(url: str, request: bytes) -> bytes:
        answer = await ask(url, request, kind="application/timestamp-query")
        if answer.status != 200:
            raise OSError(f"the authority answered with status {answer.status}")
        return answer.body

    return OutsideTime(config.authorities, post, clock=clock) if config.authorities else None


def _doors(
    config: Config,
    office: Office,
    accounts: Accounts,
    ledger: OpenLedger,
    backstage: Backstage,
    catalogue: Catalogue,
    *,
    clock: Callable[[], int],
    trusted: bytes,
) -> web.Application:
    limiter, sandbox = Limiter(clock=clock), Sandbox()
    log = logger("http")

    async def find_caller(token: str) -> Caller | None:
        return caller_of(await accounts.find(token))

    async def read_ledger(path: str) -> Any:
        return await asyncio.to_thread(respond, ledger.reader, path)

    async def read_former(number: str, path: str) -> Any:
        return await asyncio.to_thread(backstage.former.respond, number, path)

    def settings() -> dict[str, Any]:
        return {
            "office": dict(DEMO_OFFICE),
            "demo": True,
            "stand_ins": list(STAND_INS),
            "public_url": config.public_url,
            "max_upload_bytes": LARGEST_PAPER,
            "languages": list(LANGUAGES),
            "utc_offset_minutes": calendar.utc_offset_minutes,
            "now": clock(),
        }

    doorman = Doorman(
        find_caller=find_caller,
        limiter=limiter,
        secure=config.secure,
        trust_proxy=config.trust_proxy,
    )
    services, calendar = backstage.services, backstage.services.workplace.calendar
    rooms = (
        Public(
            config=settings,
            matters=services.intake.matters,
            matter=services.intake.matter,
            office=office,
            read_ledger=read_ledger,
            read_former=read_former,
            ledger_size=lambda: ledger.size,
            ledger_trouble=backstage.ledger_trouble,
            seals_wait_for=lambda: ledger.pending,
            ledger_scrub=lambda: (backstage.scrubber.damaged, backstage.scrubber.scrubbed_at),
            ledger_standing=lambda: tell_standing(
                ledger, backstage.scrubber, now=clock(), calendar=calendar
            ),
            in_thread=asyncio.to_thread,
            version=version("farseal"),
        ),
        Logins(accounts, doorman=doorman),
        *backstage.rooms(sandbox),
        *((LocalAuthority(trusted),) if trusted else ()),
        Pages(STATIC),
    )
    return build(rooms, doorman=doorman, catalogue=catalogue, log=log)
