"""What is PostgreSQL's own: the lock, the fence, a commit of which nobody heard, grants."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger.errors import DamageError, DeposedError, LockedError, StoreError, TakenError
from ledger.fsck import fsck
from ledger.log import Log
from ledger.note import LogKeys
from ledger.postgres import PostgresStore, grant
from ledger.snapshot import Snapshot
from tests.ledger.house import Office, submission
from tests.ledger.postgresql import Server

TABLES = ("entry", "tile", "checkpoint", "head", "attest")
STATEMENTS = [
    "UPDATE entry SET leaf = '\\x00' WHERE idx = 3",
    "UPDATE entry SET leaf = leaf WHERE false",
    "DELETE FROM entry WHERE idx = 299",
    "DELETE FROM entry",
    "TRUNCATE entry",
    "TRUNCATE entry, tile, checkpoint, head, attest CASCADE",
    "INSERT INTO entry VALUES (301, '\\x01', -1, '\\x03')",
    "INSERT INTO entry VALUES (-1, '\\x01', -1, '\\x03')",
    "INSERT INTO entry VALUES (3, '\\x01', -1, '\\x03')",
    "INSERT INTO entry VALUES (300, '\\x01', -1, '\\x03'), (302, '\\x02', -1, '\\x03')",
    "INSERT INTO entry VALUES (3, '\\x01', -1, '') ON CONFLICT (idx) DO UPDATE SET leaf = ''",
    "INSERT INTO entry SELECT 300, event_key, -1, leaf FROM entry WHERE idx = 3",
    "MERGE INTO entry USING (SELECT 3 AS n) s ON idx = n WHEN MATCHED THEN DELETE",
    "UPDATE tile SET hashes = ''",
    "DELETE FROM tile",
    "INSERT INTO tile VALUES (0, 0, '')",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
    "INSERT INTO checkpoint VALUES (5, '')",
    "INSERT INTO checkpoint VALUES (300, '')",
    "UPDATE head SET idx = 5",
    "DELETE FROM head",
    "INSERT INTO head SELECT case_id, 5 FROM head LIMIT 1",
    "UPDATE attest SET at = 0",
    "DELETE FROM attest",
    "INSERT INTO attest SELECT * FROM attest",
]


def open_store(url: str) -> PostgresStore:
    store = PostgresStore(url)
    try:
        store.open()
    except BaseException:
        store.close()
        raise
    return store


def rows(start: int, count: int, *, key: int | None = None) -> list[tuple[int, bytes, int, bytes]]:
    keys = range(start if key is None else key, count + (start if key is None else key))
    return [
        (start + at, number.to_bytes(32), -1, b"leaf %d" % number) for at, number in enumerate(keys)
    ]


def cut(url: str, session: int | None) -> None:
    """What a broken cable does to a session, and an administrator."""
    assert session is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (session,))


@pytest.fixture
def url(postgresql: Server) -> str:
    return postgresql.fresh()


@pytest.fixture(scope="module")
def full(postgresql: Server, tmp_path_factory: pytest.TempPathFactory, keys: LogKeys) -> str:
    """The URL of a closed ledger of 300 entries, with a row in each table."""
    office = Office(tmp_path_factory.mktemp("full"), keys, timestamp=_token)
    office.url = postgresql.fresh()

    async def grow() -> None:
        log = await office.open()
        async with asyncio.TaskGroup() as group:
            for number in range(300):
                group.create_task(log.append(submission(number, case=number % 5)))
        await log.seal(299)
        await log.close()

    asyncio.run(grow())
    return office.url


async def _token(data: bytes) -> bytes:
    return b"token"


@pytest.fixture
def connection(full: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(full) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_is_ever_changed_by_anybody(
    connection: psycopg.Connection[Any], statement: Any
) -> None:
    """Not even by the tables' owner, a superuser here."""

    def contents() -> list[list[Any]]:
        return [connection.execute(f"SELECT * FROM {each}").fetchall() for each in TABLES]  # type: ignore[arg-type]

    before = contents()
    assert all(before)
    connection.commit()
    with pytest.raises(psycopg.IntegrityError):
        connection.execute(statement)
    connection.rollback()
    assert contents() == before


def test_a_replica_s_role_is_refused_too(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.IntegrityError, match="insert-only"):
        connection.execute("DELETE FROM entry")


