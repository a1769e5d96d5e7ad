"""The disk is full when a call ends: its facts go on being told, and whoever seals can wait."""

import asyncio
import errno
import os
import pathlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from server.domain.evidence import Gap, Segment
from server.media import LocalSeat, Placement, recover
from server.rehearsal.peer import Clip, Peer
from server.studio import Studio
from server.supervisor import Supervisor

from .conftest import SESSION, Vault, epoch_ms
from .memory import Memory


@dataclass
class Services:
    """What the studio tells; refuses while the disk is full."""

    vault: Vault
    full: bool = False
    segments: list[Segment] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    refused: asyncio.Event = field(default_factory=asyncio.Event)

    async def recording_cipher(self, sid: str) -> Vault:
        return self.vault

    async def _written(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "full")
        async with self.changed:
            self.changed.notify_all()

    async def take_started(self, sid: str, *, participant: str, take: int, at: int) -> None:
        await self._written()

    async def take_ended(
        self, sid: str, *, participant: str, take: int, at: int, reason: str
    ) -> None:
        await self._written()
        self.ended.append(reason)

    async def segment(self, segment: Segment) -> None:
        await self._written()
        self.segments.append(segment)

    async def gap(self, gap: Gap) -> None:
        await self._written()

    def failed(self, sid: str, reason: str) -> None:
        self.refused.set()

    async def lost(self, sid: str, *, role: str, reason: str, since: int) -> None:
        await self._written()

    async def take_up(self, sid: str, reason: str) -> None:
        raise AssertionError("this process did not die")


@pytest.fixture
async def services(vault: Vault) -> Services:
    return Services(vault)


@pytest.fixture
async def studio(tmp_path: pathlib.Path, services: Services) -> AsyncIterator[Studio]:
    seat = LocalSeat(directory=tmp_path, clock=epoch_ms, hosts=("127.0.0.1",), pid=os.getpid())
    async with seat, Supervisor(failed=print) as tasks:
        placement = Placement([seat], Memory(), clock=epoch_ms)
        made = Studio(placement, clock=epoch_ms, tasks=tasks, patience_s=0.01)
        made.tell(services, services.lost, services.take_up)
        made.on_change(lambda _sid: None)
        made.on_opening(lambda _sid: None)
        made.on_gone(lambda _sid: None)
        yield made
        await made.close_all()


async def call(studio: Studio, services: Services, clip: Clip) -> None:
    """Somebody is recorded until a segment was told; then the disk is full and the call ends."""

    async def join(offer: str) -> str:
        return await studio.join(SESSION, "applicant", offer)

    peer = Peer(clip, exchange=join, hosts=["127.0.0.1"], slots=1)
    await peer.connect()
    async with asyncio.timeout(30), services.changed:
        await services.changed.wait_for(lambda: services.segments)
    services.full = True
    await studio.close(SESSION)
    await peer.close()


async def test_what_waits_for_space_is_told_after_the_call(
    studio: Studio, services: Services, clip: Clip, vault: Vault, tmp_path: pathlib.Path
) -> None:
    await call(studio, services, clip)
    assert services.ended == []
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(studio.all_told(SESSION))
        await services.refused.wait()
        assert studio.short_of_space
        assert not waiting.done()
        services.full = False
    assert not studio.short_of_space
    assert services.ended == ["closed"]
    (path,) = tmp_path.glob("*.take")
    whole = [each.chain for each in recover(path, vault.decrypt)]
    assert [each.chain for each in services.segments] == whole
    await studio.all_told(SESSION)  # and there is nothing more to wait for


async def test_who_seals_is_told_when_it_never_will_be(
    studio: Studio, services: Services, clip: Clip
) -> None:
    await call(studio, services, clip)
    await studio.close_all()
    with pytest.raises(OSError, match="wait for space"):
        await studio.all_told(SESSION)  # asked again, as a job that is retried does
