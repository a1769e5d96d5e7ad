"""What anchors name is shown by the log and had by its mirrors, by its digest and no other way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.anchored import anchors_in
from ledger.anchors import COSIGNATURE, TIMESTAMP, Anchor, attest_path, parse_attest_path
from ledger.audit import audit
from ledger.errors import MirrorError, NotFoundError
from ledger.kept import UNFINISHED
from ledger.log import Log
from ledger.mirror import Fetch, mirror
from ledger.note import MAX_NOTE_BYTES
from ledger.read import respond
from ledger.tiles import Mirror
from tests.ledger.house import Office, on_both, submission
from tests.ledger.test_anchors import Desk, anchors
from tests.ledger.test_sealing import World


def shown(log: Log, asked: list[str] | None = None) -> Fetch:
    """The log as a network would give it."""

    def fetch(path: str, most: int) -> bytes:
        if asked is not None:
            asked.append(path)
        answer = respond(log.reader, path)
        if answer.status == 404:
            raise NotFoundError(path)
        if len(answer.body) > most:
            raise MirrorError(f"{path} is longer than it can be")
        return answer.body

    return fetch


def kept(directory: Path) -> dict[str, bytes]:
    files = (path for path in (directory / "attest").rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


async def witnessed(office: Office) -> Log:
    """A log that a token and six lines were logged back to, in front of its last entry."""
    world, _ = World(office), Desk(office)
    log = await office.open()
    await log.append(submission(0))
    await log.seal(0)
    async with asyncio.timeout(30):
        while len(world.policy.cosignatures(await log.checkpoint())) < 6:
            await log.leaf(0)
    await log.append(submission(1))
    await log.seal(log.size - 1)
    return log


@on_both
async def test_a_log_shows_token_note_and_line_by_their_digest(office: Office) -> None:
    log = await witnessed(office)
    found = [anchor for _, anchor in await anchors(log, office)]
    assert {anchor.of for anchor in found} == {TIMESTAMP, COSIGNATURE}
    for path in (path for anchor in found for path in anchor.paths):
        answer = respond(log.reader, path)
        assert answer.status == 200
        assert sha256(answer.body).hexdigest() == path.rpartition("/")[2]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "immutable" in answer.headers["Cache-Control"]
    (token,) = [anchor for anchor in found if anchor.of == TIMESTAMP]
    note = respond(log.reader, attest_path(token.size, token.note)).body.decode()
    assert note.startswith(office.keys.origin)
    assert note.count("\n— ") > 2  # with the lines that the token is over


@pytest.mark.parametrize(
    "path",
    [
        "attest/1/",
        "attest/01/{}",
        "attest/2/{}",
        "attest/1/" + "0" * 64,
        "attest/1/{}/",
        "attest/{}",
    ],
)
async def test_every_other_path_shows_nothing(office: Office, path: str) -> None:
    log = await witnessed(office)
    digest = (await anchors(log, office))[0][1].sha256
    assert respond(log.reader, attest_path(1, digest)).status == 200
    assert respond(log.reader, attest_path(1, digest).upper()).status == 404
    assert respond(log.reader, path.format(digest)).status == 404


async def test_a_mirror_has_what_anchors_name_and_can_be_mirrored_in_turn(
    office: Office, tmp_path: Path
) -> None:
    log = await witnessed(office)
    found = [anchor for _, anchor in await anchors(log, office)]
    progress: list[tuple[int, int]] = []
    first, second = tmp_path / "first", tmp_path / "second"
    done = mirror(
        shown(log), first, office.keys.verifiers, progress=lambda *at: progress.append(at)
    )
    assert sorted(kept(first)) == sorted({path for each in found for path in each.paths})
    assert len(kept(first)) == 8  # six lines, a token, and the note it is over
    assert all(sha256(data).hexdigest() in path for path, data in kept(first).items())
    assert done.unshown == 0
    assert progress[-1] == (done.fetched, done.fetched)
    assert list(anchors_in(first, office.keys.origin, log.size)) == found
    assert audit(first, office.keys.verifiers).findings == ()

    again = Mirror.at(first)

    def copy(path: str, most: int) -> bytes:
        answer = respond(again, path)
        if answer.status == 404:
            raise NotFoundError(path)
        return answer.body[: most + 1]

    assert mirror(copy, second, office.keys.verifiers).unshown == 0
    assert kept(second) == kept(first)


async def test_what_is_there_is_not_fetched_again_and_what_was_deleted_is(
    office: Office, tmp_path: Path
) -> None:
    log = await witnessed(office)
    mirror(shown(log), tmp_path, office.keys.verifiers)
    before, asked = kept(tmp_path), list[str]()
    mirror(shown(log, asked), tmp_path, office.keys.verifiers)
    assert [path for path in asked if path.startswith("attest")] == []
    gone = min(before)
    (tmp_path / gone).unlink()
    (tmp_path / f"{gone}.1-1{UNFINISHED}").write_bytes(b"half")
    assert mirror(shown(log, asked), tmp_path, office.keys.verifiers).fetched == 1
    assert [path for path in asked if path.startswith("attest")] == [gone]
    assert kept(tmp_path) == before


class Lost(OSError):
    """The connection is lost."""


async def test_a_run_that_breaks_off_keeps_what_it_had_and_goes_on(
    office: Office, tmp_path: Path
) -> None:
    log = await witnessed(office)
    source = shown(log)
    last = [anchor for _, anchor in await anchors(log, office)][-1].paths[0]

    def fetch(path: str, most: int) -> bytes:
        if path == last:
            raise Lost(path)
        return source(path, most)

    with pytest.raises(Lost):
        mirror(fetch, tmp_path, office.keys.verifiers)
    assert not (tmp_path / "checkpoint").exists()
    assert last not in kept(tmp_path)
    done = mirror(source, tmp_path, office.keys.verifiers)
    assert (len(kept(tmp_path)), done.unshown) == (8, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\n",
        lambda data: b"",
        lambda data: b"x" * (MAX_NOTE_BYTES + 1),
    ],
)
async def test_bytes_that_an_anchor_does_not_name_are_not_kept(
    office: Office, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    log = await witnessed(office)
    source = shown(log)
    wrong = (await anchors(log, office))[0][1].paths[0]

    def fetch(path: str, most: int) -> bytes:
        data = source(path, most)
        return change(data) if path == wrong else data

    with pytest.raises(MirrorError, match="is not what the log's anchor names"):
        mirror(fetch, tmp_path, office.keys.verifiers)
    assert wrong not in kept(tmp_path)
    assert not (tmp_path / "checkpoint").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / wrong).parent.mkdir(parents=True)
    (tmp_path / "other" / wrong).write_bytes(change(source(wrong, MAX_NOTE_BYTES)))
    with pytest.raises(MirrorError, match="not what its name says"):
        Mirror.at(tmp_path / "other").said(*(parse_attest_path(wrong) or (0, "")))


async def test_what_a_log_does_not_show_any_more_is_counted_and_asked_for_again(
    office: Office, tmp_path: Path
) -> None:
    """As after its entries were restored from a mirror, and the rest was not."""
    log = await witnessed(office)
    source = shown(log)

    def bare(path: str, most: int) -> bytes:
        if path.startswith("attest"):
            raise NotFoundError(path)
        return source(path, most)

    done = mirror(bare, tmp_path, office.keys.verifiers)
    assert (done.unshown, done.size) == (8, log.size)
    assert audit(tmp_path, office.keys.verifiers).findings == ()
    done = mirror(source, tmp_path, office.keys.verifiers)
    assert (done.unshown, done.fetched, len(kept(tmp_path))) == (0, 8, 8)


async def test_only_the_anchors_of_their_own_chain_count(office: Office, tmp_path: Path) -> None:
    """Anybody's entry may say it is an anchor; and a damaged one hides none behind it."""
    log = await witnessed(office)
    body = Anchor(COSIGNATURE, 1, 0, "somebody", "0" * 64).body
    receipt = await log.append(replace(submission(2), body=body))
    await log.seal(receipt.index)
    mirror(shown(log), tmp_path, office.keys.verifiers)
    found = [anchor for _, anchor in await anchors(log, office)]
    assert list(anchors_in(tmp_path, office.keys.origin, log.size)) == found
    (bundle,) = (tmp_path / "tile" / "entries").rglob("000.p/*")
    said = b'{"body":{"kind":"anchor"'
    bundle.write_bytes(bundle.read_bytes().replace(said, b"[" + said[1:], 1))
    assert list(anchors_in(tmp_path, office.keys.origin, log.size)) == found[1:]
