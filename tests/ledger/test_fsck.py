"""fsck finds each kind of damage, and nothing in a ledger that is well."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ledger.errors import NotFoundError
from ledger.fsck import fsck
from ledger.note import LogKeys, sign_checkpoint
from ledger.snapshot import Snapshot
from server.cli.ledger import command
from tests.ledger.house import NOON, Office, submission


async def grow(office: Office, count: int) -> None:
    log = await office.open()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(log.append(submission(number, case=number % 5)))
    await log.close()


def damage(database: Path, statement: str) -> None:
    """Change a database behind the ledger's back, past its triggers."""
    connection = sqlite3.connect(database)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["fsck", *map(str, arguments)])


def test_a_ledger_that_is_well_is_clean(grown: Office) -> None:
    seen: list[tuple[int, int]] = []
    with Snapshot.of(grown.database) as snapshot:
        report = fsck(snapshot, grown.keys.verifiers, progress=lambda *at: seen.append(at))
    assert report.clean
    assert (report.entries, report.tiles, report.checkpoints) == (600, 2, 4)
    assert report.signatures
    assert seen[-1] == (600, 600)


async def test_it_looks_at_a_ledger_in_use(office: Office) -> None:
    log = await office.open()
    for number in range(20):
        await log.append(submission(number))
        with Snapshot.of(office.database) as snapshot:
            report = fsck(snapshot, office.keys.verifiers)
        assert report.clean
        assert report.entries == number + 1


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        (
            "UPDATE entry SET leaf = CAST(replace(leaf, '\"n\":7', '\"n\":8') AS BLOB)"
            " WHERE idx = 7",
            "tile 0/0",
            "does not hold",
        ),
        (
            "UPDATE entry SET leaf = CAST(replace(leaf, '{', '{ ') AS BLOB) WHERE idx = 7",
            "entry 7",
            "canonical",
        ),
        ("UPDATE entry SET leaf = x'00ff' WHERE idx = 7", "entry 7", "not JSON"),
        (
            "UPDATE entry SET leaf = CAST(replace(leaf, '\"time\":1', '\"time\":0') AS BLOB)"
            " WHERE idx = 7",
            "entry 7",
            "not JSON",
        ),
        (
            "UPDATE entry SET leaf = CAST(replace(leaf, '\"time\":1', '\"time\":2') AS BLOB)"
            " WHERE idx = 7",
            "entry 8",
            "is earlier",
        ),
        (
            "UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE idx = 6) WHERE idx = 7",
            "entry 7",
            "says it is entry 6",
        ),
        ("UPDATE entry SET case_before = 3 WHERE idx = 7", "entry 7", "points to 3"),
        (
            "UPDATE entry SET event_key = x'00' WHERE idx = 7",
            "entry 7",
            "not filed under its event",
        ),
        ("DELETE FROM head WHERE idx = 399", "entry 399", "not filed as its case's newest"),
        ("INSERT INTO head VALUES (x'00', 7)", "heads", "16 are filed"),
        ("DELETE FROM entry WHERE idx = 7", "entry 8", "some are missing"),
        ("DELETE FROM entry WHERE idx >= 590", "checkpoint 600", "cut off"),
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE n = 1", "tile 0/1", "does not hold"),
        ("DELETE FROM tile WHERE n = 1", "tile 0/1", "is missing"),
        ("INSERT INTO tile VALUES (0, 9, x'00')", "tiles", "3 are stored"),
        (
            "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 200)"
            " WHERE size = 400",
            "checkpoint 400",
            "is for size 200",
        ),
        (
            "UPDATE checkpoint SET note = replace(note, 'A', 'B') WHERE size = 400",
            "checkpoint 400",
            "",
        ),
        ("UPDATE checkpoint SET note = 'x' WHERE size = 400", "checkpoint 400", "no signature"),
    ],
)
def test_each_kind_of_damage_is_found(grown: Office, statement: str, where: str, what: str) -> None:
    damage(grown.database, statement)
    with Snapshot.of(grown.database) as snapshot:
        report = fsck(snapshot, grown.keys.verifiers)
    assert not report.clean
    assert any(f.where == where and what in f.what for f in report.findings), report.findings


def test_a_checkpoint_signed_over_another_tree_is_found(grown: Office) -> None:
    forged = sign_checkpoint(grown.keys, size=400, root=bytes(32), at=NOON)
    damage(grown.database, f"UPDATE checkpoint SET note = '{forged}' WHERE size = 400")
    with Snapshot.of(grown.database) as snapshot:
        report = fsck(snapshot)  # the tree is recomputed without any key
    assert [(f.where, f.what) for f in report.findings] == [
        ("checkpoint 400", "the entries do not hash to its root")
    ]


async def test_a_flipped_bit_anywhere_in_the_file_is_found_or_harmless(office: Office) -> None:
    await grow(office, 60)
    data = office.database.read_bytes()
    with Snapshot.of(office.database) as snapshot:
        root = fsck(snapshot, office.keys.verifiers).root
    found = 0
    for at in range(100, len(data), 1_511):
        changed = bytearray(data)
        changed[at] ^= 4
        office.database.write_bytes(changed)
        result = run(office.directory, "--json")
        if result.exit_code == 0:
            assert json.loads(result.stdout)["root"] == root
        else:
            assert result.exit_code == 1, result.output
            found += 1
    assert found > 5


def test_the_command_tells_people_and_programs(grown: Office) -> None:
    clean = run(grown.directory)
    assert (clean.exit_code, "600 entries" in clean.output) == (0, True)
    assert "signatures not checked" in clean.output
    ed25519, mldsa44 = (verifier.vkey for verifier in grown.keys.verifiers)
    trust = grown.directory / "trust.json"
    trust.write_text(
        json.dumps({"ledger": {"origin": grown.keys.origin, "vkeys": [ed25519, mldsa44]}})
    )
    for keys in (["--key", ed25519], ["--key", ed25519, "--key", mldsa44], ["--key", trust]):
        result = run(grown.directory, "--json", *keys)
        report = json.loads(result.stdout)
        assert (result.exit_code, report["clean"], report["signatures"]) == (0, True, True)
    other = LogKeys.generate(grown.keys.origin).verifiers[0].vkey
    assert run(grown.directory, "--key", other).exit_code == 1
    damage(grown.database, "DELETE FROM tile WHERE n = 1")
    damaged = run(grown.directory)
    assert (damaged.exit_code, "tile 0/1" in damaged.output) == (1, True)
    report = json.loads(run(grown.directory, "--json").stdout)
    assert report["findings"][0]["where"] == "tile 0/1"


@pytest.mark.parametrize(
    "arguments",
    [
        lambda there: [],
        lambda there: [there / "nowhere"],
        lambda there: [there, "--nonsense"],
        lambda there: [there, "--key", "nonsense"],
        lambda there: [there, "--key", there / "ledger.db.lock"],
    ],
)
async def test_what_it_cannot_look_at_exits_with_3(
    office: Office, arguments: Callable[[Path], list[object]]
) -> None:
    await grow(office, 3)
    assert run(*arguments(office.directory)).exit_code == 3


async def test_it_finds_the_ledger_in_a_data_folder(tmp_path: Path, keys: LogKeys) -> None:
    (tmp_path / "ledger").mkdir()
    await grow(Office(tmp_path / "ledger", keys), 3)
    assert run(tmp_path).exit_code == 0


def test_a_snapshot_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError), Snapshot.of(tmp_path / "none.db"):
        pass
