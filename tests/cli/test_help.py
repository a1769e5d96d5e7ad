"""Every page of help, whole: of all commands, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from server.cli import COMMANDS, main


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*path, name))


ALL = list(walk(main))


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


def spaced(text: str) -> str:
    """Its words, however the lines are broken."""
    return " ".join(text.replace("\b", "").split())


def test_all_commands_are_walked() -> None:
    assert {path[0] for path in ALL if path} == set(COMMANDS)
    assert ("ledger", "fork") in ALL
    assert ("case", "erase") in ALL


@pytest.mark.parametrize("columns", ["50", "80", "200"])
@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_sentence_is_cut_off(path: tuple[str, ...], columns: str) -> None:
    shown = CliRunner(env={"LANG": "C.UTF-8", "COLUMNS": columns}).invoke(main, [*path, "--help"])
    assert shown.exit_code == 0, shown.output
    page, command = spaced(shown.output), command_at(path)
    assert spaced(command.help or "nothing is said") in page
    for each in command.params:
        if isinstance(each, click.Option):
            assert spaced(each.help or "nothing is said") in page
    if isinstance(command, click.Group) and path:
        for name in command.list_commands(click.Context(command)):
            said = (command_at((*path, name)).help or "").partition("\n\n")[0]
            assert f"{name} {spaced(said)}" in page
