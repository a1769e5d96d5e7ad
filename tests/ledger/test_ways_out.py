"""`farseal ledger recover`: each thing that may be wrong is named, and its way out leads out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ledger.fsck import fsck
from ledger.note import LogKeys
from ledger.snapshot import Snapshot
from ledger.store import TIMESTAMP
from ledger.tiles import export, tile_path
from server.cli import recover_words
from server.cli.ledger import command
from tests.ledger.house import Office, submission
from tests.ledger.test_recovery import fill, tamper
from tests.ledger.test_scrub import FLIPPED

FLIPPED_TILE = "UPDATE tile SET hashes = zeroblob(8192) WHERE n = 0"


def run(office: Office, *arguments: object, keys: bool = True) -> Result:
    given = [str(each) for each in arguments]
    for verifier in office.keys.verifiers if keys else ():
        given += ["--key", verifier.vkey]
    where = [str(office.directory), "--guard", str(office.guard)]
    return CliRunner().invoke(command, ["recover", *where, *given], env={"LANG": "C"})


def kinds(office: Office, *arguments: object) -> list[str]:
    result = run(office, "--json", *arguments)
    record = json.loads(result.stdout)
    assert result.exit_code == (0 if record["healthy"] else 1)
    return [trouble["kind"] for trouble in record["troubles"]]


@pytest.fixture
async def mirror(grown: Office) -> Path:
    """A mirror of the ledger, from before anything was wrong with it."""
    log = await grown.open()
    export(log.reader, grown.directory / "mirror")
    await log.close()
    return grown.directory / "mirror"


def rows(database: Path) -> list[tuple]:
    connection = sqlite3.connect(database)
    tables = ("entry", "tile", "checkpoint", "head", "attest")
    found = [row for t in tables for row in connection.execute(f"SELECT * FROM {t} ORDER BY 1, 2")]
    connection.close()
    return found


def test_a_ledger_that_is_well(grown: Office) -> None:
    before = grown.database.read_bytes()
    assert kinds(grown) == []
    told = run(grown)
    assert (told.exit_code, "Well: 600 entries, guard at 600" in told.output) == (0, True)
    assert "signatures not checked" in run(grown, keys=False).output
    assert "账本完好" in run(grown, "--lang", "zh-CN").output
    assert grown.database.read_bytes() == before


async def test_a_running_log_is_named_and_is_no_damage(grown: Office) -> None:
    log = await grown.open()
    assert kinds(grown) == ["locked"]
    assert run(grown, "--rebuild-tiles").exit_code == 3
    await log.close()
    assert kinds(grown) == []


async def test_an_older_database(office: Office, tmp_path: Path) -> None:
    await fill(office, 5)
    copy = shutil.copy(office.database, tmp_path / "backup.db")
    await fill(office, 5, start=5)
    shutil.copy(copy, office.database)
    assert kinds(office) == ["older"]
    assert "second history" in run(office).output
    assert run(office, "--rebuild-tiles").exit_code == 1  # no way out, and nothing is changed
    assert kinds(office) == ["older"]


async def test_a_witness_knows_when_the_guard_was_put_back_too(grown: Office) -> None:
    guard, database = grown.guard.read_bytes(), grown.database.read_bytes()
    log = await grown.open()
    await log.append(submission(1000))
    seen = grown.directory / "checkpoint-of-a-witness"
    seen.write_text((await log.seal(600)).checkpoint)
    await log.close()
    grown.guard.write_bytes(guard)
    grown.database.write_bytes(database)
    assert kinds(grown) == []
    assert kinds(grown, "--witness", seen) == ["older"]
    log = await grown.open()  # nobody asked a witness, and it grew again
    await log.append(submission(2000))
    await log.append(submission(2001))
    await log.close()
    assert kinds(grown, "--witness", seen) == ["forked"]
    assert "evidence" in run(grown, "--witness", seen).output


async def test_another_history_than_the_guards(grown: Office, tmp_path: Path) -> None:
    other = Office(tmp_path / "other", grown.keys)
    other.directory.mkdir()
    await fill(other, 700)
    shutil.copy(other.database, grown.database)
    assert kinds(grown) == ["forked"]


async def test_a_guard_that_is_missing_or_of_no_use(grown: Office) -> None:
    whole = grown.guard.read_text()
    grown.guard.unlink()
    assert kinds(grown) == ["guard-missing"]
    lines = run(grown).output.rpartition("that file:\n")[2]
    assert lines.strip() == whole.strip()
    grown.guard.write_text("nonsense")
    assert kinds(grown) == ["guard-damaged"]
    grown.guard.write_text(lines.strip() + "\n")  # the way out that was told
    assert kinds(grown) == []
    log = await grown.open()
    assert log.size == 600


def test_nothing_there_and_something_gone(office: Office, grown: Office) -> None:
    grown.database.unlink()
    assert kinds(grown) == ["missing"]
    grown.guard.unlink()
    assert kinds(grown) == ["empty"]


def test_a_file_that_sqlite_cannot_read(grown: Office) -> None:
    grown.database.write_bytes(b"x" * 100_000)
    assert kinds(grown) == ["unreadable"]
    assert run(grown, "--rebuild-tiles").exit_code == 1
    assert grown.database.read_bytes() == b"x" * 100_000


async def test_a_clock_before_the_newest_entry(office: Office) -> None:
    office.clock.wall = 4_000_000_000_000  # the year 2096
    await fill(office, 3)
    assert kinds(office) == ["clock"]
    assert "NTP" in run(office).output


async def test_case_10_silent_bit_flip_in_a_tile_is_rebuilt(grown: Office) -> None:
    before = rows(grown.database)
    tamper(grown.database, FLIPPED_TILE)
    tamper(grown.database, "DELETE FROM tile WHERE n = 1")
    damaged = rows(grown.database)
    assert kinds(grown) == ["tile", "tile"]
    assert "--rebuild-tiles" in run(grown).output
    assert rows(grown.database) == damaged  # it changes nothing by itself
    done = run(grown, "--rebuild-tiles")
    assert (done.exit_code, "tile 0/0, tile 0/1" in done.output) == (0, True), done.output
    assert rows(grown.database) == before
    assert rows(grown.directory / "ledger.db.damaged-1") == damaged
    log = await grown.open()  # insert-only as before
    with pytest.raises(sqlite3.IntegrityError, match="insert-only"):
        sqlite3.connect(grown.database).execute("DELETE FROM entry")
    await log.append(submission(1000))
    await log.seal(600)


@pytest.mark.parametrize("indexes", [[7], [0, 300, 599], [598]])
async def test_case_10_silent_bit_flip_in_an_entry_is_restored_from_a_mirror(
    grown: Office, mirror: Path, indexes: list[int]
) -> None:
    before = rows(grown.database)
    for index in indexes:
        tamper(grown.database, FLIPPED, index)
    assert set(kinds(grown)) == {"entry"}
    refused = run(grown, "--rebuild-tiles")
    assert (refused.exit_code, "--from-mirror" in run(grown).output) == (1, True)
    done = run(grown, "--from-mirror", mirror, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rewritten"]["restored"] == indexes
    assert rows(grown.database) == before
    with Snapshot.of(grown.database) as snapshot:
        assert fsck(snapshot, grown.keys.verifiers).clean
    log = await grown.open()
    assert log.size == 600


async def test_an_entry_that_is_no_json_any_more_is_restored_too(
    grown: Office, mirror: Path
) -> None:
    before = rows(grown.database)
    tamper(grown.database, "UPDATE entry SET leaf = x'00ff', case_before = 3 WHERE idx = 7")
    assert kinds(grown) == ["entry"]
    assert run(grown, "--from-mirror", mirror).exit_code == 0
    assert rows(grown.database) == before


def test_a_mirror_is_not_believed_on_its_own_word(grown: Office, mirror: Path) -> None:
    tamper(grown.database, FLIPPED, 7)
    damaged = rows(grown.database)
    assert run(grown, "--from-mirror", mirror, keys=False).exit_code == 3
    bundle = mirror / tile_path(-1, 0)
    bundle.write_bytes(bundle.read_bytes().replace(b'"n":7,', b'"n":9,'))
    assert run(grown, "--from-mirror", mirror).exit_code == 3
    stranger = LogKeys.generate(grown.keys.origin)
    note = (mirror / "checkpoint").read_text()
    assert run(Office(grown.directory, stranger), "--from-mirror", mirror).exit_code == 3
    assert note == (mirror / "checkpoint").read_text()
    assert rows(grown.database) == damaged
    assert not list(grown.directory.glob("*.damaged-*"))


def test_what_is_filed_wrongly_is_filed_anew(grown: Office) -> None:
    before = rows(grown.database)
    tamper(grown.database, "DELETE FROM head WHERE idx = 399")
    tamper(grown.database, "UPDATE entry SET case_before = 3 WHERE idx = 7")
    assert set(kinds(grown)) == {"damaged"}
    assert run(grown, "--rebuild-tiles").exit_code == 0
    assert rows(grown.database) == before


def test_a_draft_that_a_killed_run_left_is_no_hindrance(grown: Office) -> None:
    tamper(grown.database, FLIPPED_TILE)
    (grown.directory / "ledger.db.new").write_bytes(b"half of it")
    assert run(grown, "--rebuild-tiles").exit_code == 0
    tamper(grown.database, FLIPPED_TILE)
    assert run(grown, "--rebuild-tiles").exit_code == 0
    assert {path.name for path in grown.directory.glob("ledger.db.*")} == {
        "ledger.db.damaged-1",
        "ledger.db.damaged-2",
        "ledger.db.lock",
    }


def test_tokens_are_kept(grown: Office) -> None:
    tamper(grown.database, FLIPPED_TILE)
    assert run(grown, "--rebuild-tiles").exit_code == 0
    assert any(row[1:2] == (TIMESTAMP,) for row in rows(grown.database))


def test_every_trouble_has_words_and_a_way_out_in_both_languages() -> None:
    assert recover_words.SEEN.keys() == recover_words.WAYS.keys()
    for said in (*recover_words.SEEN.values(), *recover_words.WAYS.values()):
        assert said["zh-CN"] != said["en"]


def test_the_manual_has_every_way_out() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    for kind in recover_words.SEEN:
        assert f"| `{kind}` |" in manual
