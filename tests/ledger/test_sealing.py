"""Sealing with the outside: witnesses' quorum, then a token over it; closed while it is away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from ledger.cosigning import Witnesses
from ledger.errors import ClosedError, HistoryError
from ledger.log import Log
from ledger.note import Checkpoint, LogKeys, open_checkpoint
from ledger.policy import Policy
from ledger.proof import TlogProof
from ledger.sealing import Paced
from ledger.sqlite import SqliteStore
from ledger.witness import Answer
from tests.ledger.house import Office, submission
from tests.ledger.outside import Neighbour, Outside, always, gone, hang


class World:
    """An office, three witnesses of which two must sign, and a timestamp authority."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.outside = Outside(office.keys, office.clock)
        self.neighbours = [self.outside.add(f"w{number}.example") for number in range(3)]
        self.policy = self.outside.policy(2)
        self.no_authority = False
        self.stamped: list[bytes] = []
        office.witnesses = self.witnesses
        office.timestamp = self.timestamp

    def witnesses(self) -> Witnesses:
        return Witnesses(
            self.policy,
            ask=self.outside.ask,
            log_keys=self.office.keys.verifiers,
            clock=lambda: self.office.clock.wall,
            timeout_s=60.0,
            retry_s=(0.01, 0.02),
        )

    async def timestamp(self, data: bytes) -> bytes:
        if self.no_authority:
            raise OSError("no authority")
        self.stamped.append(data)
        return b"token over " + data[-40:]

    def away(self) -> None:
        for each in self.neighbours:
            each.instead = gone

    def back(self) -> None:
        for each in self.neighbours:
            each.instead = None


@pytest.fixture
def world(office: Office) -> World:
    return World(office)


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()


async def test_a_seal_carries_the_quorum_and_a_token_over_it(world: World, keys: LogKeys) -> None:
    log = await world.office.open()
    receipt = await log.append(submission(1))
    sealed = await log.seal(receipt.index)
    assert world.policy.holds(sealed.checkpoint)
    assert open_checkpoint(sealed.checkpoint, keys.verifiers).size == 1
    assert sealed.timestamp == b"token over " + sealed.checkpoint.encode()[-40:]
    assert world.stamped == [sealed.checkpoint.encode()]
    proof = TlogProof.parse(TlogProof(0, sealed.inclusion, sealed.checkpoint).text)
    assert proof.verify(sealed.leaf, keys.verifiers).size == 1
    assert world.policy.holds(proof.checkpoint)
    # The same for ever, whoever signs it afterwards; and everybody sees it.
    assert await log.seal(0) == sealed
    assert world.policy.holds(await log.checkpoint())
    await log.close()
    log = await world.office.open()
    assert await log.seal(0) == sealed
    assert world.policy.holds(await log.checkpoint())
    assert world.stamped == [sealed.checkpoint.encode()]


async def test_all_witnesses_of_a_checkpoint_are_shown_with_it(world: World) -> None:
    log = await world.office.open()
    await log.append(submission(1))
    await log.seal(0)
    async with asyncio.timeout(30):
        while len(world.policy.cosignatures(await log.checkpoint())) < 6:
            await log.leaf(0)  # the third answers when it does
    text = Checkpoint.unverified(await log.checkpoint()).text
    assert text.split("\n")[1] == "1"


async def test_appends_do_not_wait_and_seals_fail_closed(world: World) -> None:
    log = await world.office.open()
    world.away()
    world.outside.busy.clear()
    receipt = await log.append(submission(1))
    async with asyncio.TaskGroup() as group:
        seals = [group.create_task(log.seal(receipt.index)) for _ in range(5)]
        for _ in range(3):  # asked, and asked again
            await until(world.outside.busy)
            world.outside.busy.clear()
        await log.append(submission(2))
        assert log.pending == "witnesses"
        assert not any(seal.done() for seal in seals)
        assert world.stamped == []
        world.neighbours[2].instead = None
        await until(world.outside.busy)
        assert not any(seal.done() for seal in seals)  # one of three is not enough
        world.back()
    assert len({seal.result() for seal in seals}) == 1
    assert len(world.stamped) == 1
    assert world.policy.holds(seals[0].result().checkpoint)
    assert log.pending is None


