"""A mirror: grows, goes on after any death, takes nothing that leads to no signed root."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Queue

import pytest

from ledger.audit import audit
from ledger.errors import (
    ForkError,
    LockedError,
    MirrorError,
    NoteError,
    NotFoundError,
    StaleError,
    VerificationError,
)
from ledger.fork import ForkProof
from ledger.kept import UNFINISHED
from ledger.mirror import Fetch, mirror
from ledger.note import LogKeys
from tests.ledger.commands import run
from tests.ledger.large import session, write_log
from tests.ledger.site import Answer, serve

FARSEAL = str(Path(sys.executable).parent / "farseal")
SIZES = (300, 1000, 2560, 2900)


@pytest.fixture(scope="module")
def logs(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """One log at four sizes."""
    directory = tmp_path_factory.mktemp("logs")
    for size in SIZES:
        write_log(directory / str(size), keys, size)
        shutil.rmtree(directory / str(size) / "checkpoints")
    return {size: directory / str(size) for size in SIZES}


@pytest.fixture(scope="module")
def twins(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Another history under the same keys: the same up to entry 200."""
    directory = tmp_path_factory.mktemp("twins")
    for size in (150, 256, *SIZES):
        other = lambda index: session(index if index < 200 else index + 1)  # noqa: E731
        write_log(directory / str(size), keys, size, entry=other)
    return {size: directory / str(size) for size in (150, 256, *SIZES)}


def folder(directory: Path, asked: list[str] | None = None) -> Fetch:
    """A log's folder, as a network would give it."""

    def fetch(path: str, most: int) -> bytes:
        if asked is not None:
            asked.append(path)
        try:
            data = (directory / path).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(path) from error
        if len(data) > most:
            raise MirrorError(f"{path} is longer than it can be")
        return data

    return fetch


def files(directory: Path) -> dict[str, bytes]:
    """Every file of a log or a mirror, but for what only a mirror has."""
    found = (path for path in directory.rglob("*") if path.is_file())
    named = {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}
    return {name: data for name, data in named.items() if name.startswith(("tile/", "checkpoint"))}


def tiles(directory: Path) -> dict[str, bytes]:
    return {name: data for name, data in files(directory).items() if name.startswith("tile/")}


@pytest.mark.parametrize("size", SIZES)
def test_a_mirror_is_the_log_byte_for_byte(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys, size: int
) -> None:
    seen: list[tuple[int, int]] = []
    done = mirror(
        folder(logs[size]), tmp_path, keys.verifiers, progress=lambda *counts: seen.append(counts)
    )

    mine = files(tmp_path)
    assert mine.pop(f"checkpoints/{size}") == (logs[size] / "checkpoint").read_bytes()
    assert mine == files(logs[size])
    assert (done.size, done.before, done.fetched) == (size, 0, len(tiles(logs[size])))
    assert seen[-1] == (done.fetched, done.fetched)
    assert audit(tmp_path, keys.verifiers).findings == ()


def test_a_mirror_of_an_empty_log(tmp_path: Path, keys: LogKeys) -> None:
    write_log(tmp_path / "log", keys, 0)
    assert mirror(folder(tmp_path / "log"), tmp_path / "mirror", keys.verifiers).size == 0
    write_log(tmp_path / "later", keys, 3)
    assert mirror(folder(tmp_path / "later"), tmp_path / "mirror", keys.verifiers).size == 3
    assert audit(tmp_path / "mirror", keys.verifiers).findings == ()


def test_a_mirror_grows_by_what_is_new_and_keeps_every_checkpoint(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys
) -> None:
    before = 0
    for size in SIZES:
        asked: list[str] = []
        done = mirror(folder(logs[size], asked), tmp_path, keys.verifiers)
        assert (done.before, done.size) == (before, size)
        assert not {path for path in asked if path.startswith("tile/entries")} & known(logs, before)
        before = size
    assert tiles(tmp_path) == tiles(logs[2900])
    assert sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir()) == list(SIZES)
    asked = []
    assert mirror(folder(logs[2900], asked), tmp_path, keys.verifiers).fetched == 0
    assert len(asked) <= 4  # the checkpoint, a handover if any, the last tile of each level
    assert audit(tmp_path, keys.verifiers).findings == ()


def known(logs: dict[int, Path], size: int) -> set[str]:
    return set(tiles(logs[size])) if size else set()


class Lost(OSError):
    """The connection is lost."""


