"""The one door for change: a case, its current session, and their events, in one transaction.

    async with files.change(case_id) as change:
        change.case, events = application.submit(change.case, act, ...)
        change.emit(events)

On leaving, the case's version is checked and raised, events are written with the leaf bodies they
will have in the ledger (salted commitments, computed here while the case's keys are at hand), and
all of it commits or nothing does. Then subscribers are told.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.domain.canonical import canonical, digest
from server.domain.case import Case, CaseState
from server.domain.errors import DomainError
from server.domain.events import ERASED, Event
from server.domain.session import Session
from server.storage import digests, models
from server.storage.codec import decode, encode, to_plain
from server.storage.database import Database
from server.storage.digests import Beside, Committer, Digests
from server.storage.erasures import read_husk
from server.storage.outbox import WrittenEvent
from server.storage.vault import ErasedError, Purpose, Vault

Listener = Callable[[str, str | None], None]
MACHINES = ("system", "recorder", "analysis", "operator")
"""Actors that stand in the ledger by name: machines, and whoever works at the server's console."""
_CASES = select(models.case, models.erasure.c.husk).outerjoin(models.erasure)


class Change:
    """What one transaction does to a case. Assign `case` and `session`; `emit` their events."""

    def __init__(
        self,
        connection: AsyncConnection,
        case: Case,
        session: Session | None,
        *,
        digests: Digests,
    ) -> None:
        self.connection = connection
        self.digests = digests
        self.case = case
        self.session = session
        self.also: Session | None = None
        self.events: list[Event] = []

    def emit(self, events: Sequence[Event]) -> None:
        """Write these events with the change, in this order."""
        self.events += events

    @property
    def held(self) -> Session:
        """The session this change was opened with; refuses `session-unknown` if there is none."""
        if self.session is None:
            raise DomainError("session-unknown")
        return self.session


