"""Several logs on one database: one leads, and nobody needs to know which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psycopg
import pytest

from ledger.cosigning import Witnesses
from ledger.entry import MAX_LEAF_BYTES, Leaf
from ledger.errors import (
    ClosedError,
    ConflictError,
    EntryError,
    GuardError,
    NotFoundError,
    StoreError,
)
from ledger.fsck import fsck
from ledger.guard import Guard, Mark
from ledger.log import Log
from ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.note import LogKeys, open_checkpoint
from ledger.postgres import Follower, PostgresStore
from ledger.proof import verify_case
from ledger.read import respond
from ledger.recovery import recover
from ledger.shared import SharedLog
from ledger.snapshot import Snapshot
from tests.ledger.house import Clock, submission
from tests.ledger.outside import Outside, gone
from tests.ledger.postgresql import Server

DEADLINE_S = 30


@dataclass(slots=True)
class Firm:
    """Offices that share a ledger; each has a guard of its own."""

    directory: Path
    url: str
    keys: LogKeys
    clock: Clock = field(default_factory=Clock)
    outside: Outside | None = None
    """Witnesses, all of whom have to sign."""
    opened: list[SharedLog] = field(default_factory=list)

    def guard(self, number: int) -> Path:
        return self.directory / f"guard-{number}"

    async def open(self, *, timestamped: bool = False) -> SharedLog:
        guard, witnesses = self.guard(len(self.opened)), None
        if self.outside is not None:
            witnesses = Witnesses(
                self.outside.policy(len(self.outside.neighbours)),
                ask=self.outside.ask,
                log_keys=self.keys.verifiers,
                clock=lambda: self.clock.wall,
                retry_s=(0.02, 0.1),
            )
        lead = partial(
            Log.open,
            keys=self.keys,
            guard=guard,
            clock=lambda: self.clock.wall,
            monotonic=lambda: self.clock.steady,
            timestamp=_token if timestamped else None,
            witnesses=witnesses,
            tick_s=0.05,
        )
        async with asyncio.timeout(DEADLINE_S):
            log = await SharedLog.open(
                self.url,
                lead=lead,
                keys=self.keys,
                guard=guard,
                witnesses=witnesses,
                timestamped=timestamped,
            )
        self.opened.append(log)
        return log

    async def two(self, *, timestamped: bool = False) -> tuple[SharedLog, SharedLog]:
        """Who leads, and who follows."""
        first = await self.open(timestamped=timestamped)
        second = await self.open(timestamped=timestamped)
        assert (first.leads, second.leads) == (True, False)
        return first, second

    def cut_leader(self) -> None:
        """What a broken cable does to the session that holds the lock."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                "WHERE locktype = 'advisory' AND granted AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            ).fetchall()
        assert (True,) in cut

    def require_sound(self, entries: int) -> None:
        with Snapshot.of(self.url) as snapshot:
            report = fsck(snapshot, self.keys.verifiers)
        assert (report.findings, report.entries) == ((), entries)


async def _token(data: bytes) -> bytes:
    return b"token over " + data[:10]


@pytest.fixture
async def firm(tmp_path: Path, postgresql: Server, keys: LogKeys) -> AsyncIterator[Firm]:
    firm = Firm(tmp_path, postgresql.fresh(), keys)
    yield firm
    for log in firm.opened:
        await log.close()


async def until_leads(*logs: SharedLog) -> SharedLog:
    async with asyncio.timeout(DEADLINE_S):
        while not any(log.leads for log in logs):
            await logs[0]._news()
    return next(log for log in logs if log.leads)


async def test_whoever_appends_it_is_one_chain(firm: Firm) -> None:
    leader, follower = await firm.two()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task((leader, follower)[number % 2].append(submission(number, case=1)))
            for number in range(40)
        ]
    receipts = [task.result() for task in tasks]
    assert sorted(receipt.index for receipt in receipts) == list(range(40))
    for log in (leader, follower):
        chain = await log.chain(f"{1:032x}")
        leaves = [Leaf.parse(data) for _, data in chain]
        verify_case(leaves, case=f"{1:032x}", count=40)
        assert {leaf.index: leaf.hash for leaf in leaves} == {
            receipt.index: receipt.leaf_hash for receipt in receipts
        }
    assert [await follower.append(submission(n, case=1)) for n in (3, 4)] == receipts[3:5]
    with psycopg.connect(firm.url, autocommit=True) as connection:
        async with asyncio.timeout(DEADLINE_S):  # what is done is thrown away
            while connection.execute("SELECT 1 FROM submission").fetchone():
                await follower._news()
    firm.require_sound(40)


