"""An office whose ledger is in PostgreSQL: opened, checked, refused without its database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ledger.errors import GuardError
from server.app import running
from server.cli import main
from server.config import Config, ConfigError, read_config
from tests.ledger.postgresql import Server
from tests.ledger.postgresql import running as postgresql_running


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with postgresql_running() as server:
        yield server


def config(data: Path, url: str | None) -> Config:
    return read_config(data=data, port=0, ledger_database=url, environment={})


async def test_an_office_keeps_its_ledger_in_postgresql(tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.fresh()
    for _ in range(2):
        async with running(config(tmp_path, url), warm=False) as office:
            assert office.ledger_size >= 0
    assert not (tmp_path / "ledger" / "ledger.db").exists()
    size = int((tmp_path / "ledger" / "guard.json").read_text().split("\n")[1])
    fsck = await asyncio.to_thread(
        CliRunner(env={"FARSEAL_LEDGER_DATABASE": url}).invoke, main, ["ledger", "fsck"]
    )
    assert fsck.exit_code == 0, fsck.output
    assert f"{size} entries" in " ".join(fsck.output.split())


def test_an_address_that_is_none_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, "http://me:hush-hush@host")
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(config(tmp_path, "postgresql://me:hush-hush@host/name"))


async def test_another_database_than_the_guard_s_is_refused(
    tmp_path: Path, postgresql: Server
) -> None:
    async with running(config(tmp_path, postgresql.fresh()), warm=False):
        pass
    guard = tmp_path / "ledger" / "guard.json"
    origin, _, _, _ = guard.read_text().split("\n")
    guard.write_text(f"{origin}\n5\n{'0' * 64}\n")
    with pytest.raises(GuardError, match="but 5 were signed"):
        async with running(config(tmp_path, postgresql.fresh()), warm=False):
            pass
