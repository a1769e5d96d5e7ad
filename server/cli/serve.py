"""`farseal serve`: start the office and say who can come in, and how."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

SETTING, PORT_TAKEN, IN_USE, UNUSABLE = 2, 3, 4, 5


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    envvar="FARSEAL_DATA",
    help="Directory of databases, keys, objects and recordings.",
)
@click.option(
    "--host",
    default=None,
    show_default="127.0.0.1; with --tls every address",
    envvar="FARSEAL_HOST",
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    envvar="FARSEAL_PORT",
    help="TCP port; 0 takes a free one.",
)
@click.option(
    "--public-url",
    envvar="FARSEAL_PUBLIC_URL",
    help="What people type; stands in certificates, so the first start fixes it.",
)
@click.option(
    "--media-host",
    "media_hosts",
    multiple=True,
    envvar="FARSEAL_MEDIA_HOSTS",
    help="Address offered for video; may be repeated. Default: every local address.",
)
@click.option(
    "--media-ports",
    metavar="FIRST-LAST",
    envvar="FARSEAL_MEDIA_PORTS",
    help="UDP ports of video, for the firewall, like 40000-40999. Default: any the system picks.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    envvar="FARSEAL_WORKERS",
    help="Processes that forward and record video, one a core; 1 is the server's own.",
)
@click.option(
    "--turn",
    "turn",
    metavar="URL",
    multiple=True,
    envvar="FARSEAL_TURN",
    help="TURN server for browsers, turn: or turns:; may be repeated. Needs FARSEAL_TURN_SECRET.",
)
@click.option(
    "--tls",
    is_flag=True,
    envvar="FARSEAL_TLS",
    help="HTTPS with a certificate of our own, for phones on the local network.",
)
@click.option(
    "--tls-cert",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FARSEAL_TLS_CERT",
    help="HTTPS with this certificate chain (PEM) instead; needs --tls-key.",
)
@click.option(
    "--tls-key",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FARSEAL_TLS_KEY",
    help="The key of that certificate (PEM).",
)
@click.option(
    "--trust-proxy",
    is_flag=True,
    envvar="FARSEAL_TRUST_PROXY",
    help="Take callers' addresses from X-Forwarded-For; only behind a proxy that sets it.",
)
@click.option(
    "--ledger-database",
    metavar="URL",
    envvar="FARSEAL_LEDGER_DATABASE",
    help="Keep the ledger in PostgreSQL, at postgresql://user:password@host/name.",
)
@click.option(
    "--witness-policy",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FARSEAL_WITNESS_POLICY",
    help="File that names the ledger's witnesses and how many must sign (C2SP tlog-policy).",
)
@click.option(
    "--timestamp-authorities",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="FARSEAL_TIMESTAMP_AUTHORITIES",
    help="File that names other people's RFC 3161 authorities and their roots, to date the ledger.",
)
@click.option(
    "--gm",
    is_flag=True,
    envvar="FARSEAL_GM",
    help="Sign the ledger's checkpoints by SM2 too; needs the extra farseal[gm].",
)
def command(
    data: Path,
    host: str | None,
    port: int,
    public_url: str | None,
    media_hosts: tuple[str, ...],
    media_ports: str | None,
    workers: int,
    turn: tuple[str, ...],
    tls: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    trust_proxy: bool,
    ledger_database: str | None,
    witness_policy: Path | None,
    timestamp_authorities: Path | None,
    gm: bool,
) -> None:
    """Start the office: pages, API, live sessions, ledger.

    Ends by itself on Ctrl-C or SIGTERM, after everything that runs has been written down.
    """
    from server.config import ConfigError, read_config

    names = tuple(name for given in media_hosts for name in given.replace(",", " ").split())
    relays = tuple(url for given in turn for url in given.replace(",", " ").split())
    try:
        config = read_config(
            data=data,
            host=host,
            port=port,
            public_url=public_url,
            media_hosts=names or None,
            media_ports=media_ports,
            workers=workers,
            trust_proxy=trust_proxy,
            ledger_database=ledger_database,
            witness_policy=witness_policy,
            timestamp_authorities=timestamp_authorities,
            gm=gm,
            turn=relays,
            tls=tls,
            tls_cert=tls_cert,
            tls_key=tls_key,
            environment=os.environ,
        )
    except ConfigError as error:
        _stop(error, SETTING)

    from ledger.errors import LedgerError
    from server.app import PortTakenError, serve
    from server.folder import DirectoryBusyError
    from server.greeting import greet
    from server.observe import configure
    from signing.errors import SigningError

    configure()
    console = Console()
    try:
        asyncio.run(serve(config, ready=lambda office: greet(console, office)))
    except ConfigError as error:
        _stop(error, SETTING)
    except PortTakenError as error:
        _stop(error, PORT_TAKEN)
    except DirectoryBusyError as error:
        _stop(error, IN_USE)
    except (LedgerError, SigningError, OSError) as error:
        _stop(error, UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(0)


def _stop(error: Exception, code: int) -> NoReturn:
    click.secho(f"farseal: {error}", fg="red", err=True)
    sys.exit(code)
