"""The tables take new rows and nothing else, from whatever program opens the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from tests.ledger.house import Office


@pytest.fixture
def connection(grown: Office) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(grown.database)
    yield connection
    connection.close()


STATEMENTS = [
    "UPDATE entry SET leaf = x'00' WHERE idx = 3",
    "UPDATE OR REPLACE entry SET idx = 4 WHERE idx = 3",
    "DELETE FROM entry WHERE idx = 599",
    "DELETE FROM entry",
    "INSERT INTO entry VALUES (601, x'01', -1, x'03')",
    "INSERT INTO entry VALUES (-1, x'01', -1, x'03')",
    "INSERT OR REPLACE INTO entry VALUES (3, x'01', -1, x'03')",
    "INSERT OR IGNORE INTO entry VALUES (3, x'01', -1, x'03')",
    "INSERT INTO entry VALUES (3, x'01', -1, x'03') ON CONFLICT DO UPDATE SET leaf = x'03'",
    "REPLACE INTO entry SELECT 600, event_key, -1, leaf FROM entry WHERE idx = 3",
    "INSERT INTO entry VALUES (600, x'01', -1, x'03'), (3, x'02', -1, x'03')",
    "INSERT OR IGNORE INTO entry SELECT 600, event_key, -1, leaf FROM entry WHERE idx = 3",
    "INSERT INTO entry VALUES (600, 'text', -1, x'03')",
    "UPDATE tile SET hashes = x'00'",
    "DELETE FROM tile",
    "REPLACE INTO tile VALUES (0, 0, x'00')",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM checkpoint",
    "REPLACE INTO checkpoint VALUES (600, '')",
    "INSERT INTO checkpoint VALUES (5, '')",
    "UPDATE head SET idx = 5",
    "DELETE FROM head",
    "REPLACE INTO head SELECT case_id, idx FROM head",
    "INSERT INTO head SELECT case_id, 5 FROM head",
    "UPDATE attest SET at = 0",
    "DELETE FROM attest",
    "REPLACE INTO attest SELECT size, kind, who, x'00', at FROM attest",
]


def contents(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    tables = ("entry", "tile", "checkpoint", "head", "attest")
    return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_is_ever_changed(connection: sqlite3.Connection, statement: str) -> None:
    before = contents(connection)
    assert all(before)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.rollback()
    assert contents(connection) == before


def test_the_next_entry_is_taken(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO entry VALUES (600, x'01', -1, x'03')")
    assert connection.execute("SELECT max(idx) FROM entry").fetchone() == (600,)
