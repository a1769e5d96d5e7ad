"""The disk fills up while a call runs: both are told, nothing acknowledged is lost, it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.rehearsal.footage import Footage
from server.rehearsal.session import hold_session, play_until
from server.rehearsal.story import until_state
from server.rehearsal.visitor import RefusedError
from tests.fakes.disk import fill, mounted
from tests.rehearsal.audience import House, waiting_case


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size="48m") as disk:
        yield disk


async def test_a_full_disk_is_told_and_survived(small_disk: Path, footage: Footage) -> None:
    async with waiting_case(small_disk, footage) as house:
        async with house.meeting() as stage:
            await play_until(stage, 2)
            session = stage.session
            known = dict(house.receipts)
            ballast = fill(small_disk)

            # both screens are told, in words, and the call goes on
            for screen in (stage.desk, stage.phone):
                await screen.until(
                    lambda screen=screen: bool(screen.view["recording"]["failed"]),
                    what="the news that nothing is recorded",
                )
            await asyncio.gather(
                *(
                    camera.received(video=camera.frames["video"] + 20)
                    for camera in (stage.notary_camera, stage.applicant_camera)
                )
            )
            assert not stage.desk.closed
            assert not stage.phone.closed

            # whatever would have to be kept is refused with a reason; what is kept can be read
            for attempt in refused_now(house, stage.session):
                with pytest.raises(RefusedError) as refused:
                    await attempt
                assert (refused.value.status, refused.value.code) == (507, "disk-full")
            assert (await house.seen())["state"] == "IN_SESSION"

            # space again: a new take, the gap between them written, and the case goes on
            ballast.unlink()
            for screen in (stage.desk, stage.phone):
                await screen.until(
                    lambda screen=screen: (
                        screen.view["recording"]["failed"] is None
                        and all(each["take"] for each in screen.view["participants"])
                    ),
                    what="the second takes",
                )
            await stage.desk.until(
                lambda: "disk" in {gap["kind"] for gap in stage.desk.view["recording"]["gaps"]},
                what="the gap",
            )
            await hold_session(stage, house.office.staff("notary"), lambda _: None)
        await until_state(house.notary, f"/api/desk/cases/{house.case}", "SEALED")
        await house.approve()
        left = await house.delivered(small_disk.parent / "left")
        await left.require_valid()
        assert known.items() <= house.receipts.items()
        house.require_receipts(left.view)
        gaps = [leaf.body for leaf in left.entries("gap") if leaf.body["gap"] == "disk"]
        assert {gap["participant"] for gap in gaps} == {"applicant", "notary"}
        assert [leaf.body["session"] for leaf in left.entries("session-opened")] == [session]


def refused_now(house: House, session: str) -> Iterator[object]:
    """Acts that each need something written down."""
    yield house.applicant.post("/api/cases", {"matter": "poa-remote", "language": "zh-CN"})
    yield house.applicant.upload(
        f"/api/sessions/{session}/documents?side=front",
        house.footage.card_front,
        name="front.jpg",
        media_type="image/jpeg",
    )
    yield house.notary.post(f"/api/sessions/{session}/instruction", {"text": "请稍候"})