async def test_a_follower_is_refused_as_the_leader_is(firm: Firm) -> None:
    leader, follower = await firm.two()
    await leader.append(submission(1))
    with pytest.raises(ConflictError) as caught:
        await follower.append(replace(submission(1), body={"kind": "other"}))
    assert caught.value.index == 0
    with pytest.raises(EntryError, match="at most"):
        await follower.append(submission(2, text="x" * MAX_LEAF_BYTES))
    with pytest.raises(EntryError):
        await follower.append(replace(submission(3), body={"x": 1.5}))
    for index in (-1, 1, 10**12):
        with pytest.raises(NotFoundError):
            await follower.leaf(index)
    assert (await follower.append(submission(4))).index == 1
    await follower.close()
    with pytest.raises(ClosedError):
        await follower.append(submission(5))
    firm.require_sound(2)


@pytest.mark.parametrize("timestamped", [False, True])
async def test_a_follower_s_seal_is_all_that_anyone_needs(firm: Firm, timestamped: bool) -> None:
    leader, follower = await firm.two(timestamped=timestamped)
    receipts = [await follower.append(submission(number)) for number in range(5)]
    async with asyncio.timeout(DEADLINE_S):
        sealed = await follower.seal(2)
    checkpoint = open_checkpoint(sealed.checkpoint, firm.keys.verifiers)
    path = [bytes.fromhex(hash_) for hash_ in sealed.inclusion]
    assert leaf_hash(sealed.leaf).hex() == receipts[2].leaf_hash
    verify_inclusion(
        index=2,
        size=checkpoint.size,
        leaf=leaf_hash(sealed.leaf),
        proof=path,
        root=checkpoint.root,
    )
    if timestamped:
        assert sealed.timestamp == b"token over " + sealed.checkpoint.encode()[:10]
        assert await leader.seal(2) == sealed
    assert sealed.tree_size == checkpoint.size <= follower.size
    assert respond(follower.reader, "checkpoint").status == 200
    old, new = 1, checkpoint.size
    proof = [bytes.fromhex(hash_) for hash_ in await follower.consistency(old, new)]
    root = await asyncio.to_thread(follower.reader.root, old)
    verify_consistency(old=old, new=new, old_root=root, new_root=checkpoint.root, proof=proof)
    async with asyncio.timeout(DEADLINE_S):  # it remembers what it has seen
        while int(firm.guard(1).read_text().split("\n")[1]) < checkpoint.size:
            await follower._news()


async def test_who_closes_leaves_the_lead_to_the_other(firm: Firm) -> None:
    leader, follower = await firm.two()
    first = await leader.append(submission(1))
    late = asyncio.gather(*(follower.append(submission(number)) for number in range(2, 9)))
    await leader.close()
    assert await until_leads(follower) is follower
    assert sorted(receipt.index for receipt in await late) == list(range(1, 8))
    assert await follower.append(submission(1)) == first
    firm.require_sound(8)


async def test_a_leader_whose_session_is_cut_steps_down_or_leads_again(firm: Firm) -> None:
    logs = await firm.two()
    for turn in range(3):
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            for number in range(turn * 20, turn * 20 + 20):
                group.create_task(logs[number % 2].append(submission(number)))
        firm.cut_leader()
        await until_leads(*logs)
    async with asyncio.timeout(DEADLINE_S):
        again = [await logs[number % 2].append(submission(number)) for number in range(60)]
    assert sorted(receipt.index for receipt in again) == list(range(60))
    firm.require_sound(60)


async def test_a_letter_that_was_lost_is_posted_again(firm: Firm) -> None:
    silent = PostgresStore(firm.url)
    silent.open()  # it holds the lock and reads no letters
    follower = await firm.open()
    assert not follower.leads
    late = asyncio.gather(follower.append(submission(1)))
    with psycopg.connect(firm.url, autocommit=True) as connection:
        async with asyncio.timeout(DEADLINE_S):
            while connection.execute("DELETE FROM submission RETURNING 1").fetchone() is None:
                await follower._news()
    assert not late.done()
    silent.close()
    async with asyncio.timeout(DEADLINE_S):
        (receipt,) = await late
    assert receipt.index == 0
    firm.require_sound(1)


async def test_a_follower_does_not_follow_an_older_database(firm: Firm) -> None:
    leader = await firm.open()
    await leader.append(submission(1))
    await leader.seal(0)
    firm.guard(1).write_text(f"{firm.keys.origin}\n7\n{'0' * 64}\n")
    with pytest.raises(GuardError, match="has 1 entries, but 7 were signed"):
        await firm.open()
    assert (await leader.append(submission(2))).index == 1


