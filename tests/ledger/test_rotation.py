"""Nasty case 9: keys that change. Who may sign which tree, and how one learns it from the log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.audit import audit
from ledger.errors import ClosedError, ConflictError, DamageError, NoteError, RetiredError
from ledger.generations import Ending, Generation, Keybook, KnownLog
from ledger.handover import Handover, follow, follow_shown, own_case
from ledger.log import Log
from ledger.mirror import mirror
from ledger.note import LogKeys, open_checkpoint, open_note, sign_checkpoint
from ledger.read import respond
from ledger.tiles import Mirror, export
from tests.ledger.house import NOON, Office, submission

ROOT = bytes(range(32))


@pytest.fixture(scope="module")
def fresh(keys: LogKeys) -> LogKeys:
    return LogKeys.generate(keys.origin)


def reopen(office: Office, *generations: LogKeys) -> Office:
    office.keys = generations  # type: ignore[assignment]
    return office


async def grow(log: Log, first: int, stop: int) -> str:
    """Some entries and a checkpoint over them."""
    for number in range(first, stop):
        await log.append(submission(number))
    await log.seal(log.size - 1)
    return await log.checkpoint()


async def rotated(office: Office, keys: LogKeys, fresh: LogKeys) -> list[str]:
    """A log whose keys have changed: notes from before, in overlap, and after."""
    log = await reopen(office, keys).open()
    notes = [await grow(log, 0, 3)]
    await log.tell(lambda sequencer: sequencer.rotate(fresh))
    notes.append(await grow(log, 3, 6))
    await log.tell(lambda sequencer: sequencer.retire(keys.verifiers))
    notes.append(await grow(log, 6, 300))
    return notes


async def test_two_generations_sign_in_overlap_and_one_before_and_after(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    before, between, after = await rotated(office, keys, fresh)
    both = [*keys.verifiers, *fresh.verifiers]
    signed = [
        [each.verifier for each in open_note(note, both).signatures]
        for note in (before, between, after)
    ]
    assert signed == [list(keys.verifiers), both, list(fresh.verifiers)]
    log = office.opened[-1]
    assert log.generations == (
        Generation(keys.verifiers, until_size=7),
        Generation(fresh.verifiers, from_size=4),
    )
    book = Keybook((KnownLog(keys.origin, log.generations),))
    assert [open_checkpoint(note, book).size for note in (before, between, after)] == [3, 7, 302]
    kinds = [leaf.body["kind"] for leaf in map(_leaf, await log.chain(own_case(keys.origin)))]
    assert kinds == ["keys-rotated", "keys-retired"]


def _leaf(row: tuple[int, bytes]):  # type: ignore[no-untyped-def]
    from ledger.entry import Leaf

    return Leaf.parse(row[1])


async def test_case_9_an_old_key_s_note_after_the_rotation_is_refused(
    keys: LogKeys, fresh: LogKeys
) -> None:
    log = KnownLog(
        keys.origin,
        (Generation(keys.verifiers, until_size=7), Generation(fresh.verifiers, from_size=4)),
    )
    book = Keybook((log,))

    def note(size: int, *signers: LogKeys) -> str:
        first, *beside = signers
        return sign_checkpoint(first, size=size, root=ROOT, at=NOON, beside=beside)

    for size, signers in ((1, [keys]), (7, [keys]), (4, [fresh]), (7, [keys, fresh]), (8, [fresh])):
        assert open_checkpoint(note(size, *signers), book).size == size
    with pytest.raises(RetiredError, match="retired at 7"):
        open_checkpoint(note(8, keys), book)
    with pytest.raises(RetiredError, match="from 4 on only"):
        open_checkpoint(note(3, fresh), book)
    # One line of each generation is no generation.
    old, new = note(7, keys).split("\n"), note(7, fresh).split("\n")
    with pytest.raises(NoteError, match="MLDSA44_COSIGNATURE signature is missing"):
        open_checkpoint("\n".join([*old[:5], ""]), book)
    with pytest.raises(NoteError, match="signature is missing"):
        open_checkpoint("\n".join([*old[:5], new[5], ""]), book)
    # A retired key's line does no harm beside those that count, but must hold.
    assert open_checkpoint(note(8, fresh, keys), book).size == 8
    spoiled = note(8, fresh) + note(9, keys).split("\n")[4] + "\n"
    with pytest.raises(NoteError, match="does not verify"):
        open_checkpoint(spoiled, book)


def test_case_9_a_leaked_key_signs_nothing_beyond_or_beside_the_last_tree(keys: LogKeys) -> None:
    ending = Ending(7, ROOT, NOON)
    book = Keybook((KnownLog(keys.origin, (Generation(keys.verifiers),), ending),))
    for size, root in ((7, ROOT), (6, ROOT)):
        opened = open_checkpoint(sign_checkpoint(keys, size=size, root=root, at=NOON), book)
        assert opened.size == size
    for size, root in ((8, ROOT), (7, bytes(32))):
        with pytest.raises(RetiredError, match="ended"):
            open_checkpoint(sign_checkpoint(keys, size=size, root=root, at=NOON), book)
    assert KnownLog.parse(book.logs[0].record()) == book.logs[0]


async def test_a_rotation_goes_on_where_it_broke_off(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    log = await reopen(office, keys).open()
    await grow(log, 0, 3)
    await log.close()
    # The key file is written, nothing else: it signs nothing.
    log = await reopen(office, keys, fresh).open()
    with pytest.raises(NoteError, match="no known key"):
        open_note(await grow(log, 3, 4), fresh.verifiers)
    receipt = await log.tell(lambda sequencer: sequencer.rotate(fresh))
    assert await log.tell(lambda sequencer: sequencer.rotate(fresh)) == receipt
    await log.close()
    # The entry is written, the key file is gone: it does not start.
    with pytest.raises(DamageError, match="not at hand"):
        await reopen(office, keys).open()
    log = await reopen(office, keys, fresh).open()
    assert await log.tell(lambda sequencer: sequencer.rotate(fresh)) == receipt
    retired = await log.tell(lambda sequencer: sequencer.retire(keys.verifiers))
    assert await log.tell(lambda sequencer: sequencer.retire(keys.verifiers)) == retired
    with pytest.raises(NoteError, match="without a key"):
        await log.tell(lambda sequencer: sequencer.retire(fresh.verifiers))
    with pytest.raises(NoteError, match="did not sign"):
        await log.tell(lambda sequencer: sequencer.retire(LogKeys.generate(keys.origin).verifiers))
    await log.close()
    # The old private keys are gone for good.
    log = await reopen(office, fresh).open()
    note = await grow(log, 4, 5)
    assert [each.verifier for each in open_note(note, fresh.verifiers).signatures] == list(
        fresh.verifiers
    )


async def test_whoever_holds_the_old_keys_follows_through_the_log(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    _, _, after = await rotated(office, keys, fresh)
    log = office.opened[-1]
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(after, keys.verifiers)
    first, second = (respond(log.reader, f"keys/{n}").body.decode() for n in (1, 2))
    assert respond(log.reader, "keys/3").status == 404
    assert respond(log.reader, "keys/0").status == 404
    old = Keybook.of(keys.verifiers)
    book = follow(old, [first, second])
    assert open_checkpoint(after, book).size == 302
    assert follow(book, [first, second]) == book
    assert book == Keybook((KnownLog(keys.origin, log.generations),))
    # Without the first, the second is signed by strangers; strangers follow nothing at all.
    with pytest.raises(NoteError):
        follow(old, [second])
    with pytest.raises(NoteError):
        follow(Keybook.of(LogKeys.generate(keys.origin).verifiers), [first])
    assert follow_shown(old, lambda number: second) == old


async def test_a_handover_of_which_a_byte_was_changed_leads_nowhere(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    await rotated(office, keys, fresh)
    text = respond(office.opened[-1].reader, "keys/1").body.decode()
    handover = Handover.parse(text)
    assert handover.text == text
    other = LogKeys.generate(keys.origin).verifiers[0].vkey.encode()
    named = fresh.verifiers[0].vkey.encode()
    forged = replace(handover, leaf=handover.leaf.replace(named, other))
    assert forged != handover
    from ledger.errors import VerificationError

    with pytest.raises(VerificationError):
        forged.follow(Keybook.of(keys.verifiers))
    for cut in ("", text[:40], text.replace("handover", "hangover"), text + "\n"):
        with pytest.raises(VerificationError):
            Handover.parse(cut).follow(Keybook.of(keys.verifiers))


async def test_an_entry_of_another_case_names_no_keys(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    """Only the log speaks of its keys: what clients append is not its own case's."""
    from ledger.entry import Submission
    from ledger.errors import ProofError
    from ledger.proof import TlogProof

    log = await office.open()
    body = {"before": [], "keys": [each.vkey for each in fresh.verifiers], "kind": "keys-rotated"}
    receipt = await log.append(Submission("x", "0" * 32, "1" * 32, body))
    sealed = await log.seal(receipt.index)
    proof = TlogProof(receipt.index, sealed.inclusion, sealed.checkpoint)
    with pytest.raises(ProofError, match="about itself"):
        Handover(sealed.leaf, proof).follow(Keybook.of(keys.verifiers))


