"""A witness never forgets: races, kills, disks that do not record, a lost file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.errors import DamageError, StoreError
from ledger.note import (
    LogKeys,
)
from ledger.witness import SIZE_TYPE, Answer, Request, Row, Witness
from ledger.witness_store import WitnessStore
from tests.ledger.histories import History
from tests.ledger.house import NOON
from tests.ledger.witness_house import COSIGNER, House, cosigned


def test_of_two_at_once_one_wins(tmp_path: Path, keys: LogKeys) -> None:
    """Two histories, two connections to one file, at the same moment, many times."""
    for number in range(10):
        together = threading.Barrier(2, timeout=30)
        houses = [House(tmp_path / f"{number}.db", keys) for _ in "ab"]
        requests = [History(keys, name).request(0, 5) for name in "ab"]

        def ask(house: House, request: Request, together: threading.Barrier = together) -> int:
            together.wait()
            return house.ask(request).status

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(ask, houses, requests)) == [200, 409]
        for house in houses:
            house.store.close()


def test_a_race_between_look_and_replace_is_lost_by_the_second(
    house: House, log: History, keys: LogKeys, tmp_path: Path
) -> None:
    """The specification's race: the smaller tree is checked first and recorded last."""

    class Slow(WitnessStore):
        def read(self, origin: str) -> Row | None:
            row = super().read(origin)
            if not self.late:
                self.late = True
                house.ask(log.request(0, 9))
            return row

        late = False

    slow = Slow(tmp_path / "witness.db", create=False)
    witness = Witness(COSIGNER, logs={keys.origin: keys.verifiers}, rows=slow, clock=lambda: NOON)
    answer = witness.add_checkpoint(log.request(0, 4).text.encode())
    assert answer == Answer(409, b"9\n", SIZE_TYPE)
    row = house.store.read(keys.origin)
    assert row is not None
    assert row.size == 9
    slow.close()


def dies_after_replacing(path: str, body: bytes, origin: str, vkeys: tuple[str, ...]) -> None:
    """Run in a process of its own: the row is durable, the answer never leaves."""
    from ledger.note import Verifier

    class Dying(WitnessStore):
        def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
            done = super().replace(origin, before=before, after=after)
            os.kill(os.getpid(), signal.SIGKILL)
            return done

    logs = {origin: tuple(Verifier.parse(vkey) for vkey in vkeys)}
    store = Dying(Path(path), create=False)
    Witness(COSIGNER, logs=logs, rows=store, clock=lambda: NOON).add_checkpoint(body)


def test_killed_between_the_row_and_the_answer_it_signs_no_second_history(
    house: House, log: History, keys: LogKeys, tmp_path: Path
) -> None:
    house.ask(log.request(0, 3))
    house.store.close()
    process = multiprocessing.get_context("forkserver").Process(
        target=dies_after_replacing,
        args=(
            str(tmp_path / "witness.db"),
            log.request(3, 8).text.encode(),
            keys.origin,
            tuple(key.vkey for key in keys.verifiers),
        ),
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    again = House(tmp_path / "witness.db", keys)
    other = History(keys, "b", fork=3)
    # To the log nothing was cosigned. To the witness something was, and it does not forget.
    assert again.ask(other.request(3, 8)) == Answer(409, b"8\n", SIZE_TYPE)
    assert again.ask(other.request(8, 8)).status == 422
    assert again.ask(log.request(3, 8)) == Answer(409, b"8\n", SIZE_TYPE)
    cosigned(again.ask(log.request(8, 8)), log.request(8, 8))


def test_a_disk_that_does_not_record_gets_no_cosignature(
    house: House, log: History, tmp_path: Path
) -> None:
    house.ask(log.request(0, 3))
    house.store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="Nothing was cosigned"):
        house.ask(log.request(3, 5))
    house.store._connection.execute("PRAGMA query_only = OFF")
    cosigned(house.ask(log.request(3, 5)), log.request(3, 5))


def test_a_lost_memory_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match="retire"):
        WitnessStore(tmp_path / "witness.db", create=False)
    assert not (tmp_path / "witness.db").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM cosigned",
        "UPDATE cosigned SET size = 4",
        "UPDATE cosigned SET root = zeroblob(32)",
        "UPDATE cosigned SET origin = 'other'",
        "INSERT OR REPLACE INTO cosigned SELECT origin, origin_hash, 0, root, 0, note "
        "FROM cosigned",
    ],
)
def test_the_table_itself_does_not_forget(house: House, log: History, statement: str) -> None:
    house.ask(log.request(0, 5))
    with pytest.raises(Exception, match=r"forget|grows|has a row"):
        house.store._connection.execute(statement)
    row = house.store.read(log.keys.origin)
    assert row is not None
    assert row.size == 5
