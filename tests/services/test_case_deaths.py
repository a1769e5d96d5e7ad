"""kill -9 at the worst moments of one case: same case, same number, one signature, one file."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from stage import open_stage

from ledger.entry import Leaf

DRIVER = Path(__file__).with_name("driver.py")
DEATHS = (
    "step-2",
    "step-5",
    "step-7",
    "cluster-moved",
    "number-allocated",
    "certificate-stored",
)


@pytest.fixture
async def run(tmp_path):
    """`run(point)` -> exit code and words of a process that plays on, until that point."""
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, str(DRIVER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    async def played(point: str = "") -> tuple[int, str]:
        driver.stdin.write(f"{tmp_path}\t{point}\n".encode())
        printed = ""
        while not (line := (await driver.stdout.readline()).decode()).startswith("ended "):
            assert line, f"the driver is gone: {printed}"
            printed += line
        return int(line.split()[1]), printed

    yield played
    driver.stdin.close()
    await driver.communicate()


async def test_a_case_survives_every_death(tmp_path, run):
    known: dict[str, set[str]] = {"case": set(), "number": set(), "pdf": set()}
    acknowledged: dict[str, int] = {}
    for point in DEATHS:
        code, printed = await run(point)
        assert code == -signal.SIGKILL, f"{point}: {printed}"
        async with open_stage(tmp_path) as stage:
            (case,) = await stage.services.workplace.files.cases()
            known["case"].add(case.id)
            if case.certificate is not None:
                known["number"].add(case.certificate.number)
                row = await stage.services.workplace.registers.certificate(case.certificate.intent)
                known["pdf"] |= {row.sha256} if row else set()
            events = await stage.services.workplace.outbox.of_case(case.id)
            now = {event.id: event.index for event in events if event.index is not None}
            assert acknowledged.items() <= now.items(), f"{point}: an anchored event is gone"
            acknowledged = now

    code, printed = await run()
    assert code == 0, printed

    async with open_stage(tmp_path) as stage:
        workplace = stage.services.workplace
        (case,) = await workplace.files.cases()
        assert case.state == "DELIVERED"
        assert case.certificate is not None
        assert known["case"] == {case.id}
        assert known["number"] == {case.certificate.number}
        assert known["pdf"] == {case.certificate.pdf_sha256}
        assert len(await workplace.registers.all()) == 1
        register = [
            Leaf.parse(leaf).body for _, leaf in await stage.log.chain(workplace.office.register)
        ]
        kinds = [body["kind"] for body in register]
        assert kinds.count("act-intended") == kinds.count("act-completed") == 1
        assert register[kinds.index("act-completed")]["pdf_sha256"] == case.certificate.pdf_sha256
        # three interruptions within the grace: one session, its steps repeated, gaps written
        (session,) = await workplace.files.sessions_of(case.id)
        assert [run.number for run in session.steps if run.state == "done"] == list(range(1, 10))
        events = await workplace.outbox.of_case(case.id)
        resumed = [json.loads(e.body)["step"] for e in events if e.kind == "session-resumed"]
        assert resumed == [2, 5, 7]
        assert await workplace.recordings.gaps(session.id)
        # the recordings lie in objects now, every cluster of them
        assert list(stage.takes.iterdir()) == []
        assert all(row.object for row in await workplace.recordings.segments(session.id))
        for role in ("notary", "applicant"):
            kept = [c async for c in stage.services.archive.stream(session.id, role, 1)]
            assert [c[:9] for c in kept] == [b"cluster 0", b"cluster 1", b"cluster 2"]