async def test_one_that_hangs_keeps_no_quorum_waiting(world: World) -> None:
    """The deadline here is a minute: what is sealed was not waiting for it."""
    log = await world.office.open()
    world.neighbours[0].instead = hang
    async with asyncio.timeout(30):
        await log.append(submission(1))
        sealed = await log.seal(0)
    names = {each.verifier.name for each in world.policy.cosignatures(sealed.checkpoint)}
    assert names == {"w1.example", "w2.example"}
    await log.close()  # nor does it keep the log from closing


async def test_seals_that_wait_for_an_authorities_turn_share_its_token(world: World) -> None:
    world.office.timestamp = Paced(world.timestamp, pace_s=1.0)
    log = await world.office.open()
    await log.append(submission(1))
    await log.seal(0)
    for number in (2, 3, 4):
        await log.append(submission(number))
    async with asyncio.timeout(30):
        sealed = await asyncio.gather(*(log.seal(index) for index in range(1, log.size)))
    assert len(world.stamped) == 2
    assert len({each.timestamp for each in sealed}) == 1


async def test_an_authority_is_left_alone_in_the_long_run_however_many_ask() -> None:
    now = [100.0]

    async def ask(data: bytes) -> bytes:
        return data

    paced = Paced(ask, pace_s=10, at_once=3, monotonic=lambda: now[0])
    waits = []
    for _ in range(6):
        waits.append(paced.wait_s)
        now[0] += paced.wait_s
        await paced(b"")
    assert waits == [0, 0, 0, 10, 10, 10]
    now[0] += 20
    assert paced.wait_s == 0
    await paced(b"")
    await paced(b"")
    assert paced.wait_s == 10
    now[0] += 1e6  # however long it was left alone, no more than three follow at once
    for _ in range(3):
        await paced(b"")
    assert paced.wait_s == 10


async def test_no_quorum_no_seal(world: World) -> None:
    world.neighbours[0].instead = always(500, b"")
    world.neighbours[1].instead = always(404, b"")
    log = await world.office.open()
    await log.append(submission(1))
    async with asyncio.TaskGroup() as group:
        seal = group.create_task(refused(log, ClosedError))
        await until(world.outside.busy)
        await log.close()
    assert seal.result()
    assert world.stamped == []


async def refused(log: Log, kind: type[Exception]) -> bool:
    with pytest.raises(kind):
        await log.seal(0)
    return True


async def test_without_an_authority_the_quorum_is_not_enough(world: World) -> None:
    world.no_authority = True
    log = await world.office.open()
    await log.append(submission(1))
    async with asyncio.TaskGroup() as group:
        seal = group.create_task(log.seal(0))
        async with asyncio.timeout(30):
            while log.pending != "timestamp":
                await log.leaf(0)
        assert not seal.done()
        world.no_authority = False
    assert world.policy.holds(seal.result().checkpoint)


async def test_many_seals_under_load_meet_on_few_checkpoints(world: World) -> None:
    log = await world.office.open()

    async def one(number: int) -> None:
        receipt = await log.append(submission(number))
        sealed = await log.seal(receipt.index)
        assert sealed.tree_size > receipt.index
        assert world.policy.holds(sealed.checkpoint)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(one(number))
    assert 1 <= len(world.stamped) <= 60


# -- from before, and from elsewhere --------------------------------------------------------------


async def test_what_was_sealed_before_there_were_witnesses_is_sealed_anew(world: World) -> None:
    world.office.witnesses = None
    log = await world.office.open()
    await log.append(submission(1))
    before = await log.seal(0)
    assert log.witnessed_from is None
    assert world.policy.cosignatures(before.checkpoint) == ()
    await log.close()
    world.office.witnesses = world.witnesses
    log = await world.office.open()
    await log.append(submission(2))
    sealed = await log.seal(0)
    assert world.policy.holds(sealed.checkpoint)
    assert log.witnessed_from == sealed.tree_size


async def test_a_stricter_policy_is_held_against_old_seals(world: World) -> None:
    log = await world.office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.close()
    world.neighbours.append(world.outside.add("w3.example"))
    lines = world.outside.policy(2).text.splitlines()
    needed = ["group all4 all enough w3.example", "quorum all4"]
    kept = [line.replace(" w3.example", "") if "enough" in line else line for line in lines[:-1]]
    world.policy = Policy.parse("\n".join([*kept, *needed]).encode())
    log = await world.office.open()
    await log.append(submission(2))
    assert world.policy.holds((await log.seal(0)).checkpoint)


