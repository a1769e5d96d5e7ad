"""Hints: said in the reader's language, of the time the picture was taken."""

import pytest
from script import LIN, WANG, Play
from stage import open_stage

from server.identity.findings import Finding
from server.storage.findings import FindingRow

EXPIRED = Finding(
    kind="document", level="attention", text_key="document.expired", at=0,
    detail={"value": "2020-01-01"},
)  # fmt: skip


@pytest.fixture
async def identified(office):
    async with open_stage(office("waiting")) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.open()
        await play.step(1)
        yield play


async def hints(play: Play, language: str) -> list[dict]:
    view = await play.stage.services.ceremony.view(LIN, play.sid, language=language)
    return view["identity"]["findings"]


async def test_a_hint_is_said_in_the_language_of_who_reads_it(identified):
    identified.stage.eyes.findings = (EXPIRED,)
    identity = identified.stage.services.identity
    await identity.document(WANG, identified.sid, side="front", image=b"1", language="zh-CN")
    (chinese,), (english,) = await hints(identified, "zh-CN"), await hints(identified, "en")
    assert chinese["text"] == "证件已过有效期（2020-01-01）。"
    assert english["text"] == "The document expired on 2020-01-01."


async def test_a_hint_kept_as_a_sentence_is_still_read(identified):
    workplace = identified.stage.services.workplace
    body = {
        "kind": "dark", "level": "attention", "text_key": "hint.dark", "text": "脸部偏暗。",
        "score": 1.0, "threshold": 2.0, "picture": None,
    }  # fmt: skip
    row = FindingRow("f" * 32, identified.sid, identified.case, "hint", 1, body)
    async with workplace.files.change(session_id=identified.sid) as change:
        await workplace.findings.add(change.connection, row)
    (shown,) = await hints(identified, "en")
    assert shown["text"] == "脸部偏暗。"


async def test_what_is_found_in_a_captured_frame_is_of_the_frames_time(identified):
    stage = identified.stage
    frame_at = stage.eyes.frame_at = stage.clock() - 900
    stage.eyes.findings = (EXPIRED,)
    identity = stage.services.identity
    await identity.capture(LIN, identified.sid, what="document-front", language="en")
    await identity.capture(LIN, identified.sid, what="face", language="en")
    assert [each["at"] for each in await hints(identified, "en")] == [frame_at]
    rows = await stage.services.workplace.findings.of_session(identified.sid)
    found = {row.sort: row.at for row in rows if row.sort != "picture"}
    assert found == dict.fromkeys(("reading", "hint", "comparison"), frame_at)
    before = stage.clock()
    await identity.document(WANG, identified.sid, side="back", image=b"1", language="en")
    assert stage.eyes.taken[0] == frame_at
    assert before <= stage.eyes.taken[1] <= stage.clock()  # an upload is of when it came
