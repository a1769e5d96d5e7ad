"""From a ledger whose keys have leaked to the ledger after it, on a stopped office.

    succession = Succession(config, office, log, clock=...)
    done = await succession.succeed(origin, leaked_from=..., wait_s=60)

In this order, and each step may be repeated after a crash: what waits is written into the old
ledger; its last entry, `log-closed`, names the new one; a mirror of it is kept under `former/`; the
new ledger gets its keys and its entry 0, `log-began`, which names the old one's last tree; open
cases are to be recorded in it anew; and then `office/ledger.json` makes it the present one, in one
rename. Until then the old ledger is the present one, closed.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import update

from ledger.entry import Submission
from ledger.errors import ClosedError, LedgerError, NotFoundError
from ledger.generations import Ending, Keybook, KnownLog
from ledger.handover import BEGAN, own_case
from ledger.log import Log
from ledger.mirror import mirror
from ledger.note import Checkpoint, LogKeys
from ledger.read import respond
from ledger.replay import Findings
from ledger.sqlite import SqliteStore
from server.config import Config
from server.domain.case import Case
from server.domain.events import Act
from server.domain.succession import GOES_ON, ON_THE_WAY, hold_again
from server.former import FOLDER
from server.journal import Journal
from server.services.assemble import commit_to
from server.storage import models
from server.storage.cases import CaseFiles
from server.storage.database import Database
from server.storage.outbox import Outbox
from server.storage.registers import Registers
from server.storage.vault import Vault
from signing.ca import Office
from signing.ledger_keys import folder_of
from signing.register import register_of
from signing.register_audit import audit_register

REASON = "ledger keys leaked; the ledger that recorded this ended"
_E = models.event


class UnfinishedError(Exception):
    """Cases are on their way to a certificate; a running server finishes them. `cases`: ids."""

    def __init__(self, cases: tuple[str, ...]) -> None:
        super().__init__("cases are on their way to a certificate")
        self.cases = cases


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What was done. sealed: whether witnesses and timestamp cover the old ledger's last tree.

    late: numbers whose bundle was made after the leak: these do not hold any more. again: cases
    whose session is held again. Times in ms.
    """

    ended: KnownLog
    origin: str
    sealed: bool
    late: tuple[str, ...]
    again: tuple[str, ...]
    going_on: int


