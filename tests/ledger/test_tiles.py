"""The log as files: paths, the read API, mirrors of ours and of a log that is not ours."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Submission
from ledger.errors import MirrorError, NoteError, NotFoundError, ProofError, VerificationError
from ledger.log import Log
from ledger.merkle import Edge, leaf_hash, verify_consistency
from ledger.note import LogKeys, Verifier, open_checkpoint
from ledger.read import respond
from ledger.tiles import (
    ENTRIES,
    Mirror,
    TileCache,
    export,
    parse_tile_path,
    read_bundle,
    tile_path,
    write_bundle,
)
from tests.ledger.house import Office, submission, vectors

REGISTER = "ab" * 16
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


async def grow(log: Log, count: int) -> None:
    """Entries of four cases, every tenth one of the public register."""
    first = log.size
    async with asyncio.TaskGroup() as group:
        for number in range(first, first + count):
            item = submission(number, case=number % 4)
            if number % 10 == 0:
                body = {"kind": "act-completed", "number": number // 10}
                item = Submission("test", item.event, REGISTER, body)
            group.create_task(log.append(item))
    await log.seal(log.size - 1)


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),  # C2SP tlog-tiles, "Merkle Tree"
        (1, 0, 17, "tile/1/000.p/17"),
        (ENTRIES, 273, 112, "tile/entries/273.p/112"),
        (63, 1000, 256, "tile/63/x001/000"),
    ],
)
def test_paths_are_those_of_the_specification(
    level: int, number: int, width: int, path: str
) -> None:
    assert tile_path(level, number, width) == path
    assert parse_tile_path(path) == (level, number, width)


@given(st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256))
@settings(deadline=None)
def test_paths_read_back(level: int, number: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, number, width)) == (level, number, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/1000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000/",
        "tile/0/000.p/1/../..",
        "../guard",
        "tile/entries/٠٠٠",
        "checkpoint/",
        "tile/0/000\n",
    ],
)
async def test_other_paths_are_not_found(office: Office, path: str) -> None:
    log = await office.open()
    await grow(log, 3)
    with pytest.raises(NotFoundError):
        parse_tile_path(path)
    assert respond(log.reader, path).status == 404


@given(st.lists(st.binary(max_size=300), max_size=256))
@settings(deadline=None)
def test_bundles_read_back_and_cut_ones_do_not(leaves: list[bytes]) -> None:
    data = write_bundle(leaves)
    assert read_bundle(data) == leaves
    if data and leaves[-1]:
        with pytest.raises(MirrorError):
            read_bundle(data[:-1])
        with pytest.raises(MirrorError):
            read_bundle(data + b"\0")


async def test_the_read_api_shows_the_published_tree_and_no_more(office: Office) -> None:
    log = await office.open()
    await grow(log, 600)
    await log.append(submission(1_000))  # durable, but not published
    note = respond(log.reader, "checkpoint")
    assert (note.status, note.headers["Cache-Control"]) == (200, "no-cache")
    assert note.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert open_checkpoint(note.body.decode(), office.keys.verifiers).size == 600
    tile = respond(log.reader, "tile/0/001")
    assert (tile.status, len(tile.body)) == (200, 8192)
    assert "immutable" in tile.headers["Cache-Control"]
    assert tile.headers["Access-Control-Allow-Origin"] == "*"
    leaves = read_bundle(respond(log.reader, "tile/entries/001").body)
    assert b"".join(map(leaf_hash, leaves)) == tile.body
    assert len(respond(log.reader, "tile/0/002.p/88").body) == 88 * 32
    assert len(respond(log.reader, "tile/1/000.p/2").body) == 64
    assert len(read_bundle(respond(log.reader, "tile/entries/002.p/88").body)) == 88
    for beyond in (
        "tile/0/002.p/89",
        "tile/entries/002.p/89",
        "tile/0/002",
        "tile/0/003.p/1",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/entries/003",
    ):
        assert respond(log.reader, beyond).status == 404, beyond


async def mirrored(office: Office, directory: Path, count: int) -> Path:
    log = await office.open()
    await grow(log, count)
    assert await asyncio.to_thread(export, log.reader, directory) == count
    await log.close()
    return directory


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
async def test_a_mirror_proves_what_it_shows(office: Office, tmp_path: Path, size: int) -> None:
    directory = await mirrored(office, tmp_path / "mirror", size)
    view = Mirror.at(directory).open(office.keys.verifiers)
    assert view.size == size
    for index in {0, size // 2, size - 1}:
        leaf = view.leaf(index)
        assert leaf.index == index
        view.require(index, leaf.hash)
        with pytest.raises(ProofError):
            view.require(index, "0" * 64)
    register = view.chain(REGISTER)
    assert [leaf.body["number"] for leaf in register] == list(range((size + 9) // 10))
    assert len(view.entries()) == size
    with pytest.raises(NotFoundError):
        view.leaf(size)


async def test_a_mirror_grows_by_new_files_alone(office: Office, tmp_path: Path) -> None:
    directory = await mirrored(office, tmp_path / "mirror", 300)
    tile = (directory / "tile/0/000").stat().st_mtime_ns
    old = Mirror.at(directory).open(office.keys.verifiers)
    await office_reopened(office, directory, 300)
    new = Mirror.at(directory).open(office.keys.verifiers)
    assert (old.size, new.size) == (300, 600)
    assert (directory / "tile/0/000").stat().st_mtime_ns == tile
    proof = new.cache.tree(600).consistency(300)
    verify_consistency(
        old=300, new=600, old_root=old.checkpoint.root, new_root=new.checkpoint.root, proof=proof
    )


async def office_reopened(office: Office, directory: Path, more: int) -> None:
    log = await office.open()
    await grow(log, more)
    await asyncio.to_thread(export, log.reader, directory)
    await log.close()


def read_all(directory: Path, keys: LogKeys) -> None:
    """Read a mirror in each way there is."""
    view = Mirror.at(directory).open(keys.verifiers)
    assert len(view.entries()) == view.size
    for index in range(view.size):
        view.leaf(index)


async def test_a_mirror_with_any_file_changed_is_not_believed(
    office: Office, tmp_path: Path
) -> None:
    directory = await mirrored(office, tmp_path / "mirror", 300)
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) == 6  # checkpoint, two tiles and one above them, two bundles
    for path in files:
        data = path.read_bytes()
        for at in (0, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[at] ^= 1
            path.write_bytes(changed)
            with pytest.raises(VerificationError):
                read_all(directory, office.keys)
        path.write_bytes(data)
        path.unlink()
        with pytest.raises((VerificationError, NotFoundError)):
            read_all(directory, office.keys)
        path.write_bytes(data)


async def test_a_mirror_may_be_anything_that_gives_bytes(office: Office, tmp_path: Path) -> None:
    directory = await mirrored(office, tmp_path / "mirror", 300)
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return (directory / path).read_bytes()

    view = Mirror(fetch).open(office.keys.verifiers)
    for index in range(300):
        view.inclusion(index)
    tiles = ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]
    assert sorted(fetched) == ["checkpoint", "keys/1", *tiles]


async def test_an_unknown_log_is_not_believed(office: Office, tmp_path: Path) -> None:
    directory = await mirrored(office, tmp_path / "mirror", 3)
    with pytest.raises(NoteError):
        Mirror.at(directory).open(LogKeys.generate("office.example/ledger").verifiers)
    with pytest.raises(NoteError):
        Mirror.at(directory).open([])


def test_a_log_of_tessera_is_read_at_each_of_its_sizes() -> None:
    """Checkpoints, full and partial tiles and bundles of a log in another language."""
    directory = vectors("tessera", "testdata", "log")
    verifier = Verifier.parse(TESSERA)
    mirror = Mirror.at(directory)
    newest = mirror.open([verifier])
    assert newest.size == 15
    roots: dict[int, bytes] = {}
    for number in range(16):
        note = (directory / f"checkpoint.{number}").read_text()
        checkpoint = open_checkpoint(note, [verifier])
        roots[checkpoint.size] = checkpoint.root
        edge = Edge()
        for leaf in mirror.leaves(0, checkpoint.size) if checkpoint.size else []:
            edge.append(leaf_hash(leaf), [])
        assert edge.root() == checkpoint.root
        tree = TileCache(mirror.hashes).tree(checkpoint.size)
        assert tree.root() == checkpoint.root
        for index in range(checkpoint.size):
            replace(newest, checkpoint=checkpoint).require(index, tree.leaf_hash(index).hex())
        for old in range(1, checkpoint.size):
            verify_consistency(
                old=old,
                new=checkpoint.size,
                old_root=roots[old],
                new_root=checkpoint.root,
                proof=tree.consistency(old),
            )
    assert sorted(roots) == list(range(16))
    with pytest.raises(MirrorError, match="no leaf"):  # theirs are not our leaves
        newest.entries()
