"""`farseal ledger audit`: exit codes, words in both languages, what it stands on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ledger.note import LogKeys
from tests.ledger.commands import run
from tests.ledger.large import write_log
from tests.ledger.site import serve


@pytest.fixture(scope="module")
def log(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("audited") / "log"
    write_log(directory, keys, 700)
    return directory


def test_the_audit_command_names_what_was_changed(log: Path, tmp_path: Path, key: Path) -> None:
    target = Path(shutil.copytree(log, tmp_path / "log"))
    assert run("audit", target, "--key", key)[0] == 0
    data = bytearray((target / "tile/entries/000").read_bytes())
    data[data.index(b'"index":7,') + 30] ^= 1
    (target / "tile/entries/000").write_bytes(data)

    code, out, _ = run("audit", target, "--key", key)
    zh = run("audit", target, "--key", key, "--lang", "zh-CN")[1]
    report = json.loads(run("audit", target, "--key", key, "--json")[1])

    assert (code, "entry 7" in out, "条目 7" in zh) == (1, True, True)
    assert [each["where"] for each in report["findings"]] == ["entry 7"]
    assert report["clean"] is False
    outcomes = {each["check"]: each["outcome"] for each in report["checks"]}
    assert [check for check, outcome in outcomes.items() if outcome == "failed"] == ["entries"]
    with serve(target) as url:
        assert run("audit", url, "--key", key)[0] == 1
    with serve(log) as url:
        assert run("audit", url, "--key", key)[0] == 0
    for arguments in ((tmp_path / "none", "--key", key), (target,), ("file:///x", "--key", key)):
        assert run("audit", *arguments)[0] == 3


def test_keys_beside_a_mirror_are_named(log: Path, tmp_path: Path, key: Path) -> None:
    target = Path(shutil.copytree(log, tmp_path / "log"))
    (target / "trust.json").write_text(json.dumps({"vkeys": key.read_text().split()}))
    code, _, said = run("audit", target)
    assert (code, "trust.json" in said) == (0, True)