def test_the_next_row_is_taken(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO entry VALUES (300, '\\x01', -1, ''), (301, '\\x02', -1, '')")
    assert connection.execute("SELECT max(idx) FROM entry").fetchone() == (301,)


def test_fsck_reads_it_while_it_is_there_for_all(full: str, keys: LogKeys) -> None:
    with Snapshot.of(full) as snapshot:
        report = fsck(snapshot, keys.verifiers)
    assert (report.findings, report.entries) == ((), 300)


def test_a_trigger_that_is_off_stops_the_ledger(url: str) -> None:
    open_store(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE entry DISABLE TRIGGER entry_insert_only")
    with pytest.raises(DamageError, match="entry_insert_only is off"):
        open_store(url)


def test_the_writing_role_may_add_and_read_and_nothing_else(postgresql: Server, url: str) -> None:
    schema = url.rpartition("search_path%3D")[2]
    with psycopg.connect(postgresql.address, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS scribe")
        connection.execute("CREATE ROLE scribe LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO scribe")  # type: ignore[arg-type]
    grant(url, "scribe")
    scribe = postgresql.url(schema, role="scribe")
    store = open_store(scribe)
    store.add_entries(rows(0, 3), [])
    store.add_checkpoint(size=3, note="note", heads={"0" * 32: 2})
    assert store.size() == 3
    store.close()
    with psycopg.connect(scribe, autocommit=True) as connection:
        for statement in (
            "UPDATE entry SET leaf = ''",
            "DELETE FROM entry",
            "TRUNCATE entry",
            "DROP TABLE entry",
            "ALTER TABLE entry DISABLE TRIGGER ALL",
            "DELETE FROM checkpoint",
            "UPDATE tile SET hashes = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")  # type: ignore[arg-type]
        connection.execute("DROP ROLE scribe")


def test_one_leads_and_the_next_when_it_is_gone(url: str) -> None:
    first, second = open_store(url), PostgresStore(url, patience_s=0.05)
    with pytest.raises(LockedError, match="another process writes"):
        second.open()
    assert first.leads()
    assert not second.leads()
    cut(url, first.session)
    second.open()
    assert second.leads()
    assert not first.leads()
    second.close()
    first.open()
    assert first.leads()
    first.close()


def test_two_schemas_are_two_ledgers(postgresql: Server) -> None:
    one, other = open_store(postgresql.fresh()), open_store(postgresql.fresh())
    one.add_entries(rows(0, 2), [])
    assert (one.size(), other.size(), one.leads(), other.leads()) == (2, 0, True, True)
    one.close()
    other.close()


def test_a_deposed_leader_is_fenced_by_the_primary_key(url: str) -> None:
    """It holds its connection and believes that it leads; its lock is gone."""
    first = open_store(url)
    first.add_entries(rows(0, 2), [])
    assert first._writer is not None
    first._writer.exec_driver_sql("SELECT pg_advisory_unlock_all()")
    first._writer.commit()
    second = open_store(url)
    second.add_entries(rows(2, 3), [])
    second.add_checkpoint(size=5, note="ours", heads={})
    for late in (rows(2, 1, key=70), rows(2, 3), rows(2, 9, key=80)):
        with pytest.raises(DeposedError):
            first.add_entries(late, [])
    for size in (4, 5):
        with pytest.raises(StoreError):
            first.add_checkpoint(size=size, note="theirs", heads={})
    assert second.leaves(0, 99) == [b"leaf %d" % number for number in range(5)]
    assert second.last_checkpoint() == (5, "ours")
    second.add_entries(rows(5, 1), [])
    with pytest.raises(TakenError):
        second.add_entries(rows(6, 1, key=2), [])
    first.close()
    second.close()


async def test_a_deposed_log_recovers_or_steps_down(office: Office, url: str) -> None:
    office.url = url
    log = await office.open()
    await log.append(submission(0))
    store = log._store
    assert isinstance(store, PostgresStore)
    cut(url, store.session)
    await _until_taken(log, 1)  # nobody else led: it takes the lock again
    assert store.leads()
    cut(url, store.session)
    other = open_store(url)
    with pytest.raises((DeposedError, LockedError)):
        await log.append(submission(2))
    assert other.size() == 2
    other.close()
    assert (await _until_taken(log, 2)) == 2


async def _until_taken(log: Log, number: int) -> int:
    while True:
        try:
            return (await log.append(submission(number))).index
        except StoreError:
            continue


class Interrupted(PostgresStore):
    """A store whose connection is lost just before, or just after, PostgreSQL commits."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url
        self.committed: bool | None = None
        self.meanwhile: list[tuple[int, bytes, int, bytes]] = []

    def _driver(self, doing: str) -> Any:
        if doing == "record" and self.committed is not None:
            return self._interrupted(self.committed)
        return super()._driver(doing)

    def _interrupted(self, committed: bool) -> Any:
        self.committed = None
        return _Lost(self, committed)


class _Lost:
    def __init__(self, store: Interrupted, committed: bool) -> None:
        self._store, self._committed = store, committed

    def __enter__(self) -> _Lost:
        return self

    def execute(self, statement: Any, values: Any) -> None:
        if self._committed:
            with self._store._driver("record") as driver:
                driver.execute(statement, values)
        session, url = self._store.session, self._store.url
        cut(url, session)
        if self._store.meanwhile:
            other = open_store(url)
            other.add_entries(self._store.meanwhile, [])
            other.close()
        with self._store._driver("look") as driver:
            driver.execute("SELECT 1")

    def __exit__(self, *_: object) -> None:
        return None


def test_a_commit_nobody_heard_of_is_looked_up(url: str) -> None:
    store = Interrupted(url)
    store.open()
    store.add_entries(rows(0, 2), [])
    store.committed = True
    store.add_entries(rows(2, 2), [])  # it was there: recorded
    assert (store.size(), store.leads()) == (4, True)
    store.committed = False
    store.add_entries(rows(4, 2), [])  # it was not: recorded now
    assert (store.size(), store.leads()) == (6, True)
    for others in (1, 2, 3):  # somebody else was there
        start = store.size()
        store.committed, store.meanwhile = False, rows(start, others, key=90 + start)
        with pytest.raises(DeposedError):
            store.add_entries(rows(start, 2), [])
        assert store.size() == start + others
    store.close()


@pytest.mark.parametrize("address", ["mysql://x/y", "hush"])
def test_an_address_that_is_none_is_not_repeated(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        PostgresStore(address)
    assert "hush" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    with pytest.raises(StoreError, match="could not open") as caught:
        open_store("postgresql://someone:hush@127.0.0.1:1/nothing")
    assert "hush" not in str(caught.value)
