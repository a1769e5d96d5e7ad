"""A command that was called wrongly: told in the reader's language, with the exit codes as ever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import main
from tests.cli.test_help import ALL

ENGLISH = re.compile(
    r"\b(Missing|Invalid|No such|Usage|Error|Try|Did you|Got|requires|exist|valid|cannot|not)\b"
)
WRONG = [
    (["verify"], "缺少参数 'FILE'。", 3),
    (["verify", "nowhere.pdf"], "文件 'nowhere.pdf' 不存在。", 3),
    (["verify", "/"], "'/' 是文件夹，这里要文件。", 3),
    (["verify", "FILE", "--lang", "fr"], "'fr' 不在可选的 'zh-CN'、'en' 之中。", 3),
    (["verify", "FILE", "--max-age", "-1"], "-1 超出范围 x>=0。", 3),
    (["verify", "FILE", "another"], "多了参数：another。", 3),
    (["verify", "FILE", "--trust", "nowhere.json"], "nowhere.json 读不了：没有这个文件。", 3),
    (["verify", "FILE", "--trust", "FILE"], "FILE 不是 JSON。", 3),
    (["verify", "FILE", "--ledger", "nowhere"], "--ledger：没有 nowhere 这个文件夹。", 3),
    (["ledger", "audti"], "没有 'audti' 这个命令。", 3),
    (["case", "relaese"], "没有 'relaese' 这个命令。是不是其中之一：'erase'、'release'？", 2),
    (["ledger", "mirror", "--lan"], "没有 '--lan' 这个选项。是不是 '--lang'？", 3),
    (["ledger", "mirror"], "缺少参数 'URL'。", 3),
    (["ledger", "succeed", "--data", "/"], "缺少选项 '--leaked-from'。", 3),
    (["serve", "--port", "eighty"], "'--port' 的值不能用：'eighty' 不是整数。", 2),
    (["serve", "--port", "99999"], "'--port' 的值不能用：99999 超出范围 0<=x<=65535。", 2),
    (["serve", "--gm=1"], "选项 '--gm' 不带值。", 2),
    (["case", "erase", "--reason"], "选项 '--reason' 后面要有值。", 2),
    (["case", "hold", "x", "--data", "FILE"], "'FILE' 是文件，这里要文件夹。", 2),
    (["rehearse", "--out", "."], "不是空的；请给一个新的文件夹，没有任何改动。", 2),
    (["nonsense"], "没有 'nonsense' 这个命令。", 2),
    (["--nonsense"], "没有 '--nonsense' 这个选项。", 2),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("not JSON")


def call(*words: str, language: str = "zh_CN.UTF-8") -> Result:
    return CliRunner(env={"LC_ALL": language, "COLUMNS": "200"}).invoke(main, words)


@pytest.mark.parametrize(("words", "said", "code"), WRONG, ids=lambda each: str(each)[:40])
def test_it_is_told_in_chinese(words: list[str], said: str, code: int) -> None:
    done = call(*words)
    assert done.exit_code == code
    assert said in done.stderr
    assert "错误：" in done.stderr
    assert ENGLISH.search(re.sub(r"'[^']*'", "", done.stderr)) is None, done.stderr


@pytest.mark.parametrize("path", [each for each in ALL if each], ids=" ".join)
def test_an_option_nobody_knows_is_told_in_chinese_by_every_command(path: tuple[str, ...]) -> None:
    done = call(*path, "--nonsense")
    assert "错误：没有 '--nonsense' 这个选项。" in done.stderr
    assert f"用法：main {' '.join(path)} [OPTIONS]" in done.stderr
    assert f"说明见：main {' '.join(path)} --help" in done.stderr


def test_in_english_it_is_click_s_own_sentence() -> None:
    done = call("verify", language="en_GB.UTF-8")
    assert done.exit_code == 3
    assert "Error: Missing argument 'FILE'." in done.stderr  # and not an error without words
    assert "Try 'main verify --help' for help." in done.stderr


def test_the_language_that_was_asked_for_counts_where_it_was_read() -> None:
    done = call("verify", "--lang", "zh-CN", "FILE", "--ledger", "nowhere", language="C")
    assert "错误：--ledger：没有 nowhere 这个文件夹。" in done.stderr


def test_a_sentence_nobody_has_translated_is_shown_as_it_is() -> None:
    from server.cli.usage import in_chinese

    assert in_chinese("Something new of click's.") == "Something new of click's."
