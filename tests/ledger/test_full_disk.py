"""The disk fills up in mid-commit: a clear error, nothing lost, and on it goes with space."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.entry import Receipt
from ledger.errors import LedgerError, StoreError
from ledger.fsck import fsck
from ledger.log import Log
from ledger.note import LogKeys
from ledger.snapshot import Snapshot
from tests.ledger.house import Office, submission


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system takes root to mount")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def fill(log: Log, text: str, *, limit: int) -> tuple[dict[int, Receipt], LedgerError]:
    """Append until it is refused."""
    acknowledged: dict[int, Receipt] = {}
    for number in range(limit):
        try:
            acknowledged[number] = await log.append(submission(number, text=text))
        except LedgerError as error:
            return acknowledged, error
    raise AssertionError(f"{limit} entries fit")


async def test_case_01_torn_write_on_a_full_disk_loses_nothing_and_heals(
    small_disk: Path, keys: LogKeys
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    office = Office(small_disk, keys)
    log = await office.open()
    try:
        acknowledged, error = await fill(log, "x" * 5_000, limit=1_000)
        assert isinstance(error, StoreError)
        assert "Everything acknowledged is kept" in str(error)
        assert len(acknowledged) > 10
        refused = submission(len(acknowledged), text="x" * 5_000)
        for _ in range(3):  # it stays refused, and stays readable
            with pytest.raises(StoreError):
                await log.append(refused)
        assert log.size == len(acknowledged)
        assert len(await log.chain(refused.case)) == len(acknowledged)

        ballast.unlink()
        receipt = await log.append(refused)
        assert receipt.index == len(acknowledged)
        sealed = await log.seal(receipt.index)
        assert sealed.tree_size == log.size
        for number, before in acknowledged.items():
            assert await log.append(submission(number, text="x" * 5_000)) == before
    finally:
        await log.close()
    with Snapshot.of(office.database) as snapshot:
        assert fsck(snapshot, keys.verifiers).findings == ()


async def test_case_01_torn_write_in_a_full_database_loses_nothing_and_heals(
    office: Office,
) -> None:
    """The same where nothing may be mounted: SQLite is told that it may not grow."""
    log = await office.open()
    connection = log._store._writer  # the one that writes
    assert connection is not None
    connection.exec_driver_sql("PRAGMA max_page_count = 120")
    connection.rollback()
    acknowledged, error = await fill(log, "x" * 5_000, limit=1_000)
    assert isinstance(error, StoreError)
    assert "full" in str(error)
    # The next append starts the ledger anew, with a connection that may grow again.
    refused = submission(len(acknowledged), text="x" * 5_000)
    receipt = await log.append(refused)
    assert receipt.index == len(acknowledged) == log.size - 1
    for number, before in acknowledged.items():
        assert await log.append(submission(number, text="x" * 5_000)) == before
