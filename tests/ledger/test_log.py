"""Appending and sealing: what the two promises mean."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof

from ledger.entry import MAX_LEAF_BYTES, NO_HASH, Leaf, Receipt, Submission
from ledger.errors import ClosedError, ConflictError, EntryError, LockedError, NotFoundError
from ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.note import open_checkpoint
from ledger.proof import verify_case
from ledger.sequencer import Draft, Outcome
from ledger.writer import MAX_BATCH
from tests.ledger.house import Office, on_both, submission

pytestmark = on_both


async def test_entries_form_one_chain_and_a_chain_for_each_case(office: Office) -> None:
    log = await office.open()
    receipts = []
    for number in range(40):
        office.clock.pass_ms(7)
        receipts.append(await log.append(submission(number, case=number % 3)))
    leaves = [Leaf.parse(await log.leaf(index)) for index in range(40)]
    assert [receipt.index for receipt in receipts] == list(range(40))
    assert [leaf.hash for leaf in leaves] == [receipt.leaf_hash for receipt in receipts]
    assert [leaf.prev for leaf in leaves] == [NO_HASH, *(leaf.hash for leaf in leaves[:-1])]
    assert leaves[9].body == {"kind": "evidence", "n": 9, "t": ""}
    assert [leaf.time for leaf in leaves] == sorted({leaf.time for leaf in leaves})
    for case in range(3):
        chain = await log.chain(f"{case:032x}")
        assert [index for index, _ in chain] == list(range(case, 40, 3))
        verify_case([Leaf.parse(data) for _, data in chain], case=f"{case:032x}", count=len(chain))


async def test_pending_submissions_share_a_commit(office: Office) -> None:
    log = await office.open()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(log.append(submission(n, case=n % 5))) for n in range(700)]
    assert sorted(task.result().index for task in tasks) == list(range(700))
    times = {Leaf.parse(await log.leaf(index)).time for index in range(700)}
    assert times == {office.clock.wall}


async def test_case_05_duplicate_submit_is_the_same_entry(office: Office) -> None:
    log = await office.open()
    async with asyncio.TaskGroup() as group:  # in one batch
        tasks = [group.create_task(log.append(submission(n % 4))) for n in range(12)]
    once = [task.result() for task in tasks]
    assert once[:4] * 3 == once
    assert log.size == 4
    assert await log.append(submission(2)) == once[2]  # across batches
    await log.close()
    log = await office.open()  # across a restart
    assert await log.append(submission(2)) == once[2]
    assert (await log.append(submission(99))).index == 4


async def test_case_05_duplicate_submit_of_other_content_is_a_conflict(office: Office) -> None:
    log = await office.open()
    first = submission(1)
    await log.append(first)
    for other in (
        replace(first, body=dict(first.body) | {"n": 2}),
        replace(first, body=dict(first.body) | {"more": 1}),
        replace(first, case="f" * 32),
    ):
        with pytest.raises(ConflictError) as caught:
            await log.append(other)
        assert (caught.value.event, caught.value.index) == (first.event, 0)
    # Within one batch the first wins, and its neighbours are recorded all the same.
    second = submission(5)
    results = await asyncio.gather(
        log.append(second),
        log.append(replace(second, body={"kind": "other"})),
        log.append(submission(6)),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["Receipt", "ConflictError", "Receipt"]
    assert log.size == 3
    # Another writer's events are its own.
    assert (await log.append(replace(first, client="other"))).index == 3


async def test_a_leaf_of_65535_bytes_is_taken_and_one_more_is_not(office: Office) -> None:
    log = await office.open()
    await log.append(submission(1))
    bare = len(await log.leaf(0))
    whole = await log.append(submission(2, text="x" * (MAX_LEAF_BYTES - bare)))
    assert len(await log.leaf(whole.index)) == MAX_LEAF_BYTES
    results = await asyncio.gather(
        log.append(submission(3)),
        log.append(submission(4, text="x" * (MAX_LEAF_BYTES - bare + 1))),
        log.append(submission(5)),
        return_exceptions=True,
    )
    assert isinstance(results[1], EntryError)
    assert "65536 bytes" in str(results[1])
    assert log.size == 4
    assert Leaf.parse(await log.leaf(3)).body["n"] == 5


async def test_what_is_not_canonical_is_refused_at_the_door(office: Office) -> None:
    log = await office.open()
    for body in ({"x": 1.5}, {"x": float("nan")}, {"x": "\ud800"}, {"x": 2**53}):
        with pytest.raises(EntryError):
            await log.append(Submission("test", "1" * 32, "2" * 32, body))
    assert log.size == 0


async def test_a_seal_is_all_that_anyone_needs(office: Office) -> None:
    log = await office.open()
    async with asyncio.TaskGroup() as group:
        for number in range(300):
            group.create_task(log.append(submission(number)))
    sealed = await log.seal(123)
    assert sealed.timestamp is None
    checkpoint = open_checkpoint(sealed.checkpoint, office.keys.verifiers)
    path = [bytes.fromhex(hash_) for hash_ in sealed.inclusion]
    assert (sealed.tree_size, checkpoint.size) == (300, 300)
    hash_ = leaf_hash(sealed.leaf)
    verify_inclusion(index=123, size=300, leaf=hash_, proof=path, root=checkpoint.root)
    # The same, by a library that is not ours.
    rule, _ = _inclusion_path_layout(124, 300)
    proof = InclusionProof("sha256", True, 300, 124, rule, [hash_, *path])
    proof.verify(hash_, checkpoint.root, index=124, size=300)


async def test_checkpoints_are_consistent_with_each_other(office: Office) -> None:
    log = await office.open()
    roots = {}
    for number in range(20):
        receipt = await log.append(submission(number))
        note = (await log.seal(receipt.index)).checkpoint
        assert await log.checkpoint() == note
        checkpoint = open_checkpoint(note, office.keys.verifiers)
        roots[checkpoint.size] = checkpoint.root
    assert sorted(roots) == list(range(1, 21))
    for old in roots:
        proof = [bytes.fromhex(hash_) for hash_ in await log.consistency(old, 20)]
        verify_consistency(old=old, new=20, old_root=roots[old], new_root=roots[20], proof=proof)


async def test_a_grown_log_is_signed_without_being_asked(office: Office) -> None:
    office.tick_s = 0.01
    log = await office.open()
    assert open_checkpoint(await log.checkpoint(), office.keys.verifiers).size == 0
    async with asyncio.timeout(30):
        while open_checkpoint(await log.checkpoint(), office.keys.verifiers).size == 0:
            await log.append(submission(log.size))


async def test_a_log_that_is_never_idle_is_signed_too(office: Office) -> None:
    office.tick_s = 0.01
    log = await office.open()
    empty, loop, commit = await log.checkpoint(), asyncio.get_running_loop(), log._sequencer.commit
    callers: list[asyncio.Task[Receipt]] = []

    async def call() -> None:
        callers.append(loop.create_task(log.append(submission(len(callers)))))
        await asyncio.sleep(0)  # it is pending now

    def commit_while_others_call(drafts: Sequence[Draft]) -> list[Outcome]:
        outcomes = commit(drafts)
        if log.reader.note() == empty:
            asyncio.run_coroutine_threadsafe(call(), loop).result(30)
        return outcomes

    log._sequencer.commit = commit_while_others_call  # type: ignore[method-assign]
    await call()
    async with asyncio.timeout(30):
        while log.reader.note() == empty:
            await callers[-1]
    assert len({receipt.index for receipt in await asyncio.gather(*callers)}) == len(callers)


async def test_case_07_tsa_down_holds_back_the_seal_but_no_append(office: Office) -> None:
    asked: list[bytes] = []
    again, healed = asyncio.Event(), asyncio.Event()

    async def timestamp(data: bytes) -> bytes:
        if asked:
            again.set()
        asked.append(data)
        if not healed.is_set():
            raise ConnectionError("no authority")
        return b"token over " + data[:10]

    office.timestamp = timestamp
    log = await office.open()
    receipt = await log.append(submission(1))
    async with asyncio.TaskGroup() as group:
        seal = group.create_task(log.seal(receipt.index))
        await again.wait()
        await log.append(submission(2))
        assert not seal.done()
        healed.set()
    sealed = seal.result()
    assert sealed.timestamp == b"token over " + sealed.checkpoint.encode()[:10]
    assert set(asked) == {sealed.checkpoint.encode()}
    # The same entry is sealed the same way for ever, and one token serves all it covers.
    count = len(asked)
    assert await log.seal(receipt.index) == sealed
    await log.close()
    log = await office.open()
    assert await log.seal(receipt.index) == sealed
    assert len(asked) == count


async def test_seals_that_wait_together_share_one_token(office: Office) -> None:
    asked = []

    async def timestamp(data: bytes) -> bytes:
        asked.append(data)
        return b"token"

    office.timestamp = timestamp
    log = await office.open()
    for number in range(8):
        await log.append(submission(number))
    sealed = await asyncio.gather(*(log.seal(index) for index in range(8)))
    assert len(asked) == 1
    assert {seal.checkpoint for seal in sealed} == {asked[0].decode()}


async def test_a_cancelled_caller_loses_nothing(office: Office) -> None:
    log = await office.open()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await log.append(submission(1))
    assert (await log.append(submission(1))).index == 0
    assert (await log.append(submission(2))).index == 1


async def test_a_fault_of_our_own_stops_the_log_and_leaves_nobody_waiting(office: Office) -> None:
    log = await office.open()
    await log.append(submission(0))
    commit = log._sequencer.commit

    def fail(drafts: Sequence[Draft]) -> list[Outcome]:
        commit(drafts)
        raise ZeroDivisionError

    log._sequencer.commit = fail  # type: ignore[method-assign]
    callers = [log.append(submission(number)) for number in range(MAX_BATCH + 9)]
    async with asyncio.timeout(30):
        results = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(result) for result in results} == {ClosedError}
    assert log.size == MAX_BATCH  # and no batch after the one that nobody can answer for
    with pytest.raises(ClosedError, match="stopped"):
        await log.append(submission(1))
    await log.close()
    log = await office.open()
    assert (await log.append(submission(1))).index == 1


@pytest.mark.parametrize("index", [-1, 1, 10**12])
async def test_there_is_no_entry_outside_the_log(office: Office, index: int) -> None:
    log = await office.open()
    await log.append(submission(0))
    for asked in (log.leaf(index), log.seal(index)):
        with pytest.raises(NotFoundError):
            await asked


async def test_close_finishes_what_was_begun_and_refuses_the_rest(office: Office) -> None:
    log = await office.open()
    first = asyncio.gather(*(log.append(submission(number)) for number in range(5)))
    await asyncio.sleep(0)
    await log.close()
    assert [receipt.index for receipt in await first] == list(range(5))
    for refused in (log.append(submission(9)), log.seal(0), log.leaf(0)):
        with pytest.raises(ClosedError):
            await refused
    await log.close()
    log = await office.open()
    assert open_checkpoint(await log.checkpoint(), office.keys.verifiers).size == 5


async def test_case_03_fork_by_a_second_writer_is_refused(office: Office) -> None:
    log = await office.open()
    await log.append(submission(1))
    with pytest.raises(LockedError, match="another process writes"):
        await office.open()
    assert (await log.append(submission(2))).index == 1
