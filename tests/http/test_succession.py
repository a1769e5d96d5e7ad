"""A ledger whose keys have leaked, as an operator ends it: commands, processes, a served log."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from ledger.entry import Leaf
from ledger.handover import own_case
from ledger.note import open_checkpoint
from ledger.tiles import Mirror
from signing.trust import Trust
from tests.fakes.office import running_office
from tests.ledger import second_verifier as outsider


async def farseal(*words: str) -> tuple[int, str]:
    english = () if words[0] == "fsck" else ("--lang", "en")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "server.cli", "ledger", *words, *english],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


async def test_an_office_goes_on_after_a_leak(tmp_path: Path) -> None:
    data, paper = tmp_path / "data", tmp_path / "paper.json"
    async with running_office(data) as office, office.applicant() as ana:
        case = (await ana.post("/api/cases", {"matter": "poa-remote"}))["id"]
        old = await ana.get("/trust.json")
        paper.write_text(json.dumps(old))
        url, kept = office.url + "/log/", str(tmp_path / "kept")
        assert (await farseal("mirror", url, kept, "--trust", str(paper)))[0] == 0
    now = datetime.now(UTC).isoformat()
    words = ("succeed", "--data", str(data), "--leaked-from")
    assert (await farseal(*words, "yesterday"))[0] == 1
    assert (await farseal(*words, "2999-01-01T00:00:00Z"))[0] == 1
    assert (await farseal(*words, now, "--origin", old["ledger"]["origin"]))[0] == 1
    code, said = await farseal(*words, now)
    assert (code, "1 open cases go on" in said) == (0, True), said
    assert "2 old private key files were removed" in said
    told = json.loads((data / "office" / "trust.json").read_bytes())
    trust = Trust.parse(told)
    [former] = told["ledger"]["former"]
    assert former["ending"]["leaked"] == "ledger-keys"
    assert former["origin"] == old["ledger"]["origin"] != trust.origin
    new = tmp_path / "new.json"
    new.write_text(json.dumps(told))
    async with running_office(data) as office, office.applicant() as ana:
        assert await ana.get("/trust.json") == told
        # The case is there, and its entries are recorded anew.
        assert [each["id"] for each in (await ana.get("/api/cases"))["cases"]] == [case]
        second = (await ana.post("/api/cases", {"matter": "poa-remote"}))["id"]
        # Whoever has only the old keys is told that this is another log, and believes nothing.
        code, said = await farseal("mirror", office.url + "/log/", kept, "--trust", str(paper))
        assert code in (1, 3), said
        for path, at in (("/former/1/", "again"), ("/log/", "after")):
            folder = str(tmp_path / at)
            code, said = await farseal("mirror", office.url + path, folder, "--trust", str(new))
            assert code == 0, said
            code, said = await farseal("audit", folder, "--trust", str(new))
            assert code == 0, said
        assert (await farseal("mirror", office.url + "/former/1/", kept, "--trust", str(new)))[
            0
        ] == 0
        note = (await ana.get("/former/1/checkpoint")).decode()
    code, said = await farseal("fsck", str(data), "--key", str(new))
    assert (code, "clean" in said) == (0, True), said
    last = open_checkpoint(note, trust.log_keys)
    view = Mirror.at(tmp_path / "after").open(trust.log_keys)
    entries = view.entries()
    began, ended = entries[0], Mirror.at(tmp_path / "again").open(trust.log_keys).entries()[-1]
    assert began.case == own_case(trust.origin)
    assert began.body["former"] == {
        "note_sha256": sha256(note.encode()).hexdigest(),
        "origin": last.origin,
        "root": last.root.hex(),
        "size": last.size,
    }
    assert (last.size, last.root.hex()) == (former["ending"]["size"], former["ending"]["root"])
    assert ended.body == {
        "kind": "log-closed",
        "next": trust.origin,
        "reason": "ledger-keys-leaked",
    }
    # A verifier written from the document reads both.
    by_document = outsider.read_mirror(tmp_path / "after", told["ledger"]["vkeys"])
    assert [each["index"] for each in by_document] == [*range(view.size)]
    outsider.read_mirror(tmp_path / "again", former["vkeys"])
    outsider.require_ending(former, last.size, last.root, None)
    assert {case, second} <= {leaf.case for leaf in entries}
    first: Leaf = next(leaf for leaf in entries if leaf.case == case)
    assert first.case_seq == 0
