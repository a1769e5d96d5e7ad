"""A trust.json that cannot be relied upon is told in a sentence, in the reader's language."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import signing.trust
from ledger.note import LogKeys
from server.cli import main
from server.cli.trust_words import REASONS, told
from signing.errors import TrustError

KEY = LogKeys.generate("office.example/ledger").verifiers[0].vkey


def reasons() -> set[str]:
    """The reasons that the source gives."""
    tree = ast.parse(Path(signing.trust.__file__).read_text(encoding="utf-8"))
    return {
        each.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "TrustError"
        for each in node.keywords
        if each.arg == "reason" and isinstance(each.value, ast.Constant)
    }


def test_every_reason_has_chinese_words() -> None:
    assert reasons() == set(REASONS)


def test_in_english_the_error_says_it_itself() -> None:
    error = TrustError("this trust.json lacks x", reason="lacks", field="x")
    assert told(error, "en") == "this trust.json lacks x"
    assert told(error, "zh-CN") == "这份 trust.json 缺少“x”一项；请向公证处重新取一份"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh-CN", "这份 trust.json 缺少“office.name_zh”一项；请向公证处重新取一份"),
        ("en", 'this trust.json lacks the field "office.name_zh"; take it from the office'),
    ],
)
@pytest.mark.parametrize("command", ["verify", "ledger audit", "ledger when 0"])
def test_each_command_that_takes_one_says_what_it_lacks(
    tmp_path: Path, command: str, language: str, said: str
) -> None:
    trust, at = tmp_path / "trust.json", tmp_path / "x"
    trust.write_text(json.dumps({"v": 1, "ledger": {"origin": "o"}}))
    if command == "verify":
        at.write_bytes(b"%PDF-")
    else:
        at.mkdir()
    words = [*command.split(), str(at), "--trust", str(trust), "--lang", language]
    key = [] if command == "verify" else ["--key", KEY]

    done = CliRunner(env={"LC_ALL": "C", "COLUMNS": "300"}).invoke(main, [*words, *key])

    assert done.exit_code == 3
    assert said in done.stderr.replace("\n", "")
