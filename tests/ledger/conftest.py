"""A ledger in a temporary folder, with a clock the test holds in its hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.note import LogKeys
from tests.ledger.house import Office


@pytest.fixture(scope="session")
def keys() -> LogKeys:
    return LogKeys.generate("office.example/ledger")


@pytest.fixture
async def office(tmp_path: Path, keys: LogKeys) -> AsyncIterator[Office]:
    office = Office(tmp_path, keys)
    yield office
    for log in office.opened:
        await log.close()
