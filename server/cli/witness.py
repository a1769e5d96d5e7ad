"""`farseal witness`: watch other offices' ledgers and cosign that they only grow."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from ledger.errors import LedgerError, RecoveryError, StoreError
from ledger.note import Algorithm, Cosigner, Verifier

SETTING, PORT_TAKEN, UNUSABLE = 2, 3, 5
_LOG_KEYS = (Algorithm.ED25519, Algorithm.MLDSA44_COSIGNATURE)


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the witness's keys and memory; the first start makes it.",
)
@click.option("--name", help="Name in its keys, such as witness.example/w1; the first start only.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    help="A verifier key of a ledger to watch, or a file that holds some (trust.json).",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="TCP port; 0 takes a free one.",
)
def command(directory: Path, name: str | None, logs: tuple[str, ...], host: str, port: int) -> None:
    """Watch ledgers: cosign each checkpoint that continues the one before, and no other.

    Prints its own verifier keys, for the policies of those who rely on it.
    """
    from server.cli.ledger import read_verifiers
    from server.observe import configure
    from server.witness_house import open_witness, serve

    try:
        watched = by_origin([key for given in logs for key in read_verifiers(given)])
        witness = open_witness(directory, name=name, logs=watched)
    except (RecoveryError, StoreError, OSError) as error:
        _stop(error, UNUSABLE)
    except (LedgerError, ValueError) as error:
        _stop(error, SETTING)
    configure()

    def ready(address: str) -> None:
        say(witness.keys, watched, address)

    try:
        asyncio.run(serve(witness, host=host, port=port, ready=ready))
    except OSError as error:
        _stop(error, PORT_TAKEN)
    finally:
        witness.close()


def by_origin(keys: Sequence[Verifier]) -> dict[str, tuple[Verifier, ...]]:
    """The keys a witness goes by, by the origin they sign for; others' are left out."""
    found: dict[str, tuple[Verifier, ...]] = {}
    for key in keys:
        if key.algorithm in _LOG_KEYS and key not in found.get(key.name, ()):
            found[key.name] = (*found.get(key.name, ()), key)
    if not found:
        raise ValueError("no key of a ledger was given with --log")
    return found


def say(keys: Cosigner, logs: dict[str, tuple[Verifier, ...]], address: str) -> None:
    """Tell where the witness listens, and the lines of a policy that names it."""
    click.echo(f"witness {keys.name} listens on {address}")
    for origin, verifiers in logs.items():
        kinds = ", ".join(f"{each.algorithm.name} {each.key_id.hex()}" for each in verifiers)
        click.echo(f"watches {origin}: {kinds}")
    click.echo("policy lines for those who rely on it:")
    for verifier, suffix in zip(keys.verifiers, ("ed25519", "mldsa44"), strict=True):
        click.echo(f"witness {keys.name}/{suffix} {verifier.vkey} {address}")
    click.echo(f"group {keys.name} all {keys.name}/ed25519 {keys.name}/mldsa44")
    sys.stdout.flush()


def _stop(error: Exception, code: int) -> NoReturn:
    click.secho(f"farseal witness: {error}", fg="red", err=True)
    sys.exit(code)
