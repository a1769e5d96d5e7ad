"""How a follower hands its submissions to the leader: through the database they share.

    submission(id, event_key, client, event, case_id, body, refusal)   waiting to be sequenced
    wish(idx)                                                          waiting to be sealed

No address to know and no second authentication: whoever may write the ledger may post here. It is
no evidence, so rows are deleted when they are done, and the tables are not in PostgreSQL's log:
if the server dies, they are empty, and whoever is still waiting posts again. Nothing can come out
twice, for an event has one place in the ledger, whoever submits it and however often.

NOTIFY wakes the other side; whoever misses one looks again within a second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import Column, Identity, LargeBinary, MetaData, Table, Text

from ledger.entry import Submission, canonical_json
from ledger.errors import EntryError, StoreError
from ledger.store import NUMBER

MAILBOX = MetaData()
submission = Table(
    "submission",
    MAILBOX,
    Column("id", NUMBER, Identity(always=True), primary_key=True),
    Column("event_key", LargeBinary, nullable=False, unique=True),
    Column("client", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("refusal", Text),
    prefixes=["UNLOGGED"],
)
wish = Table(
    "wish",
    MAILBOX,
    Column("idx", NUMBER, primary_key=True, autoincrement=False),
    prefixes=["UNLOGGED"],
)

POSTED, DONE = "farseal_ledger_posted", "farseal_ledger_done"
"""The channels that wake the leader, and the others."""

_POST = """
INSERT INTO submission (event_key, client, event, case_id, body)
SELECT * FROM unnest(%b::bytea[], %t::text[], %t::text[], %t::text[], %b::bytea[])
ON CONFLICT DO NOTHING
"""
_UNREAD = """
SELECT event_key, client, event, case_id, body FROM submission WHERE refusal IS NULL
ORDER BY id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A submission in the mailbox. submission: None when what was posted is none."""

    key: bytes
    submission: Submission | None


class Mailbox:
    """One process's two connections to the mailbox: one that speaks, one that listens.

    Every call raises StoreError while the database cannot be reached; `open` it again.
    """

    def __init__(self, conninfo: str, *, settings: dict[str, Any]) -> None:
        self._conninfo = conninfo
        self._settings = settings
        self._mouth: AsyncConnection[Any] | None = None
        self._ear: AsyncConnection[Any] | None = None
        self._speaking = asyncio.Lock()

    async def open(self) -> None:
        """Connect anew, and listen."""
        await self.close()
        try:
            self._mouth = await self._connect()
            # Losing a letter costs a second, and waiting for the disk a letter each.
            await self._mouth.execute("SET synchronous_commit = off")
            self._ear = await self._connect()
            await self._ear.execute(f"LISTEN {POSTED}")
            await self._ear.execute(f"LISTEN {DONE}")
        except psycopg.Error as error:
            raise _unreachable(error) from error

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._conninfo, autocommit=True, **self._settings)

    async def close(self) -> None:
        for connection in (self._mouth, self._ear):
            if connection is not None:
                await connection.close()
        self._mouth = self._ear = None

    async def heard(self, timeout_s: float) -> set[str]:
        """The channels on which something was said, once something is; empty after the timeout."""
        if self._ear is None:
            raise StoreError("the ledger's mailbox is not open")
        try:
            heard = self._ear.notifies(timeout=timeout_s, stop_after=1)
            return {each.channel async for each in heard}
        except psycopg.Error as error:
            raise _unreachable(error) from error

    # -- a follower ---------------------------------------------------------------------------

    async def post(self, submissions: Sequence[Submission]) -> None:
        """Ask the leader to append; asking twice is asking once."""
        columns: tuple[list[Any], ...] = (
            [each.key for each in submissions],
            [each.client for each in submissions],
            [each.event for each in submissions],
            [each.case for each in submissions],
            [canonical_json(each.body) for each in submissions],
        )
        await self._say(_POST, columns)
        await self._say(f"NOTIFY {POSTED}")

    async def refusals(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Why the leader would not append some of these; taken out of the mailbox."""
        query = (
            "DELETE FROM submission WHERE event_key = ANY(%b::bytea[]) AND refusal IS NOT NULL "
            "RETURNING event_key, refusal"
        )
        return dict(await self._say(query, (list(keys),)))

    async def wish(self, index: int) -> None:
        """Ask the leader to seal an entry."""
        await self._say("INSERT INTO wish VALUES (%s) ON CONFLICT DO NOTHING", (index,))
        await self._say(f"NOTIFY {POSTED}")

    # -- the leader ---------------------------------------------------------------------------

    async def unread(self, limit: int) -> list[Letter]:
        """The oldest submissions that were not answered."""
        return [Letter(key, _read(*rest)) for key, *rest in await self._say(_UNREAD, (limit,))]

    async def wishes(self) -> list[int]:
        return [index for (index,) in await self._say("SELECT idx FROM wish ORDER BY idx")]

    async def answer(self, keys: Sequence[bytes]) -> None:
        """These are in the ledger, where whoever asked will find them."""
        await self._say("DELETE FROM submission WHERE event_key = ANY(%b::bytea[])", (list(keys),))
        await self.wake()

    async def refuse(self, key: bytes, why: str) -> None:
        """This one is not; whoever asked is told why."""
        await self._say("UPDATE submission SET refusal = %s WHERE event_key = %b", (why, key))
        await self.wake()

    async def fulfil(self, index: int) -> None:
        await self._say("DELETE FROM wish WHERE idx = %s", (index,))
        await self.wake()

    async def wake(self) -> None:
        """There is something new for the others to see."""
        await self._say(f"NOTIFY {DONE}")

    async def _say(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        async with self._speaking:
            if self._mouth is None:
                raise StoreError("the ledger's mailbox is not open")
            try:
                cursor = await self._mouth.execute(query, values or None)
                return await cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                raise _unreachable(error) from error


def _read(client: str, event: str, case: str, body: bytes) -> Submission | None:
    try:
        return Submission(client, event, case, json.loads(body))
    except (ValueError, TypeError, EntryError):
        return None


def _unreachable(error: psycopg.Error) -> StoreError:
    return StoreError(f"the ledger's database cannot be reached: {error}")
