"""Offices whose case has been played to a certain point, copied for each test that goes on."""

import asyncio
import shutil
from pathlib import Path

import pytest
from script import Play
from stage import open_stage


@pytest.fixture(scope="session")
def played(tmp_path_factory) -> dict[str, Path]:
    """Directories by how far the case in them has come: waiting, sealed, judged."""
    kept: dict[str, Path] = {}
    root = tmp_path_factory.mktemp("played")

    async def play() -> None:
        scenes = {
            "waiting": ("to_waiting",),
            "sealed": ("session",),
            "judged": ("certify", "judge"),
        }
        directory, case = root / "office", ""
        for name, acts in scenes.items():
            async with open_stage(directory) as stage:
                played = Play(stage, case=case)
                for act in acts:
                    await getattr(played, act)()
                case = played.case
            kept[name] = root / name
            shutil.copytree(directory, kept[name])

    asyncio.run(play())
    return kept


@pytest.fixture
def office(played, tmp_path):
    """`office(point)` -> a directory of one's own, played to that point."""

    def copied(point: str) -> Path:
        directory = tmp_path / point
        shutil.copytree(played[point], directory)
        return directory

    return copied
