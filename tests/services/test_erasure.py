"""Erasure: the evidence is gone for good, and everything else is as it was."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import sqlite3
import time
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from script import CHEN, FORM, LIN, WANG, ZHAO, Play
from stage import SECRET, Stage, open_stage

from ledger.entry import Leaf, commitment, derive_salt
from ledger.fsck import fsck
from ledger.proof import verify_case
from ledger.snapshot import Snapshot
from server.cli.case import IN_USE, REFUSED, SETTING, command
from server.config import read_config
from server.domain.canonical import digest
from server.domain.errors import DomainError
from server.folder import locked
from server.offline import open_erasure
from server.services.erasure import Erasure
from server.storage.erasures import Erasures
from server.storage.vault import ErasedError
from signing.trust import Trust
from signing.verify_bundle import verify

ENVIRONMENT = {"FARSEAL_SECRET": SECRET.decode(), "LANG": "C"}
POINTS = (
    "erasure-decided",
    "key-destroyed",
    "objects-deleted",
    "erasure-told",
    "file-written-anew",
)
NAME = {"key": "applicant_name", "value": FORM["applicant_name"]}
YEAR = 366 * 86_400_000


def offline(directory: Path, *, passed=lambda _name: None, ahead_ms: int = 0):
    """The erasure of an office whose server is stopped."""
    config = read_config(data=directory, environment=ENVIRONMENT)
    return open_erasure(config, clock=lambda: time.time_ns() // 1_000_000 + ahead_ms, passed=passed)


@pytest.fixture(scope="module")
def delivered(played, tmp_path_factory) -> Path:
    """An office with one case delivered, its recordings kept, and one withdrawn by the same."""
    directory = tmp_path_factory.mktemp("delivered") / "office"
    shutil.copytree(played["judged"], directory)

    async def play() -> None:
        async with open_stage(directory) as stage:
            (case,) = await stage.services.workplace.files.cases()
            play = Play(stage, case=case.id, sid=case.sessions[-1])
            await play.approve()
            await stage.work()
            await stage.services.archive.keep(play.sid)
            other = Play(stage)
            await other.apply()
            await stage.services.intake.withdraw(WANG, other.case, reason="不办了", language="en")
            await stage.journal.drain()

    asyncio.run(play())
    return directory


@pytest.fixture
def ended(delivered, tmp_path) -> Path:
    return Path(shutil.copytree(delivered, tmp_path / "office"))


async def ids(stage: Stage) -> tuple[str, str]:
    """(delivered, withdrawn)."""
    cases = await stage.services.workplace.files.cases()
    by_state = {case.state.value: case.id for case in cases}
    return by_state["DELIVERED"], by_state["WITHDRAWN"]


async def erase(directory: Path, case: str) -> None:
    async with offline(directory, ahead_ms=11 * YEAR) as erasure:
        await erasure.erase(case, reason="保管期满")


def wrapped(directory: Path, case: str) -> bytes:
    with sqlite3.connect(directory / "vault.db") as connection:
        (key,) = connection.execute(
            "SELECT wrapped FROM case_key WHERE case_id = ? AND purpose = 'evidence'", (case,)
        ).fetchone()
    connection.close()
    return key


def raw(directory: Path, *names: str) -> bytes:
    return b"".join(path.read_bytes() for n in names for path in sorted(directory.glob(f"{n}*")))


async def test_nothing_of_the_evidence_is_left_to_open_or_to_recompute(ended):
    """The key is in no file; a right guess of the content fits no commitment any more."""
    async with open_stage(ended) as stage:
        case, other = await ids(stage)
        files, vault = stage.services.workplace.files, stage.services.workplace.vault
        key = vault.cipher(other).key
        guess = digest(NAME)
        (filled,) = [
            event
            for event in await stage.services.workplace.outbox.of_case(other)
            if files.private(event)["items"].get("facts") == guess
        ]
        leaf = Leaf.parse(await stage.log.leaf(filled.index))
        (row, *_) = await stage.services.workplace.recordings.segments(
            (await files.case(case)).sessions[-1]
        )
        register_keys = [vault.cipher(each, "register").key for each in (case, other)]
    label = f"{filled.id}/facts"
    assert _commits(leaf, key, label, guess)  # with the key, the right guess opens it
    was = [wrapped(ended, each) for each in (case, other)]
    assert all(each in raw(ended, "vault.db") for each in was)
    assert row.segment.plaintext_sha256.encode() in raw(ended, "farseal.db")
    objects = set((ended / "objects").glob("*/*"))
    for each in (case, other):
        await erase(ended, each)
    assert not any(each in raw(ended, "vault.db") for each in was)
    for found in (row.segment.plaintext_sha256, row.segment.ciphertext_sha256):
        assert found.encode() not in raw(ended, "farseal.db")
    assert FORM["applicant_name"].encode() not in raw(ended, "farseal.db", "vault.db")
    for known in (*register_keys, SECRET[:32], bytes(32)):
        assert not _commits(leaf, known, label, guess)
    assert sha256(bytes.fromhex(guess)).hexdigest().encode() not in leaf.data
    assert guess.encode() not in leaf.data
    left = set((ended / "objects").glob("*/*"))
    assert len(left) == 2 < len(objects)  # the certificate and its bundle
    async with open_stage(ended) as stage:
        for each in (case, other):
            with pytest.raises(ErasedError):
                stage.services.workplace.vault.cipher(each)


def _commits(leaf: Leaf, key: bytes, label: str, content_sha256: str) -> bool:
    made = commitment(derive_salt(key, label), bytes.fromhex(content_sha256))
    return made in {item["sha256"] for item in leaf.body["items"]}


async def test_everything_else_verifies_before_and_after(ended):
    async with open_stage(ended) as stage:
        case, _ = await ids(stage)
        code = (await stage.services.workplace.files.case(case)).certificate.code
        before = await checked(stage, case, code)
        before_list = await stage.services.verification.status_list()
        entries = await stage.log.chain(case)
    await erase(ended, case)
    async with open_stage(ended) as stage:
        await stage.journal.drain()
        assert await checked(stage, case, code) == before
        after = await stage.log.chain(case)
        assert after[: len(entries)] == entries
        ((_, told),) = after[len(entries) :]
        leaf = Leaf.parse(told)
        assert (leaf.body["kind"], leaf.body["actor"]) == ("erased", "operator")
        assert leaf.body["key"] == "evidence"
        verify_case([Leaf.parse(each) for _, each in after], case=case)
        events = await stage.services.workplace.outbox.of_case(case)
        (written,) = [event for event in events if event.kind == "erased"]
        private = stage.services.workplace.files.private(written)
        assert private["facts"] == {"reason": "保管期满"}
        stage.clock.ahead_ms = 2 * 86_400_000  # the list of another day is still made
        status = await stage.services.verification.status_list()
        assert status != before_list
        await stage.journal.drain()
    with Snapshot.of(ended / "ledger" / "ledger.db") as snapshot:
        assert fsck(snapshot).clean


async def checked(stage: Stage, case: str, code: str) -> dict:
    """What anyone sees of a certificate, from the number to the bundle's verdict."""
    services = stage.services
    opened = await services.verification.code(code, language="en")
    bundle = (await services.verification.bundle(code)).content
    report = await asyncio.to_thread(
        verify, bundle, Trust.parse(stage.office.trust()), at=stage.clock()
    )
    assert report.verdict == "valid", [c for c in report.checks if c.outcome != "ok"]
    pdf = (await services.delivery.certificate(WANG, case)).content
    assert (await services.delivery.bundle(WANG, case)).content == bundle
    number = await services.verification.number_of(pdf)
    return {
        "facts": opened["facts"],
        "status": opened["status"],
        "pdf": sha256(pdf).hexdigest() == opened["pdf_sha256"],
        "number": (await services.verification.number(number))["status"],
        "bundle": sha256(bundle).hexdigest(),
    }


