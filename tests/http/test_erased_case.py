"""An erasure broken off is finished by the next start, before the doors open; the pages say so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli.case import IN_USE
from server.cli.case import command as case_command
from server.cli.ledger import command as ledger_command
from server.config import read_config
from server.domain.errors import DomainError
from server.offline import open_erasure
from tests.fakes.office import ProblemError, running_office


class DiedError(BaseException):
    """The process ended here."""


def die(name: str) -> None:
    if name == "key-destroyed":
        raise DiedError


async def test_the_next_start_goes_on_and_the_pages_tell(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_office(data) as office, office.applicant() as ana:
        case = (await ana.post("/api/cases", {"matter": "poa-remote"}))["id"]
        await ana.put(f"/api/cases/{case}/form/applicant_name", {"value": "王小明"})
        asked = ["erase", case, "--reason", "x", "--yes", "--data", str(data)]
        busy = await asyncio.to_thread(CliRunner().invoke, case_command, asked)
        assert busy.exit_code == IN_USE, busy.output
    config = read_config(data=data, environment={})
    with pytest.raises(DiedError):
        async with open_erasure(config, clock=lambda: 1_800_000_000_000, passed=die) as erasure:
            await erasure.erase(case, reason="本人要求")
    async with running_office(data) as office, office.applicant() as ana:
        (line,) = (await ana.get("/api/cases"))["cases"]
        assert line["erased"] == {"at": 1_800_000_000_000}
        view = await ana.get(f"/api/cases/{case}")
        assert (view["form"], view["next"]["title"]) == ({}, "The evidence was erased")
        with pytest.raises(ProblemError) as caught:
            await ana.put(f"/api/cases/{case}/form/applicant_name", {"value": "x"})
        assert (caught.value.status, caught.value.code) == (410, "case-erased")
        async with asyncio.timeout(10):
            while (timeline := await ana.get(f"/api/cases/{case}/timeline"))["entries"][-1][
                "index"
            ] is None:
                continue
        assert timeline["entries"][-1]["kind"] == "erased"
    async with open_erasure(config, clock=lambda: 1_800_000_000_000) as erasure:
        assert await erasure.resume() == ()
        with pytest.raises(DomainError, match="case-erased"):
            await erasure.hold(case, reason="too late")
    well = CliRunner().invoke(ledger_command, ["recover", str(data)], env={"LANG": "C"})
    assert (well.exit_code, "signatures not checked" in well.output) == (0, False), well.output
