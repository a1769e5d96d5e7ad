"""One case from the front door to the delivered certificate, over HTTP, socket and real media."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ledger.anchors import TIMESTAMP, anchors_of
from ledger.entry import Leaf
from ledger.merkle import TILE_WIDTH
from ledger.tiles import ENTRIES, read_bundle, tile_path
from server.rehearsal import story
from server.rehearsal.footage import Footage
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import FreshOffice
from server.rehearsal.peer import Clip, encode_clip
from server.rehearsal.visitor import RefusedError, Visitor
from tests.fakes.office import Browser, Office, ProblemError, running_office


def today() -> date:
    return datetime.now(tz=UTC).date()


def clip(seed: int) -> Clip:
    """One second of moving squares: no face, so the analysis has nothing to be sure of."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    picture = noise.repeat(20, 0).repeat(20, 1)
    return encode_clip([np.roll(picture, 7 * n, axis=1) for n in range(10)], fps=10)


def card() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), (200, 220, 230)).save(file, "JPEG")
    return file.getvalue()


def footage() -> Footage:
    return Footage(
        notary=clip(1), face=clip(2), holding_front=clip(3), holding_back=clip(4), card_front=card()
    )


def as_fresh(office: Office) -> FreshOffice:
    return FreshOffice(office.url, office.data, staff_logins(office.data))


@asynccontextmanager
async def delivered(tmp_path: Path) -> AsyncIterator[tuple[Office, story.Played]]:
    acts: list[str] = []
    async with (
        running_office(tmp_path / "data") as office,
        story.play(as_fresh(office), footage(), acts.append, today=today()) as case,
    ):
        assert [act for act in story.ACTS if act in acts] == acts
        yield office, case


async def require_anchored(stranger: Browser, note: str) -> None:
    """What the office's authority said of the first checkpoints is logged back."""
    origin, size = note.split("\n")[:2]
    path = tile_path(ENTRIES, 0, min(int(size), TILE_WIDTH))
    leaves = [Leaf.parse(leaf) for leaf in read_bundle(await stranger.get(f"/log/{path}"))]
    anchors = anchors_of(origin, leaves)
    assert {anchor.of for _, anchor in anchors} == {TIMESTAMP}
    for index, anchor in anchors:
        assert 0 < anchor.size <= index
        assert leaves[anchor.size - 1].time - 1000 <= anchor.time <= leaves[index].time
        assert "Time Stamping Unit" in anchor.who