class CaseFiles:
    """Reads and changes cases and sessions. `register` is the id of the public register's chain.

    `beside` commits by a second algorithm too, in the matters that ask for it.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        commit_to: Committer,
        register: str,
        beside: Beside | None = None,
    ) -> None:
        self.database = database
        self._vault = vault
        self._commit_to = commit_to
        self._register = register
        self._beside = beside
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every committed change; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def create(self, case: Case, events: Sequence[Event]) -> None:
        """A new case, with keys of its own (made, durably, before anything is encrypted)."""
        self._vault.create(case.id)
        async with self.database.write() as connection:
            await connection.execute(insert(models.case).values(**self._case_row(case, version=0)))
            await self._write_events(connection, events, self.digests(case.matter))
        self._tell(case.id, None)

    @asynccontextmanager
    async def change(
        self, case_id: str | None = None, *, session_id: str | None = None
    ) -> AsyncIterator[Change]:
        """One change of a case (or of the case a session belongs to, with that session).

        With a case id alone, the case's newest session comes along. Refuses `case-unknown`,
        `case-erased`, `session-unknown`; raises `case-changed` if somebody else changed it
        meanwhile.
        """
        async with self.database.write() as connection:
            session = None
            if session_id is not None:
                session = await self._session(connection, session_id)
                case_id = session.case_id
            case = await self._case(connection, case_id or "")
            if session is None and case.sessions:
                session = await self._session(connection, case.sessions[-1])
            change = Change(connection, case, session, digests=self.digests(case.matter))
            yield change
            if change.case != case:
                await self._save_case(connection, change.case, version=case.version)
            for changed in (change.session, change.also):
                if changed is not None and changed != session:
                    await self._save_session(connection, changed)
            await self._write_events(connection, change.events, change.digests)
        for told in (change.session, change.also):
            self._tell(change.case.id, told.id if told else None)

    @asynccontextmanager
    async def telling(self, event: Event) -> AsyncIterator[AsyncConnection]:
        """Write an event that changes no case, with what belongs to it, in one transaction.

        The case may be erased: so does the register go on, and so is the erasure itself told.
        """
        async with self.database.write() as connection:
            yield connection
            await self._write_events(connection, [event], Digests())
        self._tell(event.case_id, None)

    def digests(self, matter: str) -> Digests:
        """What a transaction on a case of this matter learns of contents."""
        asked = self._beside is not None and self._beside.asks(matter)
        return Digests(self._beside if asked else None)

    async def note(
        self, case_id: str, content: bytes, *, within: AsyncConnection | None = None
    ) -> None:
        """Remember a content's second digest, if its matter asks, for the events that will name it.

        Within a transaction hand in its connection: a second writer would wait for the first.
        """
        if self._beside is None:
            return
        if within is None:
            async with self.database.write() as connection:
                await self.note(case_id, content, within=connection)
            return
        query = select(models.case.c.matter).where(models.case.c.id == case_id)
        if self._beside.asks(await within.scalar(query) or ""):
            cipher = self._vault.cipher(case_id)
            await digests.keep(within, case_id, content, beside=self._beside, cipher=cipher)

    async def case(self, case_id: str) -> Case:
        """A case as committed; refuses `case-unknown`, `case-erased`."""
        async with self.database.read() as connection:
            return await self._case(connection, case_id)

    async def case_or_husk(self, case_id: str) -> Case:
        """A case as committed, or what is left of it once it was erased; refuses `case-unknown`."""
        async with self.database.read() as connection:
            return await self._case_or_husk(connection, case_id)

    async def session(self, session_id: str) -> Session:
        """A session as committed; refuses `session-unknown`, `case-erased`."""
        async with self.database.read() as connection:
            return await self._session(connection, session_id)

    async def both(self, session_id: str) -> tuple[Case, Session]:
        """A session and its case, of one moment."""
        async with self.database.read() as connection:
            session = await self._session(connection, session_id)
            return await self._case(connection, session.case_id), session

    async def sessions_of(self, case_id: str) -> tuple[Session, ...]:
        """Every session of a case, in the order of their numbers."""
        table = models.session
        query = select(table).where(table.c.case_id == case_id).order_by(table.c.number)
        async with self.database.read() as connection:
            return await self._sessions(connection, query)

    async def cases(self, *, applicant: str | None = None) -> tuple[Case, ...]:
        """Cases, newest first; all of them, or those of an applicant. Erased ones are husks."""
        query = _CASES.order_by(models.case.c.created_at.desc())
        if applicant is not None:
            query = query.where(models.case.c.applicant == applicant)
        async with self.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(self._read_case(row) for row in rows)

    async def sessions_in(self, *states: str) -> tuple[Session, ...]:
        """Sessions standing in one of the states, oldest first; not those of erased cases."""
        table = models.session
        query = select(table).where(table.c.state.in_(states)).order_by(table.c.opened_at)
        async with self.database.read() as connection:
            return await self._sessions(connection, query)

    def private(self, event: WrittenEvent) -> dict[str, Any]:
        """What an event kept to itself: {"facts", "items"[, "sm3"]}. Raises ErasedError."""
        purpose = self._purpose(event.kind, on_register=event.chain == self._register)
        cipher = self._vault.cipher(event.case_id, purpose)
        value: dict[str, Any] = json.loads(cipher.decrypt(event.private, f"event/{event.id}"))
        return value

    async def _case(self, connection: AsyncConnection, case_id: str) -> Case:
        case = await self._case_or_husk(connection, case_id)
        if case.erased_at is not None:
            raise DomainError("case-erased")
        return case

    async def _case_or_husk(self, connection: AsyncConnection, case_id: str) -> Case:
        query = _CASES.where(models.case.c.id == case_id)
        row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise DomainError("case-unknown")
        return self._read_case(row)

    async def _session(self, connection: AsyncConnection, session_id: str) -> Session:
        query = select(models.session).where(models.session.c.id == session_id)
        row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise DomainError("session-unknown")
        try:
            return self._read_session(row)
        except ErasedError:
            raise DomainError("case-erased") from None

    async def _sessions(self, connection: AsyncConnection, query: Any) -> tuple[Session, ...]:
        found = []
        for row in (await connection.execute(query)).mappings():
            try:
                found.append(self._read_session(row))
            except ErasedError:  # others go on as before
                continue
        return tuple(found)

    def _read_case(self, row: Mapping[Any, Any]) -> Case:
        try:
            cipher = self._vault.cipher(row["id"])
        except ErasedError:
            return self._read_husk(row)
        return decode(Case, cipher.decrypt(row["body"], f"case/{row['id']}/{row['version']}"))

    def _read_husk(self, row: Mapping[Any, Any]) -> Case:
        """The husk; of a database older than its vault only what stands in clear."""
        case_id: str = row["id"]
        if row["husk"] is not None:
            return read_husk(case_id, row["husk"], cipher=self._vault.cipher(case_id, "register"))
        return Case(
            id=case_id,
            matter=row["matter"],
            language="zh-CN",
            applicant=row["applicant"],
            phone="",
            state=CaseState(row["state"]),
            created_at=row["created_at"],
            erased_at=self._vault.destroyed_at(case_id),
        )

    def _read_session(self, row: Mapping[Any, Any]) -> Session:
        cipher = self._vault.cipher(row["case_id"])
        label = f"session/{row['id']}/{row['version']}"
        return decode(Session, cipher.decrypt(row["body"], label))

    def _case_row(self, case: Case, *, version: int) -> dict[str, Any]:
        body = encode(to_plain(case) | {"version": version})
        return {
            "id": case.id,
            "version": version,
            "state": case.state.value,
            "matter": case.matter,
            "applicant": case.applicant,
            "handler": case.handler.id if case.handler else None,
            "created_at": case.created_at,
            "body": self._vault.cipher(case.id).encrypt(body, f"case/{case.id}/{version}"),
        }

    async def _save_case(self, connection: AsyncConnection, case: Case, *, version: int) -> None:
        table = models.case
        statement = (
            update(table)
            .where(table.c.id == case.id, table.c.version == version)
            .values(**self._case_row(case, version=version + 1))
        )
        if (await connection.execute(statement)).rowcount != 1:
            raise DomainError("case-changed")

    async def _save_session(self, connection: AsyncConnection, session: Session) -> None:
        table = models.session
        version = session.version + 1
        body = encode(to_plain(session) | {"version": version})
        cipher = self._vault.cipher(session.case_id)
        row = {
            "id": session.id,
            "case_id": session.case_id,
            "number": session.number,
            "version": version,
            "state": session.state.value,
            "opened_at": session.opened_at,
            "body": cipher.encrypt(body, f"session/{session.id}/{version}"),
        }
        if session.version == 0:
            await connection.execute(insert(table).values(**row))
            return
        known = update(table).where(table.c.id == session.id, table.c.version == session.version)
        if (await connection.execute(known.values(**row))).rowcount != 1:
            raise DomainError("case-changed")

    async def _write_events(
        self, connection: AsyncConnection, events: Sequence[Event], known: Digests
    ) -> None:
        rows = [await self._event_row(connection, event, known) for event in events]
        if rows:
            await connection.execute(insert(models.event), rows)

    async def _event_row(
        self, connection: AsyncConnection, event: Event, known: Digests
    ) -> dict[str, Any]:
        items = dict(event.items)
        if event.facts:
            items["facts"] = digest(dict(event.facts))
            known.note(canonical(dict(event.facts)))
        on_register = event.chain == "register"
        cipher = self._vault.cipher(
            event.case_id, self._purpose(event.kind, on_register=on_register)
        )
        key = cipher.key
        second = await known.of(connection, event.case_id, items, cipher=self._vault.cipher)
        body: dict[str, object] = {
            **event.public,
            "kind": event.kind,
            "actor": self._pseudonym(key, event.actor),
            "items": [
                {"name": name, "sha256": self._commit_to(key, f"{event.id}/{name}", content)}
                | known.commitment(key, f"{event.id}/{name}", second.get(name))
                for name, content in sorted(items.items())
            ],
        }
        private: dict[str, object] = {"facts": dict(event.facts), "items": items}
        if second:
            private["sm3"] = second
        return {
            "id": event.id,
            "case_id": event.case_id,
            "session_id": event.session_id,
            "chain": self._register if on_register else event.case_id,
            "kind": event.kind,
            "at": event.at,
            "body": canonical(body).decode(),
            "private": cipher.encrypt(canonical(private), f"event/{event.id}"),
        }

    @staticmethod
    def _purpose(kind: str, *, on_register: bool) -> Purpose:
        """Under which key an event's commitments and facts are: what outlives the evidence."""
        return "register" if on_register or kind == ERASED else "evidence"

    def _pseudonym(self, key: bytes, actor: str) -> str:
        """Who acted, the same within a case and unlike in any other: cases cannot be linked."""
        if actor in MACHINES:
            return actor
        return self._commit_to(key, "actor", sha256(actor.encode()).hexdigest())[:32]

    def _tell(self, case_id: str, session_id: str | None) -> None:
        for listener in tuple(self._listeners):
            listener(case_id, session_id)