async def test_a_log_that_was_closed_takes_nothing_more(office: Office) -> None:
    log = await office.open()
    await grow(log, 0, 2)
    kept = await log.append(submission(1))
    closing = await log.tell(lambda sequencer: sequencer.close_log({"reason": "moved"}))
    assert await log.tell(lambda s: s.close_log({"reason": "again"})) == closing
    with pytest.raises(ClosedError, match="ended"):
        await log.append(submission(7))
    assert await log.append(submission(1)) == kept
    assert (await log.seal(closing.index)).tree_size == closing.index + 1
    await log.close()
    log = await office.open()
    with pytest.raises(ClosedError, match="ended"):
        await log.append(submission(7))


def site(directory: Path):  # type: ignore[no-untyped-def]
    from ledger.errors import NotFoundError

    def fetch(path: str, most: int) -> bytes:
        try:
            return (directory / path).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(path) from error

    return fetch


async def test_a_mirror_with_the_old_keys_follows_and_keeps_what_it_learned(
    office: Office, keys: LogKeys, fresh: LogKeys, tmp_path: Path
) -> None:
    shown, kept = tmp_path / "shown", tmp_path / "kept"
    log = await reopen(office, keys).open()
    await grow(log, 0, 3)
    export(log.reader, shown)
    assert mirror(site(shown), kept, keys.verifiers).learned == 0
    await log.tell(lambda sequencer: sequencer.rotate(fresh))
    await grow(log, 3, 6)
    await log.tell(lambda sequencer: sequencer.retire(keys.verifiers))
    await grow(log, 6, 300)
    export(log.reader, shown)
    done = mirror(site(shown), kept, keys.verifiers)
    assert (done.size, done.learned) == (302, 1)
    assert sorted(path.name for path in (kept / "keys").iterdir()) == ["1", "2"]
    assert Mirror.at(kept).open(keys.verifiers).size == 302
    # What was learned stays learned, whatever the log shows: also offline.
    (shown / "keys" / "1").unlink()
    assert mirror(site(shown), kept, keys.verifiers).size == 302
    for held in (keys.verifiers, Keybook((KnownLog(keys.origin, log.generations),))):
        found = audit(kept, held, workers=1)
        assert (found.findings, found.size) == ((), 302)
    # A note of a large tree by the retired keys, put into the mirror's memory.
    (kept / "checkpoints" / "20").write_text(
        sign_checkpoint(
            keys, size=20, root=Mirror.at(kept).open(keys.verifiers).cache.tree(20).root(), at=NOON
        )
    )
    found = audit(kept, keys.verifiers, workers=1)
    assert [(each.check, each.where) for each in found.findings] == [
        ("checkpoint", "checkpoints/20")
    ]
    assert "retired at 7" in str(found.findings[0].detail)
    # Without what the mirror kept, the newest note is a stranger's.
    (kept / "keys" / "1").unlink()
    assert not audit(kept, keys.verifiers, workers=1).clean


async def test_a_held_clock_does_not_stand_in_the_way_of_a_rotation(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    log = await reopen(office, keys).open()
    await grow(log, 0, 3)
    office.clock.wall -= 60_000
    try:
        receipt = await log.tell(lambda sequencer: sequencer.rotate(fresh))
    except ConflictError:  # pragma: no cover - told as what it is
        pytest.fail("the note of the held clock has the rotation's event")
    assert receipt.index == 4
    assert log.generations[1].from_size == 5