async def test_a_case_reaches_its_certificate(tmp_path: Path) -> None:
    async with delivered(tmp_path) as (office, played), office.browser() as stranger:
        case, applicant = played.case, played.applicant
        path, certificate = f"/api/cases/{case['id']}", case["certificate"]
        assert case["state"] == "DELIVERED"
        pdf = await applicant.download(f"{path}/certificate.pdf")
        bundle = await applicant.download(f"{path}/bundle.zip")

        # whoever relies on it: by number, by code, by the file itself
        known = await stranger.get(f"/api/verify/number/{certificate['number']}")
        assert known["status"] == "valid"
        assert "facts" not in known
        opened = await stranger.get(f"/api/verify/code/{certificate['code']}")
        assert opened["pdf_sha256"] == certificate["pdf_sha256"]
        assert await stranger.get(f"/api/verify/code/{certificate['code']}/bundle.zip") == bundle
        for data, name in ((pdf, "certificate.pdf"), (bundle, "bundle.zip")):
            report = await stranger.upload("/api/verify/file", data, name=name)
            assert report["verdict"] == "valid", report
            changed = bytearray(data)
            changed[len(data) // 2] ^= 1
            report = await stranger.upload("/api/verify/file", bytes(changed), name=name)
            assert report["verdict"] == "invalid", report
        assert (await stranger.upload("/api/verify/file", b"words", name="a"))[
            "verdict"
        ] == "invalid"

        # the ledger had the session while it ran, and says nothing personal
        timeline = (await applicant.get(f"{path}/timeline"))["entries"]
        assert all(entry["index"] is not None for entry in timeline)
        entries = await stranger.get("/log/checkpoint")
        assert int(entries.split(b"\n")[1]) > 60
        await require_anchored(stranger, entries.decode())
        everything = b"".join(
            each.read_bytes() for each in (office.data / "ledger").iterdir() if each.is_file()
        )
        for personal in ("申请人甲", "329900198808080022", "13800000000", "远山市石桥街"):
            assert personal.encode() not in everything

        # nothing of the evidence lies in clear on the disk
        for folder in ("objects", "recordings"):
            for each in (office.data / folder).rglob("*"):
                if each.is_file():
                    head = each.read_bytes()[:4096]
                    assert b"%PDF" not in head
                    assert b"\x1aE\xdf\xa3" not in head

        # the equal copy, the receipt, the recordings for the approver only
        with zipfile.ZipFile(io.BytesIO(await applicant.download(f"{path}/copy.zip"))) as copy:
            assert copy.testzip() is None
        receipt = json.loads(await applicant.download(f"{path}/receipt.json"))
        assert receipt
        review = await played.approver.get(f"/api/approvals/{case['id']}")
        for recording in review["recordings"]:
            webm = await played.approver.download(recording["url"])
            assert webm.startswith(b"\x1aE\xdf\xa3")
            with pytest.raises(RefusedError, match="not-allowed"):
                await applicant.download(recording["url"])

        # letters: the invitation and the news
        kinds = [message["kind"] for message in office.outbox("13800000000")]
        assert kinds[0] == "login-code"
        assert {"invitation", "certificate-ready"} <= set(kinds)
        rated = await applicant.post(f"{path}/rating", {"stars": 5, "words": "<b>谢谢</b>"})
        assert rated["state"] == "DELIVERED"
        share = await applicant.post(f"{path}/shares")
        assert (await stranger.get(f"/api/verify/code/{share['code']}"))["status"] == "valid"


@asynccontextmanager
async def in_session(office: Office) -> AsyncIterator[story.Stage]:
    """Both parties connected and recorded, in step 1."""
    fresh = as_fresh(office)
    film = footage()
    async with Visitor(office.url) as applicant, Visitor(office.url) as notary:
        case = await story.apply(fresh, applicant, film, today())
        await story.log_in(notary, fresh.staff("notary"))
        await notary.post(f"/api/desk/cases/{case}/precheck")
        await notary.post(f"/api/desk/cases/{case}/accept", {"conflict_checked": True})
        await story.prepare(applicant, case)
        async with story.meet(notary, applicant, case, film) as stage:
            yield stage


async def refusal(attempt: Awaitable[object]) -> str:
    with pytest.raises(RefusedError) as refused:
        await attempt
    return refused.value.code


async def test_a_session_seen_from_both_sides(office_server: Office) -> None:
    async with in_session(office_server) as stage:
        await anchored_while_it_runs(stage)
        await what_is_too_early(stage)
        await the_silent_flag(stage)
        await a_second_notary(office_server, stage)
        await lost_and_back(stage)
        # the same person on another screen takes the seat
        async with stage.applicant.socket(stage.session) as second:
            await second.until(lambda: bool(second.view), what="a snapshot")
            await stage.phone.until(lambda: stage.phone.closed, what="the eviction")


async def anchored_while_it_runs(stage: story.Stage) -> None:
    await stage.phone.until(lambda: len(stage.phone.anchored) > 3, what="anchored entries")
    await stage.desk.until(
        lambda: all(each["connected"] for each in stage.desk.view["participants"]),
        what="both participants",
    )
    assert stage.desk.view["identity"] is not None
    assert stage.phone.view["identity"] is None
    await stage.phone.until(
        lambda: len(stage.phone.view["fingerprint"]) == 4, what="the fingerprint"
    )


async def what_is_too_early(stage: story.Stage) -> None:
    assert await refusal(stage.as_notary("steps/1/complete")) == "step-incomplete"
    assert await refusal(stage.as_notary("steps/4/complete")) == "step-not-current"
    wrong = stage.as_notary("evidence/nonsense", {"words": "seen"})
    assert await refusal(wrong) == "evidence-unknown"
    early = stage.as_applicant("signing", {"act": "document", "strokes": story.STROKES})
    assert await refusal(early) == "signing-too-early"
    assert await refusal(stage.as_applicant("flag")) == "not-allowed"


async def the_silent_flag(stage: story.Stage) -> None:
    """It shows on the desk and nowhere on the phone, and no entry of the ledger has its name."""
    await stage.as_notary("flag")
    await stage.desk.until(lambda: stage.desk.view["flagged"] is True, what="the flag")
    assert not stage.phone.view["flagged"]
    assert not [each for each in stage.desk.anchored if "flag" in each["kind"]]


async def a_second_notary(office: Office, stage: story.Stage) -> None:
    """Is refused in words, and the session goes on."""
    async with office.staff("notary2") as other:
        url = f"{office.url}/api/sessions/{stage.session}/socket"
        async with other.http.ws_connect(url) as socket:
            told = await socket.receive_json()
            assert told["problem"]["code"] == "session-has-notary"
            closed = await socket.receive()
            assert (closed.type.name, closed.data) == ("CLOSE", 4409)
        with pytest.raises(ProblemError) as refused:
            await other.post(f"/api/desk/cases/{stage.case}/session")
        assert refused.value.code in ("session-has-notary", "not-handler")
    assert not stage.desk.closed


async def lost_and_back(stage: story.Stage) -> None:
    """A lost line interrupts; within the grace a new take, and the step again."""
    await stage.confirm("opening_words_heard", "四个词已听清")
    await stage.confirm("recording_consent", "同意")
    await stage.finish(1)
    await stage.applicant_camera.close()
    await stage.desk.until(
        lambda: stage.desk.view["state"] == "INTERRUPTED", what="the interruption"
    )
    assert stage.desk.view["grace_ends_at"] is not None
    await stage.applicant_camera.connect()
    await stage.as_notary("resume")
    await stage.desk.until(lambda: stage.desk.view["state"] == "OPEN", what="the session")
    assert stage.desk.view["steps"][1]["state"] == "repeated"
    await stage.desk.until(
        lambda: any(
            each["role"] == "applicant" and each["take"] == 1
            for each in stage.desk.view["participants"]
        ),
        what="the second take",
    )
    await stage.desk.until(
        lambda: "reconnect" in {gap["kind"] for gap in stage.desk.view["recording"]["gaps"]},
        what="the gap",
    )