async def test_lists_and_pages_go_on_and_say_that_it_was_erased(ended):
    async with open_stage(ended) as stage:
        case, other = await ids(stage)
        sid = (await stage.services.workplace.files.case(case)).sessions[-1]
    await erase(ended, case)
    async with open_stage(ended) as stage:
        services = stage.services
        assert await services.archive.recover() == ()
        assert await services.archive.pending() == ()
        assert await services.sealing.pending() == ()
        mine = await services.intake.cases_of(WANG, language="en")
        assert [(line["id"], bool(line["erased"])) for line in mine["cases"]] == [
            (other, False),
            (case, True),
        ]
        for staff in (LIN, CHEN, ZHAO):
            queue = await services.reception.queue(staff, filter="all", language="zh-CN")
            (line,) = [line for line in queue["cases"] if line["id"] == case]
            assert (line["next"], line["applicant_name"]) == ("证据已销毁", "")
        view = await services.intake.case(WANG, case, language="en")
        day = services.workplace.calendar.day(view["erased"]["at"]).isoformat()
        assert day in view["next"]["detail"]
        assert (view["form"], view["papers"], view["session"]) == ({}, [], None)
        assert view["problems"] == {}
        assert view["certificate"]["number"] == "（2026）示远山证字第1号"
        file = await services.reception.case_file(LIN, case, language="en")
        assert (file["allowed_actions"], file["checks"]) == ([], [])
        assert file["timeline"][-1]["title"] == "Evidence erased"
        for refused in (
            services.delivery.copy(WANG, case),
            services.delivery.receipt(WANG, case),
            services.intake.fill(WANG, case, field="applicant_name", value="x"),
            services.documents.pdf(WANG, case),
            services.ceremony.view(LIN, sid, language="en"),
            services.approval.review(CHEN, case, language="en"),
            services.intake.add_paper(
                WANG, case, kind="identity", name="x", media_type="image/jpeg", content=b"x"
            ),
        ):
            with pytest.raises(DomainError) as caught:
                await refused
            assert caught.value.code == "case-erased"


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_it_goes_on_at_the_next_start(ended, point):
    async with open_stage(ended) as stage:
        case, other = await ids(stage)
    key = wrapped(ended, case)
    assert killed_at(point, ended, case) == -signal.SIGKILL
    async with offline(ended) as erasure:  # a start does the same, before anybody is let in
        (done,) = await erasure.resume()
        assert done.case_id == case
        assert await erasure.resume() == ()
        assert (await erasure.erase(case, reason="again")).objects == 0  # harmless
    assert key not in raw(ended, "vault.db")
    assert len(list((ended / "objects").glob("*/*"))) == 2 + 1  # and the other case's paper
    async with open_stage(ended) as stage:
        await stage.journal.drain()
        kinds = [Leaf.parse(leaf).body["kind"] for _, leaf in await stage.log.chain(case)]
        assert kinds.count("erased") == 1
        assert kinds[-1] == "erased"
        await stage.services.workplace.files.case(other)


