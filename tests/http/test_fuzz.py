"""Generated requests over the described API: whatever comes, no answer is a fault of ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.fakes.office import Office


async def test_no_generated_request_is_a_fault_of_ours(
    office_server: Office, tmp_path: Path
) -> None:
    """As an applicant with a case of their own, so that requests reach the services."""
    async with office_server.applicant() as ana:
        case = await ana.post("/api/cases", {"matter": "poa-remote", "language": "en"})
        described = await ana.get("/api/openapi.json")
        known = {
            "case": [case["id"]],
            "matter": ["poa-remote"],
            "field": ["subject", "purpose", "powers", "sub_delegation", "document_number"],
            "consent": ["remote", "recording", "nonsense"],
        }
        for operations in described["paths"].values():
            for operation in operations.values():
                for parameter in operation["parameters"]:
                    if values := known.get(parameter["name"]):
                        parameter["schema"]["enum"] = values
        schema = tmp_path / "openapi.json"
        schema.write_text(json.dumps(described))
        [token] = [cookie.value for cookie in ana.http.cookie_jar]
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", str(schema)),
            *("--url", office_server.url, "--checks", "not_a_server_error"),
            *("--phases", "fuzzing", "--mode", "all", "--max-examples", "2"),
            *("--generation-deterministic", "--no-color"),
            *("--header", "X-Farseal: 1", "--header", f"Cookie: farseal_session={token}"),
            *("--include-path-regex", "^/api/(cases|verify/code|matters)"),
        ]
        run = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, cwd=tmp_path
        )
        assert run.returncode == 0, run.stdout[-4_000:] + run.stderr
        assert "generated" in run.stdout
        assert (await ana.get("/healthz"))["ok"] is True
