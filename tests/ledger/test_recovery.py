"""Starting is recovering: what a database must show before the log writes again."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from ledger import sequencer
from ledger.entry import Leaf
from ledger.errors import ClockError, DamageError, GuardError, LedgerError, StoreError
from ledger.fsck import fsck
from ledger.note import LogKeys, open_checkpoint
from ledger.proof import verify_case
from ledger.sequencer import draft_of, own_case
from ledger.snapshot import Snapshot
from ledger.sqlite import WAL_FRAME, WAL_ROOM
from ledger.writer import MAX_BATCH
from tests.ledger.house import Office, on_both, submission

HOUR_MS = 3_600_000


async def fill(office: Office, count: int, *, start: int = 0) -> None:
    """Append, seal and close."""
    log = await office.open()
    many = count // MAX_BATCH * MAX_BATCH
    for first in range(start, start + many, MAX_BATCH):  # as the log hands them over, but faster
        numbers = range(first, first + MAX_BATCH)
        drafts = [draft_of(submission(number, case=number % 4)) for number in numbers]
        await log._writer.run(lambda drafts=drafts: log._sequencer.commit(drafts))
    async with asyncio.TaskGroup() as group:
        for number in range(start + many, start + count):
            group.create_task(log.append(submission(number, case=number % 4)))
    await log.seal(log.size - 1)
    await log.close()


@on_both
@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 513, 66_000])
async def test_a_restarted_log_goes_on_where_it_was(office: Office, size: int) -> None:
    if size:
        await fill(office, size)
    log = await office.open()
    assert log.size == size
    assert open_checkpoint(await log.checkpoint(), office.keys.verifiers).size == size
    receipt = await log.append(submission(size, case=size % 4))
    assert receipt.index == size
    leaf = Leaf.parse(await log.leaf(size))
    assert leaf.case_seq == len(range(size % 4, size, 4))
    if size:
        assert leaf.prev == Leaf.parse(await log.leaf(size - 1)).hash
        assert len(await log.consistency(size, size + 1)) <= 18


async def test_case_02_rollback_to_a_backup_is_refused_with_what_to_do(
    office: Office, tmp_path: Path
) -> None:
    await fill(office, 5)
    copy = shutil.copy(office.database, tmp_path / "backup.db")
    await fill(office, 5, start=5)
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    shutil.copy(copy, office.database)
    with pytest.raises(GuardError, match=r"has 5 entries, but 10 were signed.*Restore the newest"):
        await office.open()


async def test_case_02_rollback_that_grew_again_is_refused(office: Office, tmp_path: Path) -> None:
    await fill(office, 5)
    shutil.copy(office.database, tmp_path / "backup.db")
    guard = office.guard.read_bytes()
    await fill(office, 5, start=5)
    signed = office.guard.read_bytes()
    shutil.copy(tmp_path / "backup.db", office.database)
    office.guard.write_bytes(guard)  # somebody put the guard back too, and wrote on
    await fill(office, 9, start=100)
    office.guard.write_bytes(signed)  # the true guard returns
    with pytest.raises(GuardError, match="grown again"):
        await office.open()


@on_both
async def test_a_missing_guard_is_refused_and_can_be_written_anew(office: Office) -> None:
    await fill(office, 3)
    office.guard.unlink()
    with pytest.raises(GuardError, match="is missing") as caught:
        await office.open()
    lines = str(caught.value).rpartition("three lines: ")[2].split(" / ")
    office.guard.write_text("\n".join(lines) + "\n")
    log = await office.open()
    assert log.size == 3


@on_both
@pytest.mark.parametrize("text", ["", "x", "other.example/log\n3\n" + "0" * 64 + "\n", "\x00\xff"])
async def test_a_guard_that_is_not_ours_is_refused(office: Office, text: str) -> None:
    await fill(office, 3)
    office.guard.write_bytes(text.encode("latin-1"))
    with pytest.raises(GuardError):
        await office.open()


@on_both
async def test_the_guard_is_durable_before_a_signature_is_stored(office: Office) -> None:
    log = await office.open()
    await log.append(submission(1))
    office.guard.unlink()
    office.guard.mkdir()  # it cannot be replaced by a file
    async with asyncio.TaskGroup() as group:
        seal = group.create_task(log.seal(0))
        await log.append(submission(2))
        await log.append(submission(3))
        assert not seal.done()
        assert open_checkpoint(await log.checkpoint(), office.keys.verifiers).size == 0
        office.guard.rmdir()  # it is tried again, and nothing was lost
    sealed = seal.result()
    assert office.guard.read_text().split("\n")[1] == str(sealed.tree_size)


@on_both
async def test_keys_of_another_log_are_refused(office: Office) -> None:
    await fill(office, 3)
    office.keys = LogKeys.generate(office.keys.origin)
    with pytest.raises(LedgerError):
        await office.open()


def tamper(database: Path, statement: str, *parameters: object) -> None:
    """Change a closed database behind the ledger's back, past its triggers."""
    connection = sqlite3.connect(database)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


