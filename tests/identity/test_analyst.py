"""The analyst: answers in time or says "unavailable", whatever happens in its workers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.identity import models, wire
from server.identity.analyst import Analyst
from server.identity.findings import DocumentReading, Field, Finding, Quality
from server.identity.hints import Watch
from server.identity.process import Closed, Crowded, ImageProcess, Late
from server.rehearsal import face, specimen
from tests.identity.conftest import AT, png
from tests.identity.test_pictures import bomb

FRAME = png(face.applicant().frame(face.Pose()))
WAIT_S = 120.0  # the machine may be busy; a deadline of its own is tested below


@pytest.fixture
async def analyst() -> AsyncIterator[Analyst]:
    async with Analyst(clock=lambda: AT, deadline_s=WAIT_S) as made:
        yield made


async def test_the_whole_way_and_hostile_bytes_through_one_worker(
    analyst: Analyst, cards: dict[str, Any]
) -> None:
    assert await analyst.warm() == ()
    reading = await analyst.read_document(specimen.jpeg(cards["front"]), "front")
    assert reading.fields["number"].check == "ok"
    assert reading.portrait is not None
    finding = await analyst.compare(reading.portrait, [FRAME])
    assert (finding.text_key, finding.at) == ("face.similar", AT)
    assert await analyst.watch(FRAME, memory=Watch()) == ()

    for data, key in (
        (bomb(60_000, 60_000), "picture.too_large"),
        (bomb(3_000, 3_000), "picture.damaged"),
        (b"\x00\x00\x00\x18ftypheic", "picture.type"),
        (b"", "picture.type"),
    ):
        refused = await analyst.read_document(data, "front")
        (finding,) = refused.findings
        assert (finding.kind, finding.level) == ("document", "unavailable")
        assert finding.text_key in (key, "document.not_found")
        assert (refused.kind, dict(refused.fields)) == ("unknown", {})
    finding = await analyst.compare(b"no picture", [FRAME])
    assert (finding.level, finding.text_key) == ("unavailable", "face.unavailable.portrait")
    again = await analyst.compare(reading.portrait, [FRAME])
    assert again.text_key == "face.similar"


@pytest.mark.parametrize("what", ["missing", "altered"])
async def test_without_the_right_weights_it_is_unavailable(
    what: str, tmp_path: Path, cards: dict[str, Any]
) -> None:
    if what == "altered":
        shutil.copytree(models.HERE / "weights", tmp_path, dirs_exist_ok=True)
        with (tmp_path / models.SFACE).open("r+b") as file:
            file.seek(5_000)
            file.write(b"\x00\x01\x02\x03")
    key = "unavailable.weights_missing" if what == "missing" else "unavailable.weights_wrong"
    async with Analyst(clock=lambda: AT, weights=tmp_path, deadline_s=WAIT_S) as analyst:
        finding = await analyst.compare(FRAME, [FRAME])
        assert (finding.kind, finding.level, finding.text_key) == (
            "face_comparison", "unavailable", key,
        )  # fmt: skip
        memory = Watch()
        (hint,) = await analyst.watch(FRAME, memory=memory)
        assert (hint.level, hint.text_key) == ("unavailable", key)
        assert await analyst.watch(FRAME, memory=memory) == ()  # said once
        if what == "missing":  # text is still read; only the portrait is not
            reading = await analyst.read_document(specimen.jpeg(cards["back"]), "back")
            assert reading.fields["valid_to"].value == "2039-03-04"


async def test_a_late_answer_is_unavailable_and_the_next_one_is_not() -> None:
    worker = ImageProcess(None, waiting=4)
    try:
        assert await worker.ask({"do": "warm", "what": "faces"}, deadline_s=WAIT_S)
        with pytest.raises(Late):
            await worker.ask({"do": "look", "frame": FRAME, "at": 1}, deadline_s=0.0)
        seen = await worker.ask({"do": "look", "frame": FRAME, "at": 2}, deadline_s=WAIT_S)
        assert (seen.at, len(seen.faces)) == (2, 1)
    finally:
        await worker.stop()


async def test_what_could_not_be_looked_at_is_told_of_the_pictures_own_time() -> None:
    analyst = Analyst(clock=lambda: AT)
    await analyst.close()
    finding = await analyst.compare(FRAME, [FRAME], at=AT - 700)
    assert (finding.level, finding.at) == ("unavailable", AT - 700)
    (hint,) = await analyst.watch(FRAME, memory=Watch(), at=AT - 300)
    assert (hint.level, hint.at) == ("unavailable", AT - 300)


async def test_the_oldest_waiting_frame_gives_way_to_the_newest() -> None:
    worker = ImageProcess(None, waiting=1)
    try:
        async with asyncio.TaskGroup() as group:
            jobs = [
                group.create_task(outcome(worker, at))
                for at in (1, 2, 3)
            ]  # fmt: skip
        assert [job.result() for job in jobs] == [1, "crowded", 3]
    finally:
        await worker.stop()
    with pytest.raises(Closed):
        await worker.ask({"do": "warm", "what": "faces"}, deadline_s=WAIT_S)


async def test_stopped_while_it_warms_it_leaves_no_process_and_no_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    analyst = Analyst(clock=lambda: AT, deadline_s=WAIT_S)
    async with asyncio.TaskGroup() as group:
        warming = group.create_task(analyst.warm())
        await asyncio.sleep(0)  # it has begun to start its workers
        await analyst.close()
    assert warming.result() == ()
    assert caplog.records == []
    assert [each._process for each in (analyst._documents, analyst._faces)] == [None, None]


async def test_stopped_in_the_middle_of_a_job_it_says_that_it_was_closed() -> None:
    worker = ImageProcess(None, waiting=1)
    await worker.ask({"do": "warm", "what": "faces"}, deadline_s=WAIT_S)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(ended(worker))
        await asyncio.sleep(0)  # the job is with the worker
        await worker.stop()
    assert asked.result() is Closed


async def ended(worker: ImageProcess) -> object:
    try:
        return await worker.ask({"do": "look", "frame": FRAME, "at": 1}, deadline_s=WAIT_S)
    except EOFError as error:
        return type(error)


async def outcome(worker: ImageProcess, at: int) -> object:
    try:
        return (await worker.ask({"do": "look", "frame": FRAME, "at": at}, deadline_s=WAIT_S)).at
    except Crowded:
        return "crowded"


async def test_a_cancelled_caller_does_not_get_the_next_ones_answer() -> None:
    worker = ImageProcess(None, waiting=4)
    try:
        await worker.ask({"do": "warm", "what": "faces"}, deadline_s=WAIT_S)
        async with asyncio.TaskGroup() as group:
            cancelled = group.create_task(outcome(worker, 1))
            waiting = group.create_task(outcome(worker, 2))
            await asyncio.sleep(0)
            cancelled.cancel()
        assert waiting.result() == 2
    finally:
        await worker.stop()


def test_values_survive_the_wire() -> None:
    reading = DocumentReading(
        kind="resident_id", side="front",
        fields={"name": Field(value="申请人甲", check="none", confidence=0.5)},
        portrait=b"\xff\x00", crop=None,
        quality=Quality(sharpness=1.0, light=2.0, width=3, height=4),
        findings=(Finding(kind="k", level="info", text_key="t", at=1, evidence={"e": b"\x00"}),),
        quad=((0.0, 1.0), (2.0, 3.0)),
    )  # fmt: skip
    assert wire.load(wire.dump(reading)) == reading


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b'{"$type":"os.system","$value":{}}', b'{"$bytes":"*"}',
     b'{"$type":"Finding","$value":{"kind":"k"}}'],
)  # fmt: skip
def test_a_worker_gone_bad_can_send_nothing_but_values(line: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        wire.load(line)


def test_the_face_networks_come_from_checked_bytes(tmp_path: Path) -> None:
    assert set(models.expected_digests()) >= {models.YUNET, models.SFACE}
    assert models.weights_directory({"FARSEAL_WEIGHTS_DIR": str(tmp_path)}) == tmp_path
    assert models.weights_directory({}) == models.HERE / "weights"
    assert np.isfinite(len(models.checked(models.HERE / "weights", models.YUNET)))
