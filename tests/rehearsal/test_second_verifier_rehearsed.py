"""The verifier that was written from docs/ledger-format.md reads a rehearsed office's mirror."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ledger.second_verifier import read_mirror


def test_a_rehearsed_log_is_what_the_document_says(rehearsal: Path) -> None:
    trust = json.loads((rehearsal / "trust.json").read_text("utf-8"))
    entries = read_mirror(rehearsal / "ledger", trust["ledger"]["vkeys"])
    kinds = {entry["body"]["kind"] for entry in entries}
    assert {"act-intended", "act-completed"} <= kinds
