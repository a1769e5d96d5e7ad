"""A ledger in a temporary folder, with a clock the test holds in its hand."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledger.note import LogKeys
from tests.ledger.histories import History
from tests.ledger.house import Office, submission
from tests.ledger.postgresql import Server, running
from tests.ledger.witness_house import House

MEMORY = Path("/dev/shm")
ROOM = 256 << 20


def _disk() -> Path | None:
    """A file system in memory, where there is one with room.

    What these tests ask of a disk is that it keeps what was written when a process dies. Memory
    does that too, and does not wait.
    """
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with TemporaryDirectory(prefix="ledger-", dir=_disk()) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def keys() -> LogKeys:
    return LogKeys.generate("office.example/ledger")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with running(directory=_disk()) as server:
        yield server


@pytest.fixture
async def office(
    request: pytest.FixtureRequest, tmp_path: Path, keys: LogKeys
) -> AsyncIterator[Office]:
    """On SQLite, but where a test asks for both (`tests.ledger.house.on_both`)."""
    office = Office(tmp_path, keys)
    if getattr(request, "param", "sqlite") == "postgresql":
        office.url = request.getfixturevalue("postgresql").fresh()
    yield office
    for log in office.opened:
        await log.close()


@pytest.fixture(scope="session")
def template(keys: LogKeys) -> Iterator[Path]:
    """The folder of a closed ledger: 600 entries of 5 cases, checkpoints of 200, 400 and 600."""

    async def grow(office: Office) -> None:
        log = await office.open()
        for part in range(3):
            async with asyncio.TaskGroup() as group:
                for number in range(part * 200, part * 200 + 200):
                    group.create_task(log.append(submission(number, case=number % 5)))
            await log.seal(log.size - 1)
        await log.close()

    with TemporaryDirectory(prefix="ledger-", dir=_disk()) as directory:
        asyncio.run(grow(Office(Path(directory), keys, timestamp=_token)))
        yield Path(directory)


async def _token(data: bytes) -> bytes:
    return b"token over " + data[:10]


@pytest.fixture
def grown(template: Path, office: Office) -> Office:
    """An office with a copy of that ledger, closed."""
    shutil.copytree(template, office.directory, dirs_exist_ok=True)
    return office


@pytest.fixture
def key(tmp_path: Path, keys: LogKeys) -> Path:
    """The log's verifier keys, in a file."""
    path = tmp_path / "keys.txt"
    path.write_text("\n".join(each.vkey for each in keys.verifiers))
    return path


@pytest.fixture
def house(tmp_path: Path, keys: LogKeys) -> House:
    """A witness that has seen nothing yet."""
    return House(tmp_path / "witness.db", keys)


@pytest.fixture
def log(keys: LogKeys) -> History:
    """A log whose every tree is at hand, for the witness to be asked about."""
    return History(keys)
