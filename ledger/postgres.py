"""A ledger in PostgreSQL: one leader, by an advisory lock on the connection that writes.

    lock held by the writer's own session -> tables, triggers -> one statement for each batch

The lock dies with the session, and the session with the process or its host, so it needs no clock
and no lease. Should a process go on writing without it, the primary key refuses it: an index is
taken once. Indexes come from the one writer's memory, never from a sequence, which leaves gaps.

The lock is named by the schema: two ledgers may live in two schemas of one database, each reached
by a `search_path` of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    func,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError

from ledger.errors import DamageError, DeposedError, LockedError, StoreError, TakenError
from ledger.mailbox import MAILBOX
from ledger.merkle import FullTile
from ledger.store import SCHEMA, Row, Store, retold

ALIVE = {
    "application_name": "farseal ledger",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 3000,
}
"""A peer that is gone is noticed in 3 s, by us; `_SESSION` has the server notice as soon."""

_SESSION = """
SELECT set_config('tcp_keepalives_idle', '1', false),
       set_config('tcp_keepalives_interval', '1', false),
       set_config('tcp_keepalives_count', '2', false),
       set_config('tcp_user_timeout', '3000', false),
       set_config('lock_timeout', '{patience_ms}', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                  WHEN 'off' THEN 'on' WHEN 'local' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false)
