"""The tables take new rows and nothing else, from whatever program opens the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest

from tests.ledger.house import Office, submission


@pytest.fixture
async def connection(office: Office) -> AsyncIterator[sqlite3.Connection]:
    async def timestamp(data: bytes) -> bytes:
        return b"token"

    office.timestamp = timestamp
    log = await office.open()
    async with asyncio.TaskGroup() as group:
        for number in range(260):
            group.create_task(log.append(submission(number)))
    await log.seal(5)
    await log.close()
    connection = sqlite3.connect(office.database)
    yield connection
    connection.close()


STATEMENTS = [
    "UPDATE entry SET leaf = x'00' WHERE idx = 3",
    "UPDATE OR REPLACE entry SET idx = 4 WHERE idx = 3",
    "DELETE FROM entry WHERE idx = 259",
    "DELETE FROM entry",
    "INSERT INTO entry VALUES (261, x'01', x'02', 0, x'03')",
    "INSERT INTO entry VALUES (-1, x'01', x'02', 0, x'03')",
    "INSERT OR REPLACE INTO entry VALUES (3, x'01', x'02', 0, x'03')",
    "REPLACE INTO entry SELECT 260, key, x'02', 0, leaf FROM entry WHERE idx = 3",
    "REPLACE INTO entry SELECT 260, x'01', case_id, case_seq, leaf FROM entry WHERE idx = 3",
    "INSERT INTO entry VALUES (260, 'text', x'02', 0, x'03')",
    "UPDATE tile SET hashes = x'00'",
    "DELETE FROM tile",
    "REPLACE INTO tile VALUES (0, 0, x'00')",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
    "REPLACE INTO checkpoint VALUES (260, '')",
    "INSERT INTO checkpoint VALUES (5, '')",
    "UPDATE attest SET at = 0",
    "DELETE FROM attest",
    "REPLACE INTO attest SELECT size, kind, who, x'00', at FROM attest",
]


def contents(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    tables = ("entry", "tile", "checkpoint", "attest")
    return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_nothing_is_ever_changed(connection: sqlite3.Connection, statement: str) -> None:
    before = contents(connection)
    assert all(before)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.rollback()
    assert contents(connection) == before


async def test_the_next_entry_is_taken(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO entry VALUES (260, x'01', x'02', 0, x'03')")
    assert connection.execute("SELECT max(idx) FROM entry").fetchone() == (260,)
