"""A case under witnesses: it waits for them where it must, says so, and its bundle shows them."""

import asyncio
import io
import json
import time
import zipfile
from dataclasses import dataclass
from hashlib import sha256

import pytest
from script import LIN, WANG, Play
from stage import PROFILE, SECRET, Stage, StageClock, open_stage

from ledger.cosigning import Witnesses
from server.domain.errors import DomainError
from server.timestamps import Authority, OutsideTime
from signing.ca import Office, open_office
from signing.keys import Secret
from signing.trust import Trust
from signing.verify_bundle import verify
from tests.ledger.outside import Outside, gone


class TimeOfDay:
    """A clock nobody sets, for witnesses beside an office that runs by it."""

    @property
    def wall(self) -> int:
        return time.time_ns() // 1_000_000


@dataclass
class Town:
    """Three witnesses, of which two must sign."""

    outside: Outside | None = None

    def witnesses(self, office: Office) -> Witnesses:
        if self.outside is None:
            self.outside = Outside(office.log_keys, TimeOfDay())
            for number in range(3):
                self.outside.add(f"w{number}.example")
        outside = self.outside
        return Witnesses(
            outside.policy(2),
            ask=outside.ask,
            log_keys=office.log_keys.verifiers,
            clock=lambda: outside.clock.wall,
            retry_s=(0.01, 0.05),
        )

    def answer(self, answers: bool) -> None:
        assert self.outside is not None
        for each in self.outside.neighbours:
            each.instead = None if answers else gone


async def pending(stage: Stage) -> None:
    async with asyncio.timeout(60):
        while stage.log.pending != "witnesses":
            await stage.log.leaf(0)


async def next_of(stage: Stage, case: str) -> tuple[str, str]:
    """State and next step, as the applicant is told."""
    view = await stage.services.intake.case(WANG, case, language="en")
    return view["state"], view["next"]["title"]


async def test_a_certificate_waits_for_the_witnesses(office) -> None:
    town = Town()
    async with open_stage(office("judged"), witnesses=town.witnesses) as stage:
        services = stage.services
        (case,) = await services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.approve()
        town.answer(False)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(stage.work())
            # The intent is not sealed, so nothing is signed.
            await pending(stage)
            assert await next_of(stage, case.id) == ("APPROVED", "Waiting for the witnesses")
            queue = await services.reception.queue(LIN, filter="all", language="en")
            assert "Waiting for the witnesses" in [each["next"] for each in queue["cases"]]
            with pytest.raises(DomainError, match="certificate-not-ready"):
                await services.delivery.certificate(WANG, case.id)
            assert not work.done()
            town.answer(True)
        state, _ = await next_of(stage, case.id)
        assert state == "DELIVERED"

        stage.office.trust_ledger(
            stage.office.ledger.known.generations,
            town.witnesses(stage.office).policy,
            since=lambda: stage.log.witnessed_from,
        )
        trust = Trust.parse(stage.office.trust())
        bundle = (await services.delivery.bundle(WANG, case.id)).content
        report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
        assert report.verdict == "valid", [c for c in report.checks if c.outcome != "ok"]
        assert "no-witness" not in report.notes
        # The session of this case was held before there were witnesses: nothing dates its start.
        before, first, last, *after = report.facts["between"]
        assert before == {"key": "no-before", "why": "none"}
        assert [each["key"] for each in after] == ["not-after", "own-after"]
        assert first["index"] <= last["index"]
        with zipfile.ZipFile(io.BytesIO(bundle)) as files:
            assert trust.policy.holds(files.read("ledger/checkpoint.txt").decode())


async def test_what_is_issued_and_not_sealed_is_not_handed_out(office) -> None:
    """The witnesses go away between the intent and the certificate."""
    town = Town()

    def passed(name: str) -> None:
        if name == "act-completed":
            town.answer(False)

    async with open_stage(office("judged"), witnesses=town.witnesses, passed=passed) as stage:
        services = stage.services
        (case,) = await services.workplace.files.cases()
        play = Play(stage, case=case.id)
        await play.approve()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(stage.work())
            async with asyncio.timeout(120):
                while (await next_of(stage, case.id))[0] != "ISSUED":
                    await stage.log.leaf(0)
            await pending(stage)
            assert (await next_of(stage, case.id))[1] == "Waiting for the witnesses"
            view = await services.intake.case(WANG, case.id, language="zh-CN")
            assert view["certificate"] is None
            assert view["next"]["title"] == "等待见证方签署"
            for ask in (services.delivery.certificate, services.delivery.bundle):
                with pytest.raises(DomainError, match="certificate-not-ready"):
                    await ask(WANG, case.id)
            assert not work.done()
            town.answer(True)
        assert (await next_of(stage, case.id))[0] == "DELIVERED"