def killed_at(point: str, directory: Path, case: str) -> int:
    """How a process ended that erased a case and killed itself at a point."""

    def here(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        async with offline(directory, passed=here, ahead_ms=11 * YEAR) as erasure:
            await erasure.erase(case, reason="保管期满")

    child = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(work()))
    child.start()
    child.join()
    return child.exitcode


async def test_a_vault_put_back_from_an_old_backup_loses_the_key_again(ended):
    async with open_stage(ended) as stage:
        case, _ = await ids(stage)
    backup = (ended / "vault.db").read_bytes()
    await erase(ended, case)
    (ended / "vault.db").write_bytes(backup)
    async with offline(ended) as erasure:
        assert [done.case_id for done in await erasure.resume()] == [case]
        assert (await erasure.find(case)).erased_at is not None


async def test_a_database_older_than_its_vault_still_lists_everything(ended):
    async with open_stage(ended) as stage:
        case, other = await ids(stage)
        stage.services.workplace.vault.destroy(case, at=7)
        found = {each.id: each for each in await stage.services.workplace.files.cases()}
        assert (found[case].erased_at, found[other].erased_at) == (7, None)


async def test_what_nothing_names_goes_too_and_nothing_of_another_case(ended):
    async with open_stage(ended) as stage:
        case, other = await ids(stage)
        workplace = stage.services.workplace
        orphan = await workplace.put(case, b"stored, and then the power went", label="paper/x")
    assert (ended / "objects" / case / orphan.name).exists()
    await erase(ended, case)
    assert not (ended / "objects" / case).exists()
    async with open_stage(ended) as stage:
        (paper,) = (await stage.services.workplace.files.case(other)).papers
        assert (await stage.services.intake.paper(WANG, other, paper.id)).content == b"x"


