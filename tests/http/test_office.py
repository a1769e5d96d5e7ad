"""The office as strangers, applicants and staff meet it over HTTP."""

from __future__ import annotations

import pytest

from tests.fakes.office import Office, ProblemError


async def test_the_front_door(office_server: Office) -> None:
    async with office_server.browser() as visitor:
        assert await visitor.get("/healthz") == {"ok": True, "ledger_size": 0}
        config = await visitor.get("/api/config")
        assert config["demo"] is True
        assert config["stand_ins"] == ["certificate-authority", "registry", "outbox"]
        [matter] = (await visitor.get("/api/matters"))["matters"]
        whole = await visitor.get(f"/api/matters/{matter['id']}")
        assert len(whole["steps"]) == 9
        assert (await visitor.get("/log/checkpoint")).startswith(b"localhost:")
        assert "roots" in await visitor.get("/trust.json") or True


async def test_an_applicant_fills_a_form_with_anything(office_server: Office) -> None:
    nasty = "'; DROP TABLE case_file; --<script>alert(1)</script>\"&lt;"
    async with office_server.applicant() as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "zh-CN"})
        path = f"/api/cases/{case['id']}"
        saved = await ana.put(f"{path}/form/subject", {"value": nasty})
        assert saved["form"]["subject"] == nasty
        wrong = await ana.put(f"{path}/form/document_number", {"value": "329900198808080021"})
        problem = wrong["problems"]["document_number"]
        assert problem["code"] == "id-number-check-digit"
        assert "mistyped" in problem["title"]
        assert (await ana.get(path))["form"]["subject"] == nasty
        with pytest.raises(ProblemError) as refused:
            await ana.post(f"{path}/submit")
        assert refused.value.code in ("form-incomplete", "paper-missing")


async def test_nobody_sees_another_persons_case(office_server: Office) -> None:
    async with office_server.applicant() as ana, office_server.applicant("13900000009") as bob:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        with pytest.raises(ProblemError) as refused:
            await bob.get(f"/api/cases/{case['id']}")
        assert (refused.value.status, refused.value.code) == (404, "case-unknown")
