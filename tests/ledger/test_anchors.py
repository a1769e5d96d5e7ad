"""What others said is logged back before what comes next; a log in which nothing happens rests."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256

import pytest

from ledger.anchors import (
    COSIGNATURE,
    PACE_MS,
    TIMESTAMP,
    Anchor,
    Stamped,
    anchor_case,
    anchors_of,
)
from ledger.entry import Leaf
from ledger.log import Log
from ledger.note import Checkpoint
from ledger.sealing import DAY_MS, HOUR_MS
from tests.ledger.house import Office, submission
from tests.ledger.test_sealing import World


class Desk:
    """A timestamp authority of few words: tokens say when, and over what."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.given: list[bytes] = []
        self.off_ms = 0
        office.timestamp = self.timestamp
        office.read_token = self.read

    async def timestamp(self, data: bytes) -> bytes:
        at = self.office.clock.wall + self.off_ms
        self.given.append(json.dumps([at, sha256(data).hexdigest()]).encode())
        return self.given[-1]

    def read(self, token: bytes, data: bytes) -> Stamped:
        at, digest = json.loads(token)
        if digest != sha256(data).hexdigest():
            raise ValueError("the token is over something else")
        return Stamped(at, "desk.example")


@pytest.fixture
def desk(office: Office) -> Desk:
    return Desk(office)


async def anchors(log: Log, office: Office) -> list[tuple[int, Anchor]]:
    chain = await log.chain(anchor_case(office.keys.origin))
    return anchors_of(office.keys.origin, [Leaf.parse(leaf) for _, leaf in chain])


async def test_a_token_is_logged_back_in_front_of_the_next_entry(
    office: Office, desk: Desk
) -> None:
    log = await office.open()
    await log.append(submission(1))
    sealed = await log.seal(0)
    assert log.size == 1
    second = await log.append(submission(2))
    ((index, anchor),) = await anchors(log, office)
    assert (index, second.index) == (1, 2)
    token, note = desk.given[0], sealed.checkpoint.encode()
    digests = sha256(token).hexdigest(), sha256(note).hexdigest()
    assert anchor == Anchor(TIMESTAMP, 1, office.clock.wall, "desk.example", *digests)


async def test_every_witness_key_is_logged_back_once(office: Office) -> None:
    world = World(office)
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    async with asyncio.timeout(30):
        while len(world.policy.cosignatures(await log.checkpoint())) < 6:
            await log.leaf(0)
    await log.append(submission(2))
    found = [anchor for _, anchor in await anchors(log, office)]
    assert {anchor.who for anchor in found} == {
        f"{key.name}+{key.key_id.hex()}" for each in world.neighbours for key in each.keys.verifiers
    }
    assert {(a.of, a.size, a.time) for a in found} == {(COSIGNATURE, 1, office.clock.wall)}
    assert len(found) == 6


async def test_an_idle_log_comes_to_rest(office: Office, desk: Desk) -> None:
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.append(submission(2))
    await log.seal(log.size - 1)
    size, tokens = log.size, len(desk.given)
    for _ in range(5):
        office.clock.pass_ms(HOUR_MS)
        await log.pulse()
    assert (log.size, len(desk.given)) == (size, tokens)


async def test_the_heartbeat_of_an_idle_log_is_one_anchor_and_one_token_a_day(
    office: Office, desk: Desk
) -> None:
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    for day in range(1, 4):
        office.clock.pass_ms(DAY_MS)
        for _ in range(3):
            await log.pulse()
        assert (log.size, len(desk.given)) == (1 + day, 1 + day)
    times = [anchor.time for _, anchor in await anchors(log, office)]
    assert times == sorted(set(times))


async def test_a_log_that_grows_is_timestamped_each_hour_without_a_seal(
    office: Office, desk: Desk
) -> None:
    office.tick_s = 0.01
    log = await office.open()
    await log.append(submission(0))
    await log.seal(0)
    desk.given.clear()
    office.clock.pass_ms(HOUR_MS)
    for hour in range(1, 4):
        receipt = await log.append(submission(hour))
        async with asyncio.timeout(30):
            while Checkpoint.unverified(await log.checkpoint()).size < log.size:
                await log.leaf(0)  # its own tick signs it
        await log.pulse()
        await log.pulse()
        assert len(desk.given) == hour
        assert receipt.index < log.size
        office.clock.pass_ms(HOUR_MS)


async def test_anchors_are_at_most_one_of_a_party_in_ten_seconds(
    office: Office, desk: Desk
) -> None:
    log = await office.open()
    for number in range(20):
        receipt = await log.append(submission(number))
        await log.seal(receipt.index)
        office.clock.pass_ms(PACE_MS // 5)
    found = [anchor for _, anchor in await anchors(log, office)]
    assert len(desk.given) == 20
    assert 4 <= len(found) <= 5
    # The others were overtaken: of each party the newest counts.
    assert found[-1].time > found[0].time + 2 * PACE_MS


async def test_a_crash_between_attest_and_anchor_leaves_the_anchor_to_the_next_start(
    office: Office, desk: Desk
) -> None:
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.close()  # the token is kept; nothing was appended, so nothing logged back
    log = await office.open()
    assert log.size == 1
    await log.append(submission(2))
    assert [anchor.size for _, anchor in await anchors(log, office)] == [1]
    await log.close()
    log = await office.open()  # and not a second time
    await log.append(submission(3))
    assert [anchor.size for _, anchor in await anchors(log, office)] == [1]


async def test_a_repeated_submission_brings_no_anchor(office: Office, desk: Desk) -> None:
    log = await office.open()
    first = await log.append(submission(1))
    await log.seal(0)
    assert await log.append(submission(1)) == first
    assert log.size == 1


@pytest.mark.parametrize("off", [-11_000, 301_000, -301_000])
async def test_case_06_a_token_whose_time_cannot_be_is_refused_and_asked_for_again(
    office: Office, desk: Desk, off: int
) -> None:
    """Before the last token by more than ten seconds, or five minutes from the log's clock."""
    log = await office.open()
    await log.append(submission(1))
    await log.seal(0)
    await log.append(submission(2))
    desk.off_ms = off
    async with asyncio.TaskGroup() as group:
        seal = group.create_task(log.seal(log.size - 1))
        async with asyncio.timeout(30):
            while log.pending != "timestamp":
                await log.leaf(0)
        assert not seal.done()
        desk.off_ms = 0
    sealed = seal.result()
    assert sealed.timestamp == desk.given[-1]
    assert len(desk.given) > 2


async def test_a_token_over_something_else_is_refused(office: Office, desk: Desk) -> None:
    log = await office.open()
    await log.append(submission(1))
    wrong = [b"another note"]

    async def careless(data: bytes) -> bytes:
        return await desk.timestamp(wrong.pop() if wrong else data)

    await log.close()
    office.timestamp = careless
    log = await office.open()
    sealed = await log.seal(0)
    assert len(desk.given) == 2
    assert sealed.timestamp == desk.given[1]