@pytest.mark.parametrize("after", range(1, 25, 2))
def test_a_run_that_breaks_off_leaves_whole_files_and_goes_on(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys, after: int
) -> None:
    mirror(folder(logs[300]), tmp_path, keys.verifiers)
    asked: list[str] = []
    source = folder(logs[2900], asked)

    def fetch(path: str, most: int) -> bytes:
        if len(asked) >= after:
            raise Lost(path)
        return source(path, most)

    with pytest.raises(Lost):
        mirror(fetch, tmp_path, keys.verifiers)

    allowed = tiles(logs[2900]) | tiles(logs[300])
    assert all(allowed[name] == data for name, data in tiles(tmp_path).items())
    assert (tmp_path / "checkpoint").read_bytes() == (logs[300] / "checkpoint").read_bytes()
    assert audit(tmp_path, keys.verifiers).findings == ()
    assert mirror(source, tmp_path, keys.verifiers).before == 300
    assert tiles(tmp_path) == tiles(logs[2900])


@pytest.mark.parametrize("request_number", [2, 14, 23])
def test_a_run_that_is_killed_goes_on(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys, key: Path, request_number: int
) -> None:
    running: Queue[subprocess.Popen[bytes]] = Queue()

    def kill(path: str, number: int) -> Answer | None:
        if number == request_number:
            running.get(timeout=60).send_signal(signal.SIGKILL)
        return None

    target = tmp_path / "mirror"
    with serve(logs[2900], kill) as url:
        process = subprocess.Popen([FARSEAL, "ledger", "mirror", url, target, "--key", key])
        running.put(process)
        assert process.wait(timeout=60) == -signal.SIGKILL
        assert not (target / "checkpoint").exists()
        mine = {name: data for name, data in tiles(target).items() if UNFINISHED not in name}
        assert all(tiles(logs[2900])[name] == data for name, data in mine.items())
        assert run("audit", target, "--key", key)[0] == 3  # there is no checkpoint to go by yet

        code, out, _ = run("mirror", url, target, "--key", key)
    assert (code, out.split(":")[0]) == (0, keys.origin)
    assert tiles(target) == tiles(logs[2900])
    assert run("audit", target, "--key", key)[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "checkpoint",
        "tile/0/000",
        "tile/0/003",
        "tile/0/011.p/84",
        "tile/1/000.p/11",
        "tile/entries/003",
        "tile/entries/011.p/84",
    ],
)
def test_a_log_that_shows_something_else_is_not_believed(
    logs: dict[int, Path],
    tmp_path: Path,
    keys: LogKeys,
    path: str,
    change: Callable[[bytes], bytes],
) -> None:
    source = folder(logs[2900])

    def fetch(asked: str, most: int) -> bytes:
        data = source(asked, most)
        return change(data) if asked == path else data

    with pytest.raises(VerificationError):
        mirror(fetch, tmp_path, keys.verifiers)
    assert not (tmp_path / path).exists()
    assert not (tmp_path / "checkpoint").exists()
    assert all(tiles(logs[2900])[name] == data for name, data in tiles(tmp_path).items())


def test_a_file_that_an_audit_names_is_fetched_again_once_deleted(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys
) -> None:
    mirror(folder(logs[2900]), tmp_path, keys.verifiers)
    for path in ("tile/entries/003", "tile/0/007", "tile/1/000.p/11"):
        (tmp_path / path).unlink()
    assert mirror(folder(logs[2900]), tmp_path, keys.verifiers).fetched == 3
    assert audit(tmp_path, keys.verifiers).findings == ()


def test_a_full_tile_serves_where_the_partial_one_has_gone(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys
) -> None:
    """The log grew while the mirror was reading, and dropped its partial tiles."""
    note = (logs[1000] / "checkpoint").read_bytes()
    source = folder(logs[2900])
    wide = {"tile/1/000.p/3": "tile/1/000.p/11"}

    def fetch(path: str, most: int) -> bytes:
        if path == "checkpoint":
            return note
        if path in wide:  # this log keeps partial tiles of the levels above
            return source(wide[path], most * 4)[:most]
        return source(path, most)

    assert mirror(fetch, tmp_path, keys.verifiers).size == 1000
    assert tiles(tmp_path) == tiles(logs[1000])


