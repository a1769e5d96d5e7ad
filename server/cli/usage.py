"""Words about a command that was called wrongly, in the reader's language, and lists of commands.

click speaks English here. What it says of a wrong call is a short list of sentences; a reader whose
language is Chinese gets each of them in Chinese, with what was typed as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any

import click

from server.cli.verify_words import Language, spoken

_NAMES: Mapping[str, str] = {
    "File": "文件",
    "Directory": "文件夹",
    "Path": "路径",
    "integer": "整数",
    "integer range": "整数",
    "float": "数",
    "float range": "数",
    "No such file or directory": "没有这个文件",
    "Is a directory": "这是文件夹",
    "Permission denied": "没有权限",
}

_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Invalid value for (?P<at>.+?): (?P<said>.+)", "{at} 的值不能用：{said}"),
    (r"Invalid value: (?P<said>.+)", "值不能用：{said}"),
    (r"Missing argument (?P<at>.+)\.", "缺少参数 {at}。"),
    (r"Missing option (?P<at>.+?)\.( Choose from:\s+(?P<choices>.+))?", "缺少选项 {at}。{choices}"),
    (r"Missing command\.", "缺少命令。"),
    (r"No such option (?P<at>\S+)\.(?P<more> .+)?", "没有 {at} 这个选项。{more}"),
    (r"No such command (?P<at>'.*?')\.(?P<more> .+)?", "没有 {at} 这个命令。{more}"),
    (r" Did you mean (?P<at>.+)\?", "是不是 {at}？"),
    (r" \(Did you mean one of: (?P<choices>.+)\?\)", "是不是其中之一：{choices}？"),
    (r"(?P<at>'.*?') is not one of (?P<choices>.+)\.", "{at} 不在可选的 {choices} 之中。"),
    (r"(?P<at>'.*?') is not a valid (?P<name>[a-z ]+)\.", "{at} 不是{name}。"),
    (r"(?P<at>\S+) is not in the range (?P<range>.+)\.", "{at} 超出范围 {range}。"),
    (r"(?P<name>[A-Z]\w+) (?P<at>'.*?') does not exist\.", "{name} {at} 不存在。"),
    (r"(?P<name>[A-Z]\w+) (?P<at>'.*?') is a file\.", "{at} 是文件，这里要文件夹。"),
    (r"(?P<name>[A-Z]\w+) (?P<at>'.*?') is a directory\.", "{at} 是文件夹，这里要文件。"),
    (r"(?P<name>[A-Z]\w+) (?P<at>'.*?') is not readable\.", "{name} {at} 不能读。"),
    (r"(?P<name>[A-Z]\w+) (?P<at>'.*?') is not writable\.", "{name} {at} 不能写。"),
    (r"Option (?P<at>\S+) requires an argument\.", "选项 {at} 后面要有值。"),
    (r"Option (?P<at>\S+) does not take a value\.", "选项 {at} 不带值。"),
    (r"Got unexpected extra arguments? \((?P<at>.+)\)", "多了参数：{at}。"),
    (r"(?P<at>.+) cannot be read: (?P<name>[^:]+)", "{at} 读不了：{name}。"),
    (r"(?P<at>.+) is not JSON", "{at} 不是 JSON。"),
    (r"--ledger: there is no directory (?P<at>.+)", "--ledger：没有 {at} 这个文件夹。"),
    (
        r"(?P<at>.+) is not empty; give a new folder, nothing was changed",
        "{at} 不是空的；请给一个新的文件夹，没有任何改动。",
    ),
)
"""What click says, and what we say by it, each with the Chinese."""


class Told(click.UsageError):
    """A wrong call as the reader is told of it: in the language of --lang, where that was read
    already, else of the environment."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(error.format_message(), error.ctx)
        wanted = error.ctx.params.get("lang") if error.ctx is not None else None
        self.language: Language = wanted or spoken()

    def show(self, file: IO[Any] | None = None) -> None:
        if self.language == "en":
            super().show(file)
            return
        if self.ctx is not None:
            usage = self.ctx.get_usage().replace("Usage: ", "用法：", 1)
            click.echo(f"{usage}\n说明见：{self.ctx.command_path} --help\n", file, err=True)
        click.echo(f"错误：{in_chinese(self.message)}", file, err=True)


def told(error: click.UsageError) -> click.UsageError:
    """The same error in the reader's language."""
    if isinstance(error, Told | click.exceptions.NoArgsIsHelpError):
        return error
    return Told(error)


def in_chinese(message: str) -> str:
    """A sentence about a wrong call in Chinese; one that nobody has translated as it is."""
    for pattern, sentence in _SENTENCES:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found is None:
            continue
        parts = {key: each or "" for key, each in found.groupdict().items()}
        if name := parts.get("name"):
            parts["name"] = _NAMES.get(name, name)
        if choices := parts.get("choices"):
            parts["choices"] = re.sub(r",\s+", "、", choices)
        for key in ("said", "more"):
            if parts.get(key):
                parts[key] = in_chinese(parts[key])
        return sentence.format(**parts)
    return message


class Commands(click.Group):
    """A group that lists what each of its commands does as a whole, where click cuts it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, first_words(command)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def first_words(command: click.Command) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join((command.help or "").partition("\n\n")[0].split())
