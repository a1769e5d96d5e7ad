"""An office with its doors shut: what a command needs to change cases while no server runs.

It holds the data directory's lock, so a server can neither run nor start meanwhile. Nothing is
written into the ledger here: events wait in the outbox and are anchored at the server's next start.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from server.config import Config, ConfigError
from server.domain.calendar import load_calendar
from server.domain.rules import load_packs
from server.folder import locked
from server.services.assemble import commit_to
from server.services.erasure import Erasure
from server.storage.cases import CaseFiles
from server.storage.database import Database
from server.storage.objects import Objects
from server.storage.vault import Vault
from server.takes import TakeFiles
from signing.ledger_keys import Place
from signing.register import register_of


@asynccontextmanager
async def open_erasure(
    config: Config,
    *,
    clock: Callable[[], int],
    random: Callable[[int], bytes] = secrets.token_bytes,
    passed: Callable[[str], None] = lambda _name: None,
) -> AsyncIterator[Erasure]:
    """Open the cases of a data directory that no server uses.

    Raises ConfigError when no office was founded there, DirectoryBusyError while one runs.
    """
    async with AsyncExitStack() as closing:
        founded = config.path("office") / "office.json"
        if not founded.exists():
            raise ConfigError(f"there is no office in {config.data}; nothing was changed")
        closing.enter_context(locked(config.path("lock")))
        database = Database(config.path("farseal.db"))
        await database.open()
        closing.push_async_callback(database.close)
        vault = Vault(config.path("vault.db"), secret=config.secret.reveal(), random=random)
        closing.callback(vault.close)
        origin = str(json.loads(founded.read_text())["origin"])
        register = register_of(Place.read(config.path("office"), origin).origin)
        yield Erasure(
            CaseFiles(database, vault, commit_to=commit_to, register=register),
            vault,
            Objects(config.path("objects")),
            TakeFiles(config.path("recordings")),
            packs=load_packs(),
            calendar=load_calendar(),
            clock=clock,
            random=random,
            passed=passed,
        )