class Succession:
    """One office's, whose ledger nobody else has open (`server.app.ledger_alone`)."""

    def __init__(
        self, config: Config, office: Office, log: Log, *, clock: Callable[[], int]
    ) -> None:
        self._config, self._office, self._log, self._clock = config, office, log, clock

    async def succeed(self, origin: str, *, leaked_from: int, wait_s: float) -> Succeeded:
        """Do all of it. leaked_from: ms; before it the keys were certainly the office's alone.

        Raises UnfinishedError before anything was changed, LedgerError, SigningError, OSError.
        """
        office, log = self._office, self._log
        number = office.ledger.place.number + 1
        database = Database(self._config.path("farseal.db"))
        await database.open()
        try:
            vault = Vault(
                self._config.path("vault.db"),
                secret=self._config.secret.reveal(),
                random=secrets.token_bytes,
            )
            try:
                cases = await self._open_cases(database, vault)
                await self._drain(database)
                sealed = await self._close(origin, wait_s)
                ended = await self._ended(leaked_from)
                first, keys = office.ledger.succeed(origin)
                await self._begin(number, keys, ended)
                again = await self._carry_over(database, vault, cases)
            finally:
                vault.close()
            registers = Registers(database)
            late = []
            for row in await registers.all():
                bundle = await registers.bundle(row.intent)
                if bundle is not None and bundle.at >= leaked_from:
                    late.append(row.text)
        finally:
            await database.close()
        size = log.size
        if ended.ending is None or ended.ending.size != size:
            raise LedgerError("the old ledger grew while it was closed; repeat the command")
        office.ledger.follow(number, origin, first, ended)
        return Succeeded(ended, origin, sealed, tuple(late), again, len(cases))

    async def _open_cases(self, database: Database, vault: Vault) -> tuple[Case, ...]:
        found = await self._files(database, vault).cases()
        unfinished = tuple(each.id for each in found if each.state in ON_THE_WAY)
        if unfinished:
            raise UnfinishedError(unfinished)
        return tuple(case for case in found if case.state in GOES_ON and case.erased_at is None)

    def _files(self, database: Database, vault: Vault) -> CaseFiles:
        register = register_of(self._office.ledger.place.origin)
        return CaseFiles(database, vault, commit_to=commit_to, register=register)

    async def _drain(self, database: Database) -> None:
        """What waits goes into the old ledger; what a closed one refuses, into the next."""
        journal = Journal(Outbox(database), self._log, clock=self._clock)
        try:
            await journal.drain()
        except ClosedError:
            return

    async def _close(self, origin: str, wait_s: float) -> bool:
        """Write the last entry; whether everybody asked has signed the tree it ends."""
        receipt = await self._log.tell(
            lambda sequencer: sequencer.close_log({"next": origin, "reason": "ledger-keys-leaked"})
        )
        try:
            async with asyncio.timeout(wait_s):
                await self._log.seal(receipt.index)
        except TimeoutError:
            return False
        return True

    async def _ended(self, leaked_from: int) -> KnownLog:
        """The old ledger as trust.json is to name it; a mirror of it is kept."""
        place = self._office.ledger.place
        known = KnownLog(place.origin, self._log.generations)
        folder = self._config.path(FOLDER) / str(place.number)

        def fetch(path: str, most: int) -> bytes:
            answer = respond(self._log.reader, path)
            if answer.status != 200:
                raise NotFoundError(path)
            return answer.body

        folder.parent.mkdir(mode=0o700, exist_ok=True)
        await asyncio.to_thread(mirror, fetch, folder, Keybook((known,)))
        last = Checkpoint.unverified(self._log.reader.note())
        ending = Ending(last.size, last.root, leaked_from, "ledger-keys")
        return KnownLog(place.origin, self._log.generations, ending, self._log.witnessed_from)

    async def _begin(self, number: int, keys: LogKeys, ended: KnownLog) -> None:
        """The new ledger and its entry 0; nobody outside is asked yet."""
        office, ending = self._office, ended.ending
        assert ending is not None  # `_ended` has made it
        directory = self._config.path(folder_of(number))
        directory.mkdir(mode=0o700, exist_ok=True)
        note = self._log.reader.note()
        own, register = own_case(ended.origin), register_of(ended.origin)
        chains = [*await self._log.chain(own), *await self._log.chain(register)]
        numbers = audit_register(ended.origin, sorted(chains), Findings())
        body = {
            "former": {
                "note_sha256": hashlib.sha256(note.encode()).hexdigest(),
                "origin": ended.origin,
                "root": ending.root.hex(),
                "size": ending.size,
            },
            "kind": BEGAN,
            "register": numbers.carried(),
        }
        log = await Log.open(
            SqliteStore(directory / "ledger.db"),
            keys=(keys,),
            guard=directory / "guard.json",
            clock=self._clock,
            timestamp=lambda data: asyncio.to_thread(
                office.timestamp, hashlib.sha256(data).digest()
            ),
        )
        try:
            if log.size == 0:
                case = own_case(keys.origin)
                event = hashlib.sha256(f"{case} {BEGAN} 0".encode()).hexdigest()[:32]
                await log.append(Submission("ledger", event, case, body))
        finally:
            await log.close()

    async def _carry_over(
        self, database: Database, vault: Vault, cases: tuple[Case, ...]
    ) -> tuple[str, ...]:
        """Open cases are recorded anew, from their first entry on, when the server starts."""
        files, again = self._files(database, vault), []
        for case in cases:
            async with files.change(case.id) as change:
                name = f"farseal/event/{case.id}/{self._office.ledger.place.number}/held-again"
                event = hashlib.sha256(name.encode()).hexdigest()[:32]
                act = Act("operator", self._clock(), event)
                before = change.session
                change.case, change.session, events = hold_again(
                    change.case, before, act, reason=REASON
                )
                change.emit(events)
                if events:
                    again.append(case.id)
                await change.connection.execute(
                    update(_E)
                    .where(_E.c.case_id == case.id, _E.c.chain == case.id)
                    .values(anchor_index=None, leaf_hash=None, anchored_at=None)
                )
        return tuple(again)