async def dated(stage: Stage, town: Town) -> list[dict[str, object]]:
    """The lines of the report that date the session of the one case."""
    (case,) = await stage.services.workplace.files.cases()
    stage.office.trust_ledger(
        stage.office.ledger.known.generations,
        town.witnesses(stage.office).policy,
        since=lambda: stage.log.witnessed_from,
    )
    bundle = (await stage.services.delivery.bundle(WANG, case.id)).content
    trust = Trust.parse(stage.office.trust())
    report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
    assert report.verdict == "valid", [c for c in report.checks if c.outcome != "ok"]
    return report.facts["between"]


async def test_a_session_under_witnesses_lies_between_two_outside_times(tmp_path) -> None:
    town = Town()
    async with open_stage(tmp_path, witnesses=town.witnesses) as stage:
        began = time.time_ns() // 1_000_000
        play = Play(stage)
        await play.to_waiting()
        await stage.journal.drain()
        await stage.log.seal(stage.log.size - 1)
        for scene in (play.session, play.certify, play.judge, play.approve, stage.work):
            await scene()
        ended = time.time_ns() // 1_000_000
        lines = before, first, last, after, own = await dated(stage, town)
        shown = await stage.services.reception.case_file(LIN, play.case, language="en")
        assert shown["between"] == list(lines)  # the desk is told what a verifier finds
        assert before["key"] == "not-before"
        assert len(before["who"]) >= 2
        assert began - 1000 <= before["at"] <= first["at"] <= last["at"]
        assert before["size"] <= first["index"] <= last["index"] < after["size"]
        assert after["key"] == "not-after"
        assert set(after["who"]) <= {f"w{number}.example" for number in range(3)}
        assert last["at"] // 1000 <= after["at"] // 1000 <= ended // 1000
        assert own["key"] == "own-after"  # the office's own authority is never called another's
        opened = [
            json.loads(event.body)
            for event in await stage.services.workplace.outbox.of_case(
                (await stage.services.workplace.files.cases())[0].id
            )
        ]
        (words,) = [each for each in opened if each.get("evidence") == "opening_words_issued"]
        assert words["outside"] == "signed"
        assert words["checkpoint_size"] == before["size"]
        assert words["outside_age"] >= 0


async def test_witnesses_that_are_away_at_the_opening_leave_a_gap_that_is_written_down(
    tmp_path,
) -> None:
    town = Town()
    async with open_stage(tmp_path, witnesses=town.witnesses) as stage:
        town.answer(False)
        play = Play(stage)
        await play.to_waiting()
        await play.open()
        town.answer(True)
        view = await stage.services.ceremony.view(LIN, play.sid, language="en")
        assert view["id"] == play.sid
        events = await stage.services.workplace.outbox.of_case(play.case)
        (words,) = [json.loads(each.body) for each in events if "opening_words_issued" in each.body]
        assert words["outside"] == "unavailable"
        await stage.journal.drain()
        shown = await stage.services.reception.case_file(LIN, play.case, language="en")
        assert shown["between"][0] == {"key": "no-before", "why": "unavailable"}
        assert shown["between"][-1] == {"key": "no-after"}
        assert "outside_age" not in words


async def test_an_outside_authority_dates_a_session_too(tmp_path) -> None:
    """Its token under the opening words, and over the session's seal; no witness is there."""
    other = open_office(tmp_path / "other", PROFILE, Secret(SECRET), clock=StageClock())

    async def post(url: str, request: bytes) -> bytes:
        return other.tsa.respond(request)

    authority = Authority("http://tsa.example", (other.root,))
    outside = OutsideTime([authority], post, clock=StageClock(), pace_s=0)
    (tmp_path / "stage").mkdir()
    async with open_stage(tmp_path / "stage", outside=outside) as stage:
        play = Play(stage)
        for scene in (play.to_waiting, play.session, play.certify, play.judge, play.approve):
            await scene()
        await stage.work()
        trust = Trust.parse(stage.office.trust())
        bundle = (await stage.services.delivery.bundle(WANG, play.case)).content
        report = await asyncio.to_thread(verify, bundle, trust, at=stage.clock())
        assert report.verdict == "valid", [c for c in report.checks if c.outcome != "ok"]
        assert "own-time-signatures" in report.notes
        before, first, last, after = report.facts["between"]
        name = other.tsa.certificate.subject.rfc4514_string()
        assert (before["key"], before["who"]) == ("not-before", [name])
        assert (after["key"], after["who"]) == ("not-after", [name])
        assert before["at"] <= first["at"] <= last["at"] <= after["at"]
        events = await stage.services.workplace.outbox.of_case(play.case)
        (words,) = [json.loads(each.body) for each in events if "opening_words_issued" in each.body]
        with zipfile.ZipFile(io.BytesIO(bundle)) as files:
            token = files.read("timestamps/opening.tsr")
        assert words["token_sha256"] == sha256(token).hexdigest()
        # To a reader whose trust.json does not name that authority it proves nothing.
        less = stage.office.trust() | {"tsa_roots": stage.office.trust()["roots"]}
        report = await asyncio.to_thread(verify, bundle, Trust.parse(less), at=stage.clock())
        assert report.verdict != "valid"