def test_other_keys_and_second_writers_are_refused(
    logs: dict[int, Path], tmp_path: Path, keys: LogKeys
) -> None:
    other = LogKeys.generate(keys.origin)
    with pytest.raises(NoteError):
        mirror(folder(logs[300]), tmp_path, other.verifiers)
    with pytest.raises(NoteError):
        mirror(folder(logs[300]), tmp_path, [])
    source = folder(logs[300])

    def fetch(path: str, most: int) -> bytes:
        if path == "tile/entries/000":
            with pytest.raises(LockedError):
                mirror(source, tmp_path, keys.verifiers)
        return source(path, most)

    assert mirror(fetch, tmp_path, keys.verifiers).size == 300


@pytest.mark.parametrize(
    ("kept", "shown"), [(300, 1000), (1000, 1000), (1000, 300), (2560, 2900), (1000, 256)]
)
def test_two_histories_are_refused_and_proven(
    logs: dict[int, Path],
    twins: dict[int, Path],
    tmp_path: Path,
    keys: LogKeys,
    kept: int,
    shown: int,
) -> None:
    mirror(folder(logs[kept]), tmp_path, keys.verifiers)
    before = files(tmp_path)

    with pytest.raises(ForkError) as refused:
        mirror(folder(twins[shown]), tmp_path, keys.verifiers)

    assert files(tmp_path) == before
    text = refused.value.where.read_text()
    assert ForkProof.parse(text) == refused.value.proof
    old, new = ForkProof.parse(text).verify(keys.verifiers)
    assert sorted((kept, shown)) == [old.size, new.size]
    for log in (logs[kept], twins[shown]):
        assert (log / "checkpoint").read_text() in text
    with pytest.raises(ForkError):  # and again, each time it looks
        mirror(folder(twins[shown]), tmp_path, keys.verifiers)


def test_a_checkpoint_kept_before_its_files_still_counts(
    logs: dict[int, Path], twins: dict[int, Path], tmp_path: Path, keys: LogKeys
) -> None:
    """A run was killed after it had seen 1000; now the log shows another 2900."""
    source = folder(logs[1000])

    def fetch(path: str, most: int) -> bytes:
        if path.startswith("tile/entries"):
            raise Lost(path)
        return source(path, most)

    with pytest.raises(Lost):
        mirror(fetch, tmp_path, keys.verifiers)
    with pytest.raises(ForkError):
        mirror(folder(twins[2900]), tmp_path, keys.verifiers)
    assert mirror(folder(logs[2900]), tmp_path, keys.verifiers).size == 2900


@pytest.mark.parametrize("shown", [300, 150])
def test_a_log_that_went_back_is_told_from_one_that_forked(
    logs: dict[int, Path], twins: dict[int, Path], tmp_path: Path, keys: LogKeys, shown: int
) -> None:
    """An old checkpoint may come from a cache: nothing is changed, nothing is accused."""
    mirror(folder(logs[1000]), tmp_path, keys.verifiers)
    before = files(tmp_path)
    with pytest.raises(StaleError) as refused:
        mirror(folder(logs[300] if shown == 300 else twins[150]), tmp_path, keys.verifiers)
    assert (refused.value.shown, refused.value.kept) == (shown, 1000)
    assert files(tmp_path) == before


def test_case_03_fork_is_printed_as_a_portable_proof(
    logs: dict[int, Path], twins: dict[int, Path], tmp_path: Path, key: Path
) -> None:
    target = tmp_path / "mirror"
    with serve(logs[300]) as url:
        assert run("mirror", url, target, "--key", key)[0] == 0
    with serve(twins[1000]) as url:
        code, proof, said = run("mirror", url, target, "--key", key)
        as_json = run("mirror", url, target, "--key", key, "--json")
    assert code == 1
    assert "PROOF OF FORK" in said
    carried = tmp_path / "carried.fork"
    carried.write_text(proof)
    assert (as_json[0], json.loads(as_json[1])["fork"]) == (1, proof)
    code, out, _ = run("fork", carried, "--key", key)
    assert (code, "of 300 and of 1000 entries" in out) == (0, True)
    assert "同时为真" in run("fork", carried, "--key", key, "--lang", "zh-CN")[1]
    other = LogKeys.generate("office.example/ledger").verifiers[0].vkey
    assert run("fork", carried, "--key", other)[0] == 1
    assert run("fork", carried)[0] == 3
    carried.write_text(proof.replace("ledger/fork/v1", "ledger/fork/v2"))
    assert run("fork", carried, "--key", key)[0] == 1
    shutil.copy(twins[1000] / "checkpoint", target / "checkpoints" / "300")
    assert run("audit", target, "--key", key)[0] == 1