async def test_a_changed_entry_stops_the_start(office: Office) -> None:
    await fill(office, 300)
    tamper(
        office.database,
        "UPDATE entry SET leaf = CAST(replace(leaf, 'evid', 'Evid') AS BLOB) WHERE idx = 290",
    )
    with pytest.raises(DamageError, match="no longer hash to the checkpoint of size 300"):
        await office.open()


async def test_lost_entries_stop_the_start(office: Office) -> None:
    await fill(office, 300)
    tamper(office.database, "DELETE FROM entry WHERE idx = 290")
    with pytest.raises(DamageError):
        await office.open()


async def test_a_lost_tile_stops_the_start(office: Office) -> None:
    await fill(office, 300)
    tamper(office.database, "DELETE FROM tile")
    with pytest.raises(DamageError, match="tile 0/0 is missing"):
        await office.open()


async def test_a_file_that_is_no_database_is_left_alone(office: Office) -> None:
    office.database.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError):
        await office.open()
    assert office.database.read_bytes() == b"this is no database" * 100


def used(log: Path) -> int:
    """Where the frames in SQLite's log end and the zeros begin, in bytes."""
    frames = -(-len(log.read_bytes().rstrip(b"\0")) // WAL_FRAME)
    return 32 + frames * WAL_FRAME


async def test_a_commit_does_not_wait_until_the_log_file_has_grown(office: Office) -> None:
    log = await office.open()
    file = office.database.with_name("ledger.db-wal")
    before = used(file), file.stat().st_size
    for number in range(20):
        await log.append(submission(number))
    assert before[0] < used(file) < before[1] == file.stat().st_size == WAL_ROOM


async def test_case_01_torn_write_every_cut_leaves_a_prefix(office: Office, tmp_path: Path) -> None:
    log = await office.open()
    published = used(tmp_path / "ledger.db-wal")  # the tables and checkpoint 0
    guard = office.guard.read_bytes()
    acknowledged = [await log.append(submission(number)) for number in range(12)]
    end = used(tmp_path / "ledger.db-wal")
    files = {path.name: path.read_bytes() for path in tmp_path.glob("ledger.db*")}
    wal = files["ledger.db-wal"]
    cuts = [0, *range(32, end, WAL_FRAME), *range(1, end, 23_003), end, end + 999, len(wal)]
    sizes = set()
    for number, cut in enumerate(cuts):
        torn = Office(tmp_path / f"torn{number}", office.keys)
        torn.guard.parent.mkdir(parents=True)
        torn.database.write_bytes(files["ledger.db"])
        (torn.directory / "ledger.db-wal").write_bytes(wal[:cut])
        if cut >= published:
            torn.guard.write_bytes(guard)
        log = await torn.open()
        size = log.size
        sizes.add(size)
        for receipt in acknowledged[:size]:
            assert Leaf.parse(await log.leaf(receipt.index)).hash == receipt.leaf_hash
        assert (await log.append(submission(50))).index == size
        await log.close()
    assert sizes == set(range(13))


async def test_case_06_clock_an_hour_back_and_time_is_held(office: Office) -> None:
    log = await office.open()
    await log.append(submission(1))
    office.clock.wall -= HOUR_MS
    for number in range(2, 5):
        office.clock.pass_ms(1000)
        await log.append(submission(number))
    leaves = [Leaf.parse(await log.leaf(index)) for index in range(log.size)]
    assert {leaf.time for leaf in leaves} == {leaves[0].time}
    # It is noted in the log itself, once, with what the clock said.
    notes = [leaf for leaf in leaves if leaf.case == own_case(office.keys.origin)]
    assert [leaf.body["kind"] for leaf in notes] == ["clock-held"]
    assert notes[0].body["clock"] == leaves[0].time - HOUR_MS + 1000
    assert notes[0].body["held_at"] == leaves[0].time
    # The same after a restart; and when the clock is right again, time goes on.
    await log.close()
    log = await office.open()
    await log.append(submission(6))
    assert Leaf.parse(await log.leaf(log.size - 1)).time == leaves[0].time
    office.clock.pass_ms(HOUR_MS + 5000)
    receipt = await log.append(submission(7))
    assert Leaf.parse(await log.leaf(receipt.index)).time > leaves[0].time


async def test_case_06_clock_ten_years_ahead_is_refused_until_resolved(office: Office) -> None:
    log = await office.open()
    first = await log.append(submission(1))
    office.clock.wall += 10 * 365 * 24 * HOUR_MS
    with pytest.raises(ClockError, match="farseal ledger accept-clock"):
        await log.append(submission(2))
    assert log.size == 1
    office.clock.wall -= 10 * 365 * 24 * HOUR_MS  # put right: nobody need decide anything
    await log.append(submission(2))
    office.clock.wall += 2 * HOUR_MS
    with pytest.raises(ClockError):
        await log.append(submission(3))
    receipt = await log.accept_clock("the machine slept")
    leaf = Leaf.parse(await log.leaf(receipt.index))
    assert leaf.body == {"kind": "clock-accepted", "reason": "the machine slept"}
    assert (await log.append(submission(3))).index == receipt.index + 1
    assert leaf.time - Leaf.parse(await log.leaf(first.index)).time == 2 * HOUR_MS


async def test_a_clock_that_runs_with_the_monotonic_one_is_not_a_jump(office: Office) -> None:
    log = await office.open()
    office.clock.pass_ms(400 * 24 * HOUR_MS)
    await log.append(submission(1))
    office.clock.wall += 9_000  # NTP
    await log.append(submission(2))
    assert log.size == 2


async def test_a_case_is_found_before_and_after_its_checkpoint(office: Office) -> None:
    """Filed with a checkpoint, read back from the tail without, in memory or started anew."""
    log = await office.open()
    for number in range(12):
        await log.append(submission(number, case=number % 3))
        if number == 5:
            await log.seal(number)
        chains = [await log.chain(f"{case:032x}") for case in range(3)]
        assert [[index for index, _ in chain] for chain in chains] == [
            list(range(case, number + 1, 3)) for case in range(3)
        ]
    log._sequencer._sound = False  # as after an error: it recovers with six entries unfiled
    await log.append(submission(12, case=0))
    chain = await log.chain(f"{0:032x}")
    assert [index for index, _ in chain] == [0, 3, 6, 9, 12]
    verify_case([Leaf.parse(data) for _, data in chain], case=f"{0:032x}", count=5)


async def test_many_cases_are_forgotten_and_found_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "KNOWN_CASES", 3)
    log = await office.open()
    for number in range(40):
        await log.append(submission(number, case=number % 8))
        if number % 10 == 9:
            await log.seal(number)
    await log.close()
    with Snapshot.of(office.database) as snapshot:
        assert fsck(snapshot).findings == ()


async def test_an_entry_that_quotes_another_case_is_not_in_it(office: Office) -> None:
    log = await office.open()
    quoted, own = f"{7:032x}", f"{8:032x}"
    await log.append(submission(1, case=7))
    body = {"a": 1, "case": quoted, "case_prev": "0" * 64}
    await log.append(replace(submission(2, case=8), body=body))
    assert [index for index, _ in await log.chain(quoted)] == [0]
    assert [index for index, _ in await log.chain(own)] == [1]


async def test_a_database_of_other_tables_is_refused(office: Office) -> None:
    connection = sqlite3.connect(office.database)
    connection.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, key, leaf)")
    connection.commit()
    connection.close()
    with pytest.raises(DamageError, match="never released"):
        await office.open()
    with sqlite3.connect(office.database) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("entry",)]