async def test_a_process_that_joins_brings_a_guard(firm: Firm) -> None:
    leader = await firm.open()
    await leader.append(submission(1))
    await leader.seal(0)
    with pytest.raises(GuardError, match="is missing"):
        await firm.open()
    firm.guard(1).write_bytes(firm.guard(0).read_bytes())
    follower = await firm.open()
    assert (await follower.append(submission(2))).index == 1


async def test_witnesses_are_the_leader_s_to_ask_and_a_follower_knows_what_they_said(
    firm: Firm,
) -> None:
    firm.outside = Outside(firm.keys, firm.clock)
    witness = firm.outside.add("far.example/w")
    leader, follower = await firm.two(timestamped=True)
    assert follower.witnessed is not None
    assert (follower.witnessed.size, follower.witnessed.who) == (0, "")  # nobody has signed
    await follower.append(submission(1))
    async with asyncio.timeout(DEADLINE_S):
        sealed = await follower.seal(0)
        while follower.witnessed is None or follower.witnessed.size < sealed.tree_size:
            await follower._news()
    policy = firm.outside.policy(1)
    assert policy.holds(sealed.checkpoint)
    assert policy.holds(follower.witnessed.note)
    assert (follower.pending, follower.waiting) == (None, 0)
    assert follower.generations == leader.generations
    assert await follower.handovers() == await leader.handovers() == ()
    told = [
        await asyncio.to_thread(log.survey.standing, now=firm.clock.wall)
        for log in (leader, follower)
    ]
    assert told[0] == told[1]
    assert [each.size for each in told[1].followers] == [sealed.tree_size]

    witness.instead = gone
    receipt = await follower.append(submission(2))
    waiting = asyncio.gather(follower.seal(receipt.index))
    async with asyncio.timeout(DEADLINE_S):
        while follower.pending != "witnesses":
            await follower._news()
    assert follower.waiting == 1
    told = [
        await asyncio.to_thread(log.survey.standing, now=firm.clock.wall)
        for log in (leader, follower)
    ]
    assert [each.followers[0].answers for each in told] == [False, True]  # who asks, knows
    assert {each.seals_waiting for each in told} == {1}

    firm.cut_leader()  # whoever leads next asks for what is still wished
    await until_leads(leader, follower)
    witness.instead = None
    async with asyncio.timeout(DEADLINE_S):
        (late,) = await waiting
        while leader.waiting or follower.waiting:
            await follower._news()
    assert policy.holds(late.checkpoint)
    assert follower.pending is None
    firm.require_sound(max(leader.size, follower.size))


async def test_who_leads_no_more_shows_what_it_knew(firm: Firm) -> None:
    leader, follower = await firm.two()
    await leader.append(submission(1))
    await leader.seal(0)
    seen = await leader.checkpoint()
    await leader.close()
    await until_leads(follower)
    assert leader.size == 1
    assert await leader.checkpoint() == seen
    assert leader.generations == follower.generations


async def test_a_database_that_does_not_answer_refuses_the_start(
    tmp_path: Path, keys: LogKeys
) -> None:
    url, guard = "postgresql://someone:hush@127.0.0.1:1/nothing", tmp_path / "guard"
    lead = partial(Log.open, keys=keys, guard=guard, clock=lambda: 0)
    with pytest.raises(StoreError, match="could not open") as caught:
        await SharedLog.open(url, lead=lead, keys=keys, guard=guard, patience_s=0.2)
    assert "hush" not in str(caught.value)


class Overtaken(Follower):
    """A follower's look that is overtaken: its process begins to lead, and signs."""

    def __init__(self, url: str, guard: Guard) -> None:
        super().__init__(url)
        self.guard = guard

    def last_checkpoint(self) -> tuple[int, str] | None:
        self.guard.raise_to(Mark(9, "0" * 64))
        return super().last_checkpoint()


async def test_a_look_that_is_overtaken_by_its_own_process_is_no_old_copy(firm: Firm) -> None:
    leader = await firm.open()
    await leader.append(submission(1))
    await leader.seal(0)
    await leader.close()
    guard = Guard(firm.guard(0), firm.keys.origin)
    overtaken = Overtaken(firm.url, guard)
    try:
        seen = await asyncio.to_thread(recover, overtaken, keys=firm.keys, guard=guard)
        assert seen.state.edge.size == 1
        firm.guard(0).unlink()
        with pytest.raises(StoreError, match="look again"):
            await asyncio.to_thread(recover, overtaken, keys=firm.keys, guard=guard)
        with pytest.raises(GuardError, match="an old copy"):  # but the next one is
            await asyncio.to_thread(recover, overtaken, keys=firm.keys, guard=guard)
    finally:
        overtaken.close()
