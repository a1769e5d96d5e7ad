"""The second verifier follows keys that change and logs that ended, from the document alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.mirror import mirror
from ledger.note import LogKeys, sign_checkpoint
from ledger.tiles import export
from tests.ledger import second_verifier as second
from tests.ledger.house import NOON, Office
from tests.ledger.test_rotation import grow, reopen, rotated, site


@pytest.fixture(scope="module")
def fresh(keys: LogKeys) -> LogKeys:
    return LogKeys.generate(keys.origin)


async def test_it_follows_a_rotation_with_the_first_keys_only(
    office: Office, keys: LogKeys, fresh: LogKeys, tmp_path: Path
) -> None:
    shown, kept = tmp_path / "shown", tmp_path / "kept"
    log = await reopen(office, keys).open()
    await grow(log, 0, 3)
    export(log.reader, shown)
    mirror(site(shown), kept, keys.verifiers)
    await log.tell(lambda sequencer: sequencer.rotate(fresh))
    await grow(log, 3, 6)
    export(log.reader, shown)
    mirror(site(shown), kept, keys.verifiers)
    await log.tell(lambda sequencer: sequencer.retire(keys.verifiers))
    await grow(log, 6, 300)
    export(log.reader, shown)
    mirror(site(shown), kept, keys.verifiers)
    vkeys = [each.vkey for each in keys.verifiers]
    assert len(second.read_mirror(kept, vkeys)) == 302
    known = second.follow_all(
        kept, [second.Generation(tuple(second.read_vkey(each) for each in vkeys))]
    )
    assert [(each.from_size, each.until_size) for each in known] == [
        (each.from_size, each.until_size) for each in log.generations
    ]
    stolen = sign_checkpoint(keys, size=302, root=bytes(32), at=NOON)
    with pytest.raises(AssertionError, match="may not"):
        second.open_note(stolen, known)
    (kept / "keys" / "1").unlink()
    with pytest.raises(AssertionError, match="a line is missing"):
        second.read_mirror(kept, vkeys)


async def test_it_follows_no_handover_twice_removed(
    office: Office, keys: LogKeys, fresh: LogKeys
) -> None:
    log_notes = await rotated(office, keys, fresh)
    only_new = [second.Generation(tuple(second.read_vkey(k.vkey) for k in fresh.verifiers), 4)]
    assert second.open_note(log_notes[-1], only_new)[1] == 302
    with pytest.raises(AssertionError, match="a line is missing"):
        second.open_note(log_notes[0], only_new)


@pytest.mark.parametrize(
    ("size", "root", "dated", "why"),
    [
        (5, 0, 1, "beyond"),
        (4, 1, 1, "another last tree"),
        (3, 0, None, "without a token"),
        (3, 0, 9, "after the leak"),
    ],
)
def test_of_a_log_that_ended_it_believes_no_more_than_the_document_says(
    size: int, root: int, dated: int | None, why: str
) -> None:
    log = {"ending": {"size": 4, "root": bytes(32).hex(), "before": 9}}
    with pytest.raises(AssertionError, match=why):
        second.require_ending(log, size, bytes([root] * 32), dated)
    second.require_ending(log, 4, bytes(32), None)
    second.require_ending(log, 3, bytes(32), 8)
    second.require_ending({}, 9, bytes(32), None)
