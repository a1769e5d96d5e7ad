"""An office's ledger, opened: in a file of its own, or in PostgreSQL, which servers may share.

    open_ledger    as a server has it: on PostgreSQL it leads, or follows the server that does
    open_alone     as a command has it: nobody else may have it open

Only who leads asks witnesses and the timestamp authority and logs back what they said; a server
that follows reads it in the database.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ledger.cosigning import Ask, Witnesses
from ledger.entry import Receipt, Submission
from ledger.generations import Generation
from ledger.log import Log
from ledger.policy import Policy
from ledger.read import LogReader
from ledger.sqlite import SqliteStore
from ledger.standing import Survey
from ledger.store import Store
from server.config import Config, ConfigError
from server.services.ledger_port import Ledger
from server.timestamps import OutsideTime
from signing.ca import Office
from signing.tokens import read_stamp

_TAKEOVER_S = 5.0
"""How long a command waits for the lock, which a killed server's session may still hold."""


class OpenLedger(Ledger, Protocol):
    """What the server has of a ledger: `Log` and `SharedLog` are one, whoever leads."""

    @property
    def size(self) -> int:
        """How many entries are durable, as far as this process has seen."""
        ...

    @property
    def reader(self) -> LogReader:
        """The ledger's public files."""
        ...

    @property
    def survey(self) -> Survey:
        """What the ledger tells everybody of itself; not for the event loop."""
        ...

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Whose keys sign which trees."""
        ...

    @property
    def witnessed_from(self) -> int | None:
        """The size of the first tree that was sealed with cosignatures; it reads the disk."""
        ...

    async def append(self, submission: Submission) -> Receipt:
        """Record a fact durably; repeating it changes nothing."""
        ...

    async def close(self) -> None:
        """Commit what is pending; leave the lead to another, if this process has it."""
        ...


async def open_ledger(
    config: Config,
    office: Office,
    *,
    clock: Callable[[], int],
    ask: Ask,
    outside: OutsideTime | None,
) -> OpenLedger:
    """Open the ledger of a server that starts. Raises ConfigError, LedgerError."""
    if config.ledger_database is None:
        return await open_alone(config, office, clock=clock, ask=ask, outside=outside)
    from ledger.shared import SharedLog  # an office on files needs no driver for a server

    witnesses = _witnesses(config.policy, office, clock, ask)
    guard = _directory(config, office) / "guard.json"
    return await SharedLog.open(
        config.ledger_database.reveal().decode(),
        lead=_opening(office, guard, witnesses, clock, outside),
        keys=office.ledger.at_hand[0],
        guard=guard,
        witnesses=witnesses,
        timestamped=True,
    )


async def open_alone(
    config: Config,
    office: Office,
    *,
    clock: Callable[[], int],
    ask: Ask,
    outside: OutsideTime | None,
) -> Log:
    """Open the ledger while no server has it. Raises LockedError when one does."""
    witnesses = _witnesses(config.policy, office, clock, ask)
    directory = _directory(config, office)
    opening = _opening(office, directory / "guard.json", witnesses, clock, outside)
    return await opening(_store(config, directory))


def _opening(
    office: Office,
    guard: Path,
    witnesses: Witnesses | None,
    clock: Callable[[], int],
    outside: OutsideTime | None,
) -> partial[Coroutine[Any, Any, Log]]:
    async def timestamp(note: bytes) -> bytes:
        return await asyncio.to_thread(office.timestamp, hashlib.sha256(note).digest())

    return partial(
        Log.open,
        keys=office.ledger.at_hand,
        guard=guard,
        clock=clock,
        timestamp=outside.timestamp if outside else timestamp,
        read_token=lambda token, note: read_stamp(token, note, roots=office.tsa_roots),
        witnesses=witnesses,
    )


def _directory(config: Config, office: Office) -> Path:
    directory = config.path(office.ledger.place.folder)
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _store(config: Config, directory: Path) -> Store:
    if config.ledger_database is None:
        return SqliteStore(directory / "ledger.db")
    from ledger.postgres import PostgresStore

    return PostgresStore(config.ledger_database.reveal().decode(), patience_s=_TAKEOVER_S)


def _witnesses(
    policy: Policy, office: Office, clock: Callable[[], int], ask: Ask
) -> Witnesses | None:
    ours = tuple(key for each in office.ledger.at_hand for key in each.verifiers)
    if policy.logs and not {log.verifier for log in policy.logs} & set(ours):
        raise ConfigError(
            "the witness policy names other ledgers than this office's; this one's keys: "
            + " ".join(key.vkey for key in ours)
        )
    if not policy.by_url():
        return None
    return Witnesses(policy, ask=ask, log_keys=ours, clock=clock)
