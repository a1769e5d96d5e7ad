"""An audit of a mirror: clean when it is, and naming the entry or the tile when it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from ledger.audit import STRETCH, Audit, audit
from ledger.errors import NoteError, NotFoundError, ProofError
from ledger.fork import ForkProof
from ledger.merkle import TILE_WIDTH, verify_consistency
from ledger.note import Checkpoint, LogKeys
from ledger.tiles import ENTRIES, Mirror, TileCache, read_bundle, tile_path
from tests.ledger.large import session, write_log

SIZE = 2900
SEAM = STRETCH * TILE_WIDTH
"""The first entry of the second stretch."""


@pytest.fixture(scope="module")
def log(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of 2900 entries, with checkpoints of 300, 1000 and 2560 and what was left of 300."""
    directory = tmp_path_factory.mktemp("audit") / "log"
    write_log(directory / "old", keys, 300)
    write_log(directory, keys, SIZE, checkpoints=[300, 1000, 2560])
    for level, number, width in ((0, 1, 44), (ENTRIES, 1, 44), (1, 0, 1)):
        path = tile_path(level, number, width)
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(directory / "old" / path, directory / path)
    shutil.rmtree(directory / "old")
    return directory


def whole(directory: Path, keys: LogKeys) -> Audit:
    return audit(directory, keys.verifiers, workers=1)


def found(done: Audit) -> set[tuple[str, str, str]]:
    return {(each.check, each.where, each.reason) for each in done.findings}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 65_536 + 300])
