"""Sound alone is no session: who is heard and not seen interrupts it, as a lost line does."""

import asyncio
from dataclasses import dataclass, field

import pytest

from server.media import SegmentClosed
from server.rehearsal.peer import Clip, Peer
from server.sight import UNSEEN_MS, Sight
from server.studio import Studio

from .conftest import SESSION, Vault
from .test_studio import Services, studio  # noqa: F401 - the fixture


@dataclass
class Watched(Services):
    """Keeps who was lost, why, and since when."""

    losses: list[tuple[str, str, int]] = field(default_factory=list)

    async def lost(self, sid: str, *, role: str, reason: str, since: int) -> None:
        self.losses.append((role, reason, since))
        await self._written()


@pytest.fixture
async def services(vault: Vault) -> Watched:
    return Watched(vault)


def second(n: int, *, frames: int = 15, role: str = "applicant") -> SegmentClosed:
    """The segment of a recording's n-th second."""
    return SegmentClosed(
        session=SESSION,
        participant=role,
        at=(n + 1) * 1000,
        take=1,
        number=n,
        start_at=n * 1000,
        end_at=(n + 1) * 1000,
        offset=0,
        length=1,
        plaintext_sha256="",
        ciphertext_sha256="",
        chain="",
        keyframe=frames > 0,
        frames=frames,
    )


def test_video_that_stays_away_is_told_since_its_last_frame() -> None:
    sight = Sight()
    sight.begins("applicant", 0)
    assert [sight.segment(second(n)) for n in range(3)] == [None] * 3
    told = [sight.segment(second(n, frames=0)) for n in range(3, 20)]
    assert [n for n, since in enumerate(told, 3) if since is not None] == [7, 12, 17]
    assert told[4] == 3_000
    assert not sight.shows("applicant")
    assert sight.shows("notary")
    assert sight.segment(second(20)) is None
    assert sight.shows("applicant")


def test_video_that_never_came_is_missed_from_the_beginning() -> None:
    sight = Sight()
    told = [sight.segment(second(n, frames=0)) for n in range(UNSEEN_MS // 1000)]
    assert told == [None] * (len(told) - 1) + [0]


def test_one_frame_a_few_seconds_late_is_no_interruption() -> None:
    sight = Sight()
    for n in range(40):
        assert sight.segment(second(n, frames=n % 5 == 4)) is None


def test_a_new_take_has_its_time_again() -> None:
    sight = Sight()
    for n in range(4):
        sight.segment(second(n, frames=0))
    sight.begins("applicant", 4_000)
    assert [sight.segment(second(n, frames=0)) for n in range(4, 8)] == [None] * 4


async def test_a_camera_that_fails_while_the_microphone_goes_on(
    studio: Studio,  # noqa: F811
    services: Watched,
    clip: Clip,
) -> None:
    async def join(offer: str) -> str:
        return await studio.join(SESSION, "applicant", offer)

    peer = Peer(clip, exchange=join, hosts=["127.0.0.1"], slots=1)
    await peer.connect()
    async with asyncio.timeout(30), services.changed:
        await services.changed.wait_for(lambda: any(each.frames for each in services.segments))
    assert services.losses == []
    peer.cover()
    async with asyncio.timeout(30), services.changed:
        await services.changed.wait_for(lambda: services.losses)
    [(role, reason, since)] = services.losses
    assert (role, reason) == ("applicant", "no picture")
    seen = [each for each in services.segments if each.frames]
    assert since == seen[-1].end_at
    assert services.segments[-1].end_at - since >= UNSEEN_MS
    assert not studio.presence(SESSION)["applicant"]["picture"]
    await peer.close()
