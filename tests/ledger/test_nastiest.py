"""The ten nastiest cases of a ledger's life. Each has its tests, named after it, in its own room.

    pytest -k case_03        the tests of one case, wherever they are

 1  torn write: the log cut at every frame and anywhere between, a disk that fills up in mid-commit
 2  rollback by a restored backup, then regrown; with the guard restored too, the witness refuses
 3  fork: two processes with one key; two notes of one size are a portable proof
 4  crash between commit and sign, sign and publish, publish and witness, witness and attest
 5  duplicate submit: in a batch, across batches, across a crash before the answer; other content
 6  clock: an hour back, ten years ahead, a token's time before the last token's
 7  timestamp authority down, slow, of no use, with certificates in any order
 8  witness lies, hangs, names rising sizes, or has proof that we were rolled back
 9  key leak and rotation: unknown lines, right name and wrong id, other spellings
10  silent bit flip in an entry or a tile: named, rebuilt, restored from a mirror, never re-signed
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from ledger.errors import StoreError
from ledger.log import Log
from ledger.merkle import FullTile
from ledger.sqlite import SqliteStore
from ledger.store import Row
from tests.ledger.house import Office, submission

TESTS = Path(__file__).parents[1]


@cache
def named() -> Counter[int]:
    """How many tests each case has."""
    text = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    return Counter(
        int(found) for found in re.findall(r"^(?:async )?def test_case_(\d\d)_", text, re.M)
    )


@pytest.mark.parametrize("case", range(1, 11))
def test_each_of_the_ten_has_tests_named_after_it(case: int) -> None:
    assert named()[case] >= 1


class Deaf(SqliteStore):
    """A database that records, and whose answer is lost."""

    deaf = True

    def add_entries(self, rows: Sequence[Row], tiles: Sequence[FullTile]) -> None:
        super().add_entries(rows, tiles)
        if self.deaf:
            self.deaf = False
            raise StoreError("the connection was lost before the answer came")


async def test_case_05_duplicate_submit_after_a_lost_answer_is_the_same_entry(
    office: Office,
) -> None:
    """The outcome was unknown: what was recorded is found, in this life or the next."""
    office.guard.parent.mkdir(exist_ok=True)
    log = await Log.open(
        Deaf(office.database),
        keys=office.keys,
        guard=office.guard,
        clock=lambda: office.clock.wall,
        monotonic=lambda: office.clock.steady,
    )
    with pytest.raises(StoreError, match="the answer"):
        await log.append(submission(1))
    again = await log.append(submission(1))
    assert (again.index, log.size) == (0, 1)
    await log.close()
    log = await office.open()
    assert await log.append(submission(1)) == again
    assert (await log.append(submission(2))).index == 1