@pytest.fixture
async def rolled_back(world: World, tmp_path: Path) -> World:
    """An office whose database and guard are those of three entries ago."""
    log = await world.office.open()
    for number in range(4):
        await log.append(submission(number))
    await log.seal(3)
    await log.close()
    names = [world.office.database.name, world.office.guard.parent.name]
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copy(world.office.database, backup / names[0])
    shutil.copytree(world.office.guard.parent, backup / names[1])
    log = await world.office.open()
    for number in range(4, 7):
        await log.append(submission(number))
    await log.seal(6)
    await log.close()
    for stale in world.office.directory.glob("ledger.db*"):
        stale.unlink()
    shutil.copy(backup / names[0], world.office.database)
    shutil.rmtree(world.office.guard.parent)
    shutil.copytree(backup / names[1], world.office.guard.parent)
    return world


async def test_case_02_rollback_guard_and_all_is_refused_by_a_witness(rolled_back: World) -> None:
    world = rolled_back
    mark = world.office.guard.read_bytes()
    with pytest.raises(HistoryError, match=r"of \d+ entries.*\(4 entries\).*restore the newest"):
        await world.office.open()
    assert world.office.guard.read_bytes() == mark  # nothing was signed


async def test_case_02_rollback_grown_past_the_old_size_is_refused_too(
    rolled_back: World,
) -> None:
    world = rolled_back
    world.office.witnesses = None
    log = await world.office.open()
    for number in range(100, 120):
        await log.append(submission(number))
    await log.close()
    world.office.witnesses = world.witnesses
    with pytest.raises(HistoryError, match=r"of \d+ entries"):
        await world.office.open()


async def test_one_witness_at_home_is_enough_to_be_found_out(rolled_back: World) -> None:
    world = rolled_back
    world.away()
    world.neighbours[1].instead = None
    with pytest.raises(HistoryError, match=r"https://w1\.example"):
        await world.office.open()


async def test_an_empty_database_under_known_keys_is_refused(world: World, tmp_path: Path) -> None:
    log = await world.office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.close()
    other = Office(tmp_path / "other", world.office.keys, witnesses=world.witnesses)
    other.directory.mkdir()
    with pytest.raises(HistoryError, match="of 1 entries"):
        await other.open()
    store = SqliteStore(other.database)
    assert store.last_checkpoint() is None
    assert not other.guard.exists()
    store.close()


async def test_case_03_fork_of_two_processes_with_one_key_the_second_stops(
    world: World, tmp_path: Path
) -> None:
    """A copy of a running office, started elsewhere: neither guard nor lock can know of it."""
    log = await world.office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.close()
    twin = World(Office(tmp_path / "twin", world.office.keys, world.office.clock))
    shutil.copytree(world.office.directory, twin.office.directory)
    twin.outside, twin.neighbours, twin.policy = world.outside, world.neighbours, world.policy
    log, other = await world.office.open(), await twin.office.open()
    await log.append(submission(2))
    await log.seal(1)
    await other.append(submission(3))
    with pytest.raises(HistoryError, match="another process writes this log"):
        await other.seal(1)
    for asked in (other.append(submission(4)), other.seal(0), other.leaf(0)):
        with pytest.raises(HistoryError):
            await asked
    marked = twin.office.guard.read_text()
    await other.close()
    assert twin.office.guard.read_text() == marked  # a log that has stopped signs no last one
    fifth = await log.append(submission(5))
    assert (await log.seal(fifth.index)).tree_size == fifth.index + 1


# -- crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
async def test_a_crash_before_or_after_a_witness_signs_is_nothing(
    world: World, signed: bool
) -> None:
    """The log dies while it asks; the witnesses have recorded the checkpoint, or have not."""
    log = await world.office.open()
    reached = asyncio.Event()

    def dying(neighbour: Neighbour) -> None:
        async def answer(url: str, body: bytes | None) -> Answer:
            if signed and body is not None:
                neighbour.witness.add_checkpoint(body)
            reached.set()
            return await hang(url, body)

        neighbour.instead = answer

    for each in world.neighbours:
        dying(each)
    await log.append(submission(1))
    async with asyncio.TaskGroup() as group:
        group.create_task(refused(log, ClosedError))
        await until(reached)
        await log.close()
    world.back()
    log = await world.office.open()
    assert world.policy.holds((await log.seal(0)).checkpoint)
