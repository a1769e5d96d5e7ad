"""One office for each test that asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.office import Office, running_office


@pytest.fixture
async def office_server(tmp_path: Path) -> AsyncIterator[Office]:
    """A fresh office in process, on loopback, with real SQLite in a temporary folder."""
    async with running_office(tmp_path / "data") as office:
        yield office