async def refusal(erasure: Erasure, case: str, **given) -> str:
    with pytest.raises(DomainError) as caught:
        await erasure.erase(case, reason="x", **given)
    return caught.value.code


async def test_it_is_refused_while_something_stands_in_the_way(office):
    directory = office("waiting")
    async with open_stage(directory) as stage:
        (case,) = await stage.services.workplace.files.cases()
        play = Play(stage, case=case.id)
        async with offline(directory) as erasure:
            assert await refusal(erasure, case.id) == "erase-open"
            await play.open()
            assert await refusal(erasure, case.id) == "erase-session-live"
            for number in range(1, 10):
                await play.step(number)
            assert await refusal(erasure, case.id) == "erase-unsealed"
            await play.end_takes()
            await stage.work()
            assert await refusal(erasure, case.id) == "erase-open"
            await play.certify()
            await play.judge()
            await play.approve()
            assert await refusal(erasure, case.id) == "erase-issuing"
            await stage.services.sealing.issue(case.id)
            assert await refusal(erasure, case.id) == "erase-issuing"
            await stage.services.sealing.deliver(case.id)
            assert await refusal(erasure, case.id) == "erase-before-term"
            assert await refusal(erasure, case.id, before_term=" ") == "reason-required"
            await erasure.hold(case.id, reason="法院调查令")
            assert await refusal(erasure, case.id, before_term="判决") == "erase-held"
            await erasure.lift(case.id, reason="调查终结")
            with pytest.raises(DomainError, match="hold-unknown"):
                await erasure.lift(case.id, reason="again")
            await erasure.erase(case.id, reason="判决", before_term="（2026）民初1号")
            plan = await Erasures(stage.database, stage.services.workplace.vault).of(case.id)
            assert plan.before_term == "（2026）民初1号"


def run(directory: Path, *arguments: str, given: str | None = None):
    arguments = (*arguments, "--data", str(directory))
    return CliRunner().invoke(command, arguments, input=given, env=ENVIRONMENT)


def test_the_command_asks_for_the_short_id_and_says_what_it_did(ended):
    async def look() -> tuple[str, str]:
        async with open_stage(ended) as stage:
            return await ids(stage)

    case, other = asyncio.run(look())
    refused = run(ended, "erase", case, "--reason", "x", "--yes")
    assert refused.exit_code == REFUSED
    assert "--before-term" in refused.output
    assert run(ended, "erase", "0000", "--reason", "x", "--yes").exit_code == REFUSED
    wrong = run(ended, "erase", other[:8], "--reason", "本人要求", given="nonsense\n")
    assert (wrong.exit_code, "Nothing was changed" in wrong.output) == (REFUSED, True)
    assert run(ended, "hold", other[:8], "--reason", "调查").exit_code == 0
    assert run(ended, "erase", other[:8], "--reason", "x", "--yes").exit_code == REFUSED
    assert run(ended, "release", other[:8], "--reason", "终结").exit_code == 0
    done = run(ended, "erase", other[:8], "--reason", "本人要求", given=f"{other[:8]}\n")
    assert (done.exit_code, "evidence key destroyed" in done.output) == (0, True), done.output
    again = run(ended, "erase", other, "--reason", "本人要求", "--yes")
    assert again.exit_code == 0


def test_the_command_says_when_a_server_runs_or_there_is_no_office(ended, tmp_path):
    with locked(ended / "lock"):
        busy = run(ended, "erase", "0" * 32, "--reason", "x", "--yes")
    assert (busy.exit_code, "stopped" in busy.output) == (IN_USE, True)
    (tmp_path / "empty").mkdir()
    nothing = run(tmp_path / "empty", "erase", "0" * 32, "--reason", "x", "--yes")
    assert nothing.exit_code == SETTING
    assert list((tmp_path / "empty").iterdir()) == []
