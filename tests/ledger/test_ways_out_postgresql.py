"""`farseal ledger recover` and `fsck` on PostgreSQL: what is named, and its way out leads out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from ledger.fsck import fsck
from ledger.postgres import grant
from ledger.snapshot import Snapshot
from ledger.store import SCHEMA
from ledger.tiles import export
from server.cli.ledger import command
from tests.ledger.house import Office, submission
from tests.ledger.postgresql import Server
from tests.ledger.test_recovery import fill

FLIPPED = (
    "UPDATE entry SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), "
    "'\"n\":', '\"m\":'), 'UTF8') WHERE idx = {}"
)
FLIPPED_TILE = "UPDATE tile SET hashes = decode(repeat('00', 8192), 'hex') WHERE n = 0"


def run(office: Office, *arguments: object, keys: bool = True, url: str | None = None) -> Result:
    given = [str(each) for each in arguments]
    for verifier in office.keys.verifiers if keys else ():
        given += ["--key", verifier.vkey]
    where = [str(office.directory), "--guard", str(office.guard)]
    environment = {"LANG": "C", "FARSEAL_LEDGER_DATABASE": url or office.url}
    return CliRunner().invoke(command, ["recover", *where, *given], env=environment)


def kinds(office: Office, *arguments: object, url: str | None = None) -> list[str]:
    result = run(office, "--json", *arguments, url=url)
    record = json.loads(result.stdout)
    assert result.exit_code == (0 if record["healthy"] else 1)
    return [trouble["kind"] for trouble in record["troubles"]]


def schema(office: Office) -> str:
    assert office.url is not None
    return office.url.rpartition("search_path%3D")[2]


def tamper(office: Office, *statements: str) -> None:
    """What the owner of the tables can do: switch the triggers off, and on again."""
    assert office.url is not None
    with psycopg.connect(office.url, autocommit=True) as connection:
        for table in SCHEMA.tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
        rows = connection.execute(
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
            "WHERE NOT tgisinternal AND c.relnamespace = to_regnamespace(current_schema())"
        )
        for trigger, table in rows.fetchall():
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def rows(office: Office, *, where: str | None = None) -> list[tuple[Any, ...]]:
    assert office.url is not None
    found: list[tuple[Any, ...]] = []
    with psycopg.connect(office.url) as connection:
        for table in SCHEMA.tables:
            name = f"{where or schema(office)}.{table}"
            found += connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
    return found


async def _token(data: bytes) -> bytes:
    return b"token over " + data[:10]


@pytest.fixture
async def kept(office: Office, postgresql: Server) -> Office:
    """A closed ledger of 600 entries in PostgreSQL, with a mirror beside its guard."""
    office.url, office.timestamp = postgresql.fresh(), _token
    await fill(office, 600)
    log = await office.open()
    await log.seal(599)
    export(log.reader, office.directory / "mirror")
    await log.close()
    return office


async def test_well_running_and_not_there(kept: Office, postgresql: Server) -> None:
    assert kinds(kept) == []
    assert "Well: 600 entries, guard at 600" in run(kept).output
    log = await kept.open()
    assert kinds(kept) == ["locked"]
    refused = run(kept, "--rebuild-tiles")
    assert (refused.exit_code, "stop every server" in refused.output) == (3, True)
    await log.close()
    assert kinds(kept, url=postgresql.fresh()) == ["missing"]
    nobody = "postgresql://someone:hush@127.0.0.1:1/nothing"
    assert kinds(kept, url=nobody) == ["unreachable"]
    assert "hush" not in run(kept, url=nobody).output
    guard = kept.guard.read_text()
    kept.guard.unlink()
    assert kinds(kept) == ["guard-missing"]
    assert run(kept).output.rpartition("that file:\n")[2].strip() == guard.strip()
    assert kinds(kept, url=postgresql.fresh()) == ["empty"]
    kept.guard.write_text("nonsense")
    assert kinds(kept) == ["guard-damaged"]


async def test_an_older_database_and_another_history(
    office: Office, tmp_path: Path, postgresql: Server
) -> None:
    office.url = postgresql.fresh()
    await fill(office, 10)
    other = Office(tmp_path / "other", office.keys, url=postgresql.fresh())
    other.directory.mkdir()
    await fill(other, 5)
    assert kinds(office, url=other.url) == ["older"]
    assert run(office, "--rebuild-tiles", url=other.url).exit_code == 1
    await fill(other, 10, start=100)
    assert kinds(office, url=other.url) == ["forked"]
    office.clock.wall = 4_000_000_000_000  # the year 2096
    await fill(office, 1, start=10)
    assert kinds(office) == ["clock"]


async def test_case_10_silent_bit_flip_in_a_tile_is_rebuilt(kept: Office) -> None:
    before = rows(kept)
    tamper(kept, FLIPPED_TILE, "DELETE FROM tile WHERE n = 1", "DELETE FROM head WHERE idx = 599")
    damaged = rows(kept)
    assert kinds(kept) == ["tile", "tile"]
    assert rows(kept) == damaged  # it changes nothing by itself
    done = run(kept, "--rebuild-tiles")
    assert (done.exit_code, "tile 0/0, tile 0/1" in done.output) == (0, True), done.output
    assert rows(kept) == before
    assert rows(kept, where=f"{schema(kept)}_damaged_1") == damaged
    with psycopg.connect(kept.url or "") as connection:
        with pytest.raises(psycopg.IntegrityError, match="insert-only"):
            connection.execute("DELETE FROM entry")
        connection.rollback()
        anew = connection.execute("SELECT to_regnamespace(current_schema() || '_anew')").fetchone()
    assert anew == (None,)
    log = await kept.open()
    assert (await log.append(submission(1000))).index == 600
    assert (await log.seal(600)).tree_size == 601


@pytest.mark.parametrize("indexes", [[7], [0, 300, 599]])
async def test_case_10_silent_bit_flip_in_an_entry_is_restored_from_a_mirror(
    kept: Office, indexes: list[int]
) -> None:
    before, mirror = rows(kept), kept.directory / "mirror"
    tamper(kept, *(FLIPPED.format(index) for index in indexes))
    damaged = rows(kept)
    assert set(kinds(kept)) == {"entry"}
    named = CliRunner().invoke(
        command, ["fsck", "--json"], env={"FARSEAL_LEDGER_DATABASE": kept.url}
    )
    assert named.exit_code == 1
    found = {each["where"] for each in json.loads(named.stdout)["findings"]}
    assert found >= {"checkpoint 600", f"entry {indexes[0] + 1}"}  # it does not follow any more
    assert run(kept, "--rebuild-tiles").exit_code == 1
    assert run(kept, "--from-mirror", mirror, keys=False).exit_code == 3
    assert rows(kept) == damaged
    done = run(kept, "--from-mirror", mirror, "--json")
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)["rewritten"]
    assert (written["restored"], written["kept"]) == (indexes, f"{schema(kept)}_damaged_1")
    assert rows(kept) == before
    with Snapshot.of(kept.url or "") as snapshot:
        assert fsck(snapshot, kept.keys.verifiers).clean


async def test_triggers_that_are_off_are_named_and_written_anew(kept: Office) -> None:
    with psycopg.connect(kept.url or "", autocommit=True) as connection:
        connection.execute("ALTER TABLE entry DISABLE TRIGGER entry_insert_only")
        connection.execute("DROP TRIGGER head_follows ON head")
    assert kinds(kept) == ["triggers"]
    assert "entry_insert_only, head_follows" in run(kept).output
    assert run(kept, "--rebuild-tiles").exit_code == 0
    log = await kept.open()
    assert log.size == 600


async def test_the_new_tables_are_whose_the_old_ones_were(kept: Office, postgresql: Server) -> None:
    """And only who owns them may write them anew."""
    assert kept.url is not None
    with psycopg.connect(postgresql.address, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema(kept)} TO clerk")
    grant(kept.url, "clerk")
    rights = (
        "SELECT relname, relacl::text, pg_get_userbyid(relowner) FROM pg_class "
        "WHERE relnamespace = to_regnamespace(current_schema()) AND relkind = 'r' ORDER BY 1"
    )
    with psycopg.connect(kept.url) as connection:
        before = connection.execute(rights).fetchall()
    tamper(kept, FLIPPED_TILE)
    clerk = postgresql.url(schema(kept), role="clerk")
    refused = run(kept, "--rebuild-tiles", url=clerk)
    assert (refused.exit_code, "role that owns" in refused.output) == (3, True)
    assert kinds(kept) == ["tile"]
    assert run(kept, "--rebuild-tiles").exit_code == 0
    with psycopg.connect(kept.url) as connection:
        assert connection.execute(rights).fetchall() == before
    kept.url = clerk
    log = await kept.open()
    assert (await log.append(submission(2000))).index == 600
    await log.close()
    with psycopg.connect(postgresql.address, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema(kept)} CASCADE")
        connection.execute(f"DROP SCHEMA {schema(kept)}_damaged_1 CASCADE")
        connection.execute("DROP ROLE clerk")


async def test_a_draft_that_a_killed_run_left_is_no_hindrance(kept: Office) -> None:
    with psycopg.connect(kept.url or "", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema(kept)}_anew")
        connection.execute(f"CREATE TABLE {schema(kept)}_anew.entry (half text)")
    before = rows(kept)
    for number in (1, 2):
        tamper(kept, FLIPPED_TILE)
        damaged = rows(kept)
        assert run(kept, "--rebuild-tiles").exit_code == 0
        assert rows(kept) == before
        assert rows(kept, where=f"{schema(kept)}_damaged_{number}") == damaged