def test_a_log_as_it_was_written_is_clean(tmp_path: Path, keys: LogKeys, size: int) -> None:
    write_log(tmp_path, keys, size, checkpoints=[max(0, size // 2), max(0, size - 1)])
    seen: list[tuple[int, int]] = []

    done = audit(tmp_path, keys.verifiers, workers=1, progress=lambda *counts: seen.append(counts))

    assert done.findings == ()
    assert (done.size, done.origin, done.beyond) == (size, keys.origin, 0)
    assert seen[-1:] == [(size, size)][: len(seen)]


def test_processes_find_what_one_finds(tmp_path: Path, keys: LogKeys) -> None:
    write_log(tmp_path, keys, SEAM + 300, checkpoints=[SEAM - 5, SEAM])
    flip(tmp_path / tile_path(ENTRIES, STRETCH), 1000, 1)

    alone = audit(tmp_path, keys.verifiers, workers=1, kinds={"said"})
    together = audit(tmp_path, keys.verifiers, workers=2, kinds={"said"})

    assert alone == together
    assert [finding.reason for finding in alone.findings] == ["hash"]


def flip(path: Path, byte: int, mask: int) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= mask
    path.write_bytes(data)


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_case_10_silent_bit_flip_anywhere_is_named(
    log: Path, keys: LogKeys, data: st.DataObject
) -> None:
    files = sorted(path.relative_to(log).as_posix() for path in log.rglob("*") if path.is_file())
    where = data.draw(st.sampled_from(files))
    before = (log / where).read_bytes()
    byte = data.draw(st.integers(0, len(before) - 1))
    flip(log / where, byte, 1 << data.draw(st.integers(0, 7)))
    try:
        done = whole(log, keys)
    finally:
        (log / where).write_bytes(before)

    named = {finding.where for finding in done.findings}
    wanted, allowed = places(where, before, byte)
    assert wanted in named
    assert named <= allowed


def places(where: str, before: bytes, byte: int) -> tuple[str, set[str]]:
    """Where a flipped bit must be said to be, and what else may be named with it."""
    if "entries" in where and not where.endswith("001.p/44"):
        first = int(where.split("/")[2][:3]) * TILE_WIDTH
        at = end = 0
        for index, leaf in enumerate(read_bundle(before), first):
            end += 2 + len(leaf)
            if byte < end:
                at = index
                break
        prefix = byte < end - len(leaf)
        rest = {f"entry {index}" for index in range(at, first + TILE_WIDTH)} if prefix else set()
        bundle = {f"entries/{first // TILE_WIDTH:03d}"} if prefix else set()
        return f"entry {at}", {f"entry {at}", *rest, *bundle}
    leftover = where.endswith(("001.p/44", "000.p/1"))
    named = where if leftover or "tile" not in where else where.partition(".p/")[0]
    named = named.replace("tile/", "tile ")
    return named, {named}


def test_after_any_of_it_the_log_is_clean(log: Path, keys: LogKeys) -> None:
    done = whole(log, keys)

    assert done.findings == ()
    assert sorted({each.checkpoint.size for each in done.kept}) == [300, 1000, 2560, SIZE]


@pytest.fixture
def copy(log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(log, tmp_path / "log"))


def test_files_that_are_missing_are_named(copy: Path, keys: LogKeys) -> None:
    (copy / "tile/0/003").unlink()
    (copy / "tile/entries/005").unlink()
    (copy / "tile/1/000.p/11").unlink()

    assert found(whole(copy, keys)) == {
        ("tiles", "tile 0/003", "missing"),
        ("entries", "entries/005", "missing"),
        ("entries", "entry 1280", "unreadable"),
        ("tiles", "tile 1/000", "missing"),
    }


def test_a_full_tile_serves_where_the_partial_one_has_gone(
    copy: Path, tmp_path: Path, keys: LogKeys
) -> None:
    write_log(tmp_path / "later", keys, 3100)
    for kind in ("0", "entries"):
        (copy / f"tile/{kind}/011.p/84").unlink()
        shutil.copy(tmp_path / f"later/tile/{kind}/011", copy / f"tile/{kind}/011")
    done = whole(copy, keys)
    assert (done.findings, done.beyond) == ((), 2)


def test_bytes_after_a_bundle_are_named(copy: Path, keys: LogKeys) -> None:
    for name, more in (("002", b"\0\1x"), ("003", b"\0")):
        path = copy / f"tile/entries/{name}"
        path.write_bytes(path.read_bytes() + more)
    (copy / "tile/0/007").write_bytes((copy / "tile/0/007").read_bytes() + b"\0" * 32)
    assert found(whole(copy, keys)) == {
        ("entries", "entries/002", "bundle"),
        ("entries", "entries/003", "bundle"),
        ("tiles", "tile 0/007", "length"),
    }


def test_history_rewritten_below_the_signed_root_is_named(copy: Path, keys: LogKeys) -> None:
    """Whoever rewrites an entry and its tile still has not the tile above."""
    other = copy.parent / "other"
    write_log(other, keys, SIZE, entry=lambda index: session(index ^ (index // 512 == 1)))
    for path in ("tile/0/002", "tile/entries/002", "tile/0/003", "tile/entries/003"):
        shutil.copy(other / path, copy / path)
    named = found(whole(copy, keys))
    assert {("tiles", "tile 0/002", "unproven"), ("tiles", "tile 0/003", "unproven")} <= named
    assert {where for check, where, _ in named if check == "tiles"} == {"tile 0/002", "tile 0/003"}


def test_entries_that_lead_elsewhere_as_a_whole_are_no_clean_log(copy: Path, keys: LogKeys) -> None:
    shutil.rmtree(copy / "tile")
    other = copy.parent / "other"
    write_log(other, keys, SIZE, entry=lambda index: session(index + 1))
    shutil.copytree(other / "tile", copy / "tile")
    assert ("entries", "checkpoint", "root") in found(whole(copy, keys))


def changed(at: int, **values: object) -> Callable[[dict[str, object]], None]:
    def spoil(leaf: dict[str, object]) -> None:
        if leaf["index"] == at:
            leaf.update(values)

    return spoil


@pytest.mark.parametrize("at", [700, SEAM - 1, SEAM, SEAM + 1])
@pytest.mark.parametrize(
    ("values", "check", "reason"),
    [
        ({"prev": "0" * 64}, "chain", "prev"),
        ({"index": 5}, "entries", "index"),
        ({"time": 1}, "times", "time"),
        ({"case_seq": 77_777}, "cases", "case-seq"),
        ({"case_prev": "0" * 64}, "cases", "case-prev"),
        ({"time": 2**53}, "times", "time"),
        ({"event": "0"}, "entries", "not-a-leaf"),
        ({"body": {"x": 1.5}}, "entries", "not-a-leaf"),
        ({"body": {"n": 2**53}}, "entries", "not-a-leaf"),
        ({"body": {"é": 1}}, "entries", "not-a-leaf"),
        ({"body": []}, "entries", "not-a-leaf"),
        ({"extra": 1}, "entries", "not-a-leaf"),
        ({"bodz": {"a": 1}}, "entries", "not-a-leaf"),
        ({"apple": 1}, "entries", "not-a-leaf"),
        ({"v": 2}, "entries", "not-a-leaf"),
    ],
)
def test_what_the_log_signed_against_its_own_rules_is_named(
    tmp_path: Path,
    keys: LogKeys,
    values: dict[str, object],
    check: str,
    reason: str,
    at: int,
) -> None:
    """A log with its keys can sign anything; its chains still show what it did."""
    write_log(tmp_path, keys, at + 20, spoil=changed(at, **values))

    named = found(whole(tmp_path, keys))

    assert (check, f"entry {at}", reason) in named
    later = {where for _, where, _ in named} - {f"entry {at}"}
    # Times and case numbers that jump are seen again where they come back.
    assert not later or "case_seq" in values or "time" in values


def test_a_case_whose_entry_was_left_out_is_named(tmp_path: Path, keys: LogKeys) -> None:
    """The log never wrote its entry 900: no hash is wrong, but the case's own count is."""

    def spoil(leaf: dict[str, object]) -> None:
        if leaf["case"] == session(900)[0] and leaf["index"] >= 900:
            leaf["case_seq"] = int(str(leaf["case_seq"])) + 1

    write_log(tmp_path, keys, 1200, spoil=spoil)
    assert found(whole(tmp_path, keys)) == {("cases", "entry 900", "case-seq")}


def test_wanted_entries_are_handed_back(log: Path, keys: LogKeys) -> None:
    case = session(3)[0]
    done = audit(log, keys.verifiers, cases={case}, kinds={"said"}, workers=1)
    said = {index for index in range(SIZE) if index % 50 == 0}
    of_case = {index for index in range(SIZE) if session(index)[0] == case}
    assert {index for index, _ in done.collected} == said | of_case
    assert all(json.loads(leaf)["index"] == index for index, leaf in done.collected)


class Witnesses:
    """A policy: how many lines a note needs."""

    def __init__(self, lines: int) -> None:
        self.lines = lines

    def holds(self, note: str) -> bool:
        if self.lines < 0:
            raise NoteError("a witness's line is false")
        return note.count("\u2014") >= self.lines


@pytest.mark.parametrize(("lines", "reason"), [(2, None), (3, "quorum"), (-1, "signature")])
def test_a_policy_must_be_met(log: Path, keys: LogKeys, lines: int, reason: str | None) -> None:
    done = audit(log, keys.verifiers, policy=Witnesses(lines), workers=1)
    expected = {("witnesses", "checkpoint", reason)} if reason else set()
    assert {each for each in found(done) if each[2] == reason} >= expected
    assert bool(done.findings) == bool(reason)
    assert done.witnessed == (0 if reason else SIZE)


def test_unknown_keys_and_empty_folders(log: Path, keys: LogKeys, tmp_path: Path) -> None:
    done = whole(log, LogKeys.generate(keys.origin))
    assert {(each.check, each.reason) for each in done.findings} == {("checkpoint", "signature")}
    assert done.origin == ""
    with pytest.raises(NotFoundError):
        whole(tmp_path, keys)


@pytest.fixture(scope="module")
def twin(keys: LogKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another history under the same keys: the same up to entry 200."""
    directory = tmp_path_factory.mktemp("twin")
    write_log(
        directory,
        keys,
        SIZE,
        entry=lambda index: session(index if index < 200 else index + 1),
        checkpoints=[100, 256, 257, 512, 1000],
    )
    return directory


@pytest.mark.parametrize("size", [256, 257, 512, 1000, SIZE])
def test_two_histories_are_proven_to_anyone(
    copy: Path, twin: Path, keys: LogKeys, size: int
) -> None:
    kept = copy / f"checkpoints/{size}"
    shutil.copy(twin / f"checkpoints/{size}", kept)

    done = whole(copy, keys)

    assert found(done) == {("kept", f"checkpoints/{size}", "fork")}
    [fork] = done.forks
    carried = ForkProof.parse(fork.text)
    assert carried == fork
    old, new = carried.verify(keys.verifiers)
    assert (old.size, new.size) == (size, SIZE)
    assert kept.read_text() in fork.text
    assert (copy / "checkpoint").read_text() in fork.text
    with pytest.raises(NoteError):
        carried.verify(LogKeys.generate(keys.origin).verifiers)


@pytest.mark.parametrize("size", [300, 1000, SIZE])
def test_one_history_proves_no_fork(log: Path, keys: LogKeys, size: int) -> None:
    """Nobody can slander a log with what it signed, whatever hashes they add."""
    view = Mirror.at(log).open(keys.verifiers)
    note = (log / f"checkpoints/{size}").read_text()
    proof = ForkProof.between(note, view.note, view.cache.tree(SIZE))
    with pytest.raises(ProofError):
        proof.verify(keys.verifiers)
    for at in range(len(proof.path)):
        path = [*proof.path]
        path[at] = bytes(32)
        with pytest.raises(ProofError):
            ForkProof(note, view.note, tuple(path)).verify(keys.verifiers)


@given(st.data())
@settings(deadline=None)
def test_a_proof_of_fork_has_one_spelling(twin: Path, keys: LogKeys, data: st.DataObject) -> None:
    text = ForkProof(
        (twin / "checkpoints/256").read_text(), (twin / "checkpoint").read_text(), (bytes(32),) * 3
    ).text
    at = data.draw(st.integers(0, text.index("\n\n")))
    changed = text[:at] + data.draw(st.sampled_from("\n =A\r")) + text[at + 1 :]
    try:
        assert ForkProof.parse(changed).text == changed
    except ProofError:
        return


def test_other_peoples_trees_have_our_roots(log: Path) -> None:
    """pymerkle, from nothing but the bundles: roots of every checkpoint, and consistency."""
    tree = InmemoryTree(algorithm="sha256")
    for number in range((SIZE + 255) // 256):
        width = min(256, SIZE - number * 256)
        for leaf in read_bundle((log / tile_path(ENTRIES, number, width)).read_bytes()):
            tree.append_entry(leaf)
    newest = Checkpoint.unverified((log / "checkpoint").read_text())
    assert tree.get_root(SIZE) == newest.root
    ours = TileCache(Mirror.at(log).hashes).tree(SIZE)
    for size in (300, 1000, 2560):
        kept = Checkpoint.unverified((log / f"checkpoints/{size}").read_text())
        assert tree.get_root(size) == kept.root
        verify_consistency(
            old=size,
            new=SIZE,
            old_root=kept.root,
            new_root=newest.root,
            proof=ours.consistency(size),
        )


def test_the_newest_note_may_wait_for_its_witnesses(copy: Path, keys: LogKeys) -> None:
    """A policy is met by the newest note that has its quorum, and the report says how far."""

    class Old:
        def holds(self, note: str) -> bool:
            return Checkpoint.unverified(note).size == 1000

    done = audit(copy, keys.verifiers, policy=Old(), workers=1)
    assert (done.findings, done.witnessed) == ((), 1000)