"""
KEY = "hashtextextended('farseal ledger ' || current_schema(), 0)"
_HOLDER = f"""
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND (classid::bigint << 32 | objid::bigint) = {KEY}
"""  # noqa: S608 - our own words

_ADD_TILES = (
    "WITH added AS (INSERT INTO tile "
    "SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])) "
)
_ADD_ENTRIES = (
    "INSERT INTO entry SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::bigint[], %b::bytea[])"
)
_HEADS = """
SELECT asked.case_id, entry.idx, entry.leaf FROM unnest(%b::bytea[]) AS asked(case_id)
CROSS JOIN LATERAL (SELECT max(idx) AS idx FROM head WHERE case_id = asked.case_id) AS newest
JOIN entry ON entry.idx = newest.idx
"""
_EVENT_TAKEN = "entry_event_key_key"

_log = logging.getLogger("ledger")


class PostgresStore(Store):
    """A ledger in PostgreSQL 14 or newer. url: `postgresql://user:password@host/database`.

    patience_s: how long `open` waits for the writer's lock before it raises LockedError.
    """

    def __init__(self, url: str, *, patience_s: float = 0.25) -> None:
        super().__init__(engine(url))
        self._patience_s = patience_s
        self._session: int | None = None

    # -- life ---------------------------------------------------------------------------------

    def open(self) -> None:
        self._close_writer()
        with retold("open the ledger's database"):
            self._writer = self._engine.connect()
            self._take_lock(self._writer)
            self._session = self._writer.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            prepare(self._writer)
            self._writer.commit()

    def _take_lock(self, writer: Connection) -> None:
        # From here on nobody else writes: a session that did has ended, and its commit with it.
        session = _SESSION.format(patience_ms=max(1, round(self._patience_s * 1000)))
        writer.exec_driver_sql(session)
        writer.commit()
        try:
            writer.exec_driver_sql(f"SELECT pg_advisory_lock({KEY})")
        except DBAPIError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
            self._close_writer()
            raise LockedError(
                "another process writes the ledger in this PostgreSQL database; nothing was changed"
            ) from error
        writer.exec_driver_sql("SET lock_timeout = 0")
        writer.commit()

    @property
    def session(self) -> int | None:
        """The server's process id of the session that writes, while there is one."""
        return self._session

    def leads(self) -> bool:
        """Whether the writer's session holds the lock; any thread may ask. Raises StoreError."""
        with self._reading() as connection:
            holder = connection.exec_driver_sql(_HOLDER).scalar()
        return holder is not None and holder == self._session

    def _close_writer(self) -> None:
        if self._writer is not None and not self._writer.invalidated:
            with suppress(psycopg.Error, DBAPIError):  # it may be gone, and the lock with it
                driver: Any = self._writer.connection.driver_connection
                driver.rollback()
                driver.execute("SELECT pg_advisory_unlock_all()")  # at once, not when it notices
        self._session = None
        super()._close_writer()

    # -- writing: one thread ------------------------------------------------------------------

    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        """Commit one batch in one statement. See `Store.add_entries`.

        A connection that was cut leaves the outcome unknown. It is looked up under the lock, so
        that no commit is still under way: a batch that is there has been recorded, and where the
        ledger ends before it, it is recorded now. Raises DeposedError when somebody else wrote.
        """
        statement, values = _ADD_ENTRIES, [list(column) for column in zip(*rows, strict=True)]
        if tiles:
            statement = _ADD_TILES + statement
            values = [
                [tile.level for tile in tiles],
                [tile.number for tile in tiles],
                [tile.hashes for tile in tiles],
                *values,
            ]
        try:
            with self._driver("record") as driver:
                driver.execute(statement, values)
        except (TakenError, DeposedError):
            raise
        except StoreError:
            if not self._is_cut():
                raise
            if not self._recorded(rows):
                with self._driver("record") as driver:
                    driver.execute(statement, values)

    def _is_cut(self) -> bool:
        driver: Any = self._writer and self._writer.connection.driver_connection
        return driver is None or bool(driver.closed)

    def _recorded(self, rows: Sequence[Row]) -> bool:
        """Lead again, and tell whether a batch was committed before the connection was lost."""
        deposed = "the connection was lost, and another process has led the ledger since; "
        try:
            self.open()
        except LockedError as error:
            raise DeposedError(deposed + "submit the same event again") from error
        size, last = self.size(), rows[-1][0]
        if size == rows[0][0]:
            return False
        if size == last + 1 and self.leaves(last, size) == [rows[-1][3]]:
            return True
        raise DeposedError(deposed + "submit the same event again")

    def heads(self, cases: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        with self._driver("read") as driver:
            cursor = driver.cursor(binary=True)
            cursor.execute(_HEADS, ([bytes.fromhex(case) for case in cases],))
            return {case_id.hex(): (idx, leaf) for case_id, idx, leaf in cursor}

    @contextmanager
    def _driver(self, doing: str) -> Iterator[psycopg.Connection[Any]]:
        """The writer's connection as its driver has it; each statement a transaction."""
        if self._writer is None:
            raise StoreError("the ledger's database is not open for writing")
        try:
            with retold(doing, taken=errors.UniqueViolation, failed=psycopg.Error):
                driver: Any = self._writer.connection.driver_connection
                driver.autocommit = True
                try:
                    yield driver
                except psycopg.IntegrityError as error:
                    if error.diag.constraint_name == _EVENT_TAKEN:
                        raise
                    raise DeposedError(
                        f"another process has written the ledger ({error.diag.message_primary}); "
                        "this one recovers. Everything acknowledged is kept"
                    ) from error
                finally:
                    if not driver.closed:
                        driver.autocommit = False
        except DBAPIError as error:
            raise StoreError(f"the ledger could not {doing}: {error.orig}") from error

    @staticmethod
    def _holds(leaf: ColumnElement[bytes], part: bytes) -> ColumnElement[bool]:
        return func.pg_catalog.position(leaf, part) > 0


def engine(url: str) -> Engine:
    """Connections that ask before they are used again, and show no values in errors."""
    return create_engine(
        make_url(conninfo(url)).set(drivername="postgresql+psycopg"),
        pool_size=4,
        max_overflow=8,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args=ALIVE,
    )


def conninfo(url: str) -> str:
    """The URL as PostgreSQL's library reads it; raises StoreError without repeating it."""
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() != "postgresql":
        raise StoreError(
            "the ledger's database is not an address like postgresql://user@host/database"
        ) from None
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


def is_led(url: str) -> bool:
    """Whether some process holds the ledger's lock; raises StoreError when it cannot be asked."""
    asked = engine(url)
    try:
        with retold("read"), asked.connect() as connection:
            return connection.exec_driver_sql(_HOLDER).scalar() is not None
    finally:
        asked.dispose()


def shown(url: str) -> str:
    """The address without its password."""
    return make_url(conninfo(url)).render_as_string(hide_password=True)


# -- tables, triggers, grants -----------------------------------------------------------------

_TRIGGERS = {f"{name}_insert_only": name for name in SCHEMA.tables} | {
    "entry_follows": "entry",
    "checkpoint_follows": "checkpoint",
    "head_follows": "head",
}
_WRONG = {
    # What REFERENCING calls `added` is in the table already.
    "entry": "(SELECT max(idx) - min(idx) + 1 <> count(*) FROM added) OR "
    "(SELECT min(idx) FROM added) <> (SELECT coalesce(max(idx) + 1, 0) FROM entry "
    "WHERE idx < (SELECT min(idx) FROM added))",
    "checkpoint": "EXISTS (SELECT FROM added, checkpoint c WHERE c.size > added.size)",
    "head": "EXISTS (SELECT FROM added JOIN head h USING (case_id) WHERE h.idx > added.idx)",
}


def prepare(connection: Connection) -> None:
    """Make the tables and triggers that are missing; a role that may not needs none missing.

    Raises DamageError when a trigger is off.
    """
    SCHEMA.create_all(connection)
    MAILBOX.create_all(connection)
    missing = triggers_off(connection)
    if len(missing) == len(_TRIGGERS):
        for statement in _make_triggers():
            connection.exec_driver_sql(statement)
    elif missing:
        raise DamageError(
            f"the database does not refuse changes as it should: trigger {', '.join(missing)} is "
            "off or missing; nothing was written. Find out who did this, then run "
            "`farseal ledger recover`, which says the way out"
        )


def triggers_off(connection: Connection) -> tuple[str, ...]:
    """The names of the ledger's triggers that are off or missing."""
    triggers = text(
        "SELECT tgname, tgenabled::text FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
        "JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE NOT tgisinternal AND nspname = current_schema()"
    )
    found = {row.tgname: row.tgenabled for row in connection.execute(triggers)}
    return tuple(sorted(name for name in _TRIGGERS if found.get(name) != "A"))


def _make_triggers() -> Iterator[str]:
    refuse = "RAISE EXCEPTION 'the ledger is insert-only' USING ERRCODE = '23000'"
    yield (
        "CREATE OR REPLACE FUNCTION ledger_insert_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {refuse}; END $$"
    )
    for table, wrong in _WRONG.items():
        yield (
            f"CREATE OR REPLACE FUNCTION {table}_follows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {wrong} THEN {refuse}; END IF; RETURN NULL; END $$"
        )
        yield (
            f"CREATE TRIGGER {table}_follows AFTER INSERT ON {table} "
            "REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_follows()"
        )
    for table in SCHEMA.tables:
        yield (
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_insert_only()"
        )
    for trigger, table in _TRIGGERS.items():  # for a replica's role as well
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"


def grant(url: str, writer: str) -> None:
    """As the tables' owner: make them, and let `writer` add rows and read, and nothing else.

    The mailbox is no evidence: rows may be taken out of it. Raises StoreError, DamageError.
    """
    owner = engine(url)
    try:
        with retold("prepare the database"), owner.begin() as connection:
            prepare(connection)
            role = connection.dialect.identifier_preparer.quote_identifier(writer)
            evidence, mail = ", ".join(SCHEMA.tables), ", ".join(MAILBOX.tables)
            for statement in (
                f"REVOKE ALL ON {evidence}, {mail} FROM PUBLIC, {role}",
                f"GRANT SELECT, INSERT ON {evidence} TO {role}",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {mail} TO {role}",
            ):
                connection.exec_driver_sql(statement)
    finally:
        owner.dispose()


class Follower(PostgresStore):
    """The same ledger for a process that does not lead: `open` takes no lock and writes nothing.

    The newest checkpoint is the one there was at `open`: entries read later reach it.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._seen: tuple[int, str] | None = None

    def open(self) -> None:
        with retold("open the ledger's database"), self._engine.connect() as connection:
            missing = set(SCHEMA.tables) - set(inspect(connection).get_table_names())
        if missing:
            raise StoreError("nobody has made the ledger's tables yet")
        self._seen = super().last_checkpoint()

    def last_checkpoint(self) -> tuple[int, str] | None:
        return self._seen
