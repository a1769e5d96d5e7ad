"""Asking witnesses: who hangs, lies or is gone harms nobody; who has proof stops the log."""

from __future__ import annotations

import pytest

from ledger.cosigning import Witnesses
from ledger.errors import HistoryError, PolicyError
from ledger.note import Checkpoint, LogKeys, Signature
from ledger.policy import Policy
from ledger.witness import SIZE_TYPE, Answer
from tests.ledger.histories import History
from tests.ledger.outside import Misbehaviour, Outside, always, gone, hang


class Asking:
    """A log with a history, three witnesses, and what they signed."""

    def __init__(self, keys: LogKeys) -> None:
        self.outside = Outside(keys)
        self.log = History(keys)
        self.neighbours = [self.outside.add(f"w{number}.example") for number in range(3)]
        self.witnesses = self.fresh()
        self.signed: list[tuple[Signature, ...]] = []

    def fresh(self, *, timeout_s: float = 2.0) -> Witnesses:
        return Witnesses(
            self.outside.policy(2),
            ask=self.outside.ask,
            log_keys=self.log.keys.verifiers,
            clock=lambda: self.outside.clock.wall,
            timeout_s=timeout_s,
            retry_s=(60.0, 600.0),
        )

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        return tuple(hash_.hex() for hash_ in self.log.tree(new).consistency(old))

    async def root(self, size: int) -> bytes:
        return self.log.root(size)

    async def found(self, signatures: tuple[Signature, ...]) -> None:
        self.signed.append(signatures)

    async def round(self, size: int) -> set[str]:
        """Ask about a size; the names of those who signed it with both keys."""
        self.signed.clear()
        await self.witnesses.round(self.log.note(size), self, self.found)
        text = Checkpoint.unverified(self.log.note(size)).text
        for signatures in self.signed:
            assert len(signatures) == 2
            for each in signatures:
                assert each.verifier.verify(text, each.data) == each.time
        return {signatures[0].verifier.name for signatures in self.signed}


@pytest.fixture
def asking(keys: LogKeys) -> Asking:
    return Asking(keys)


ALL = {"w0.example", "w1.example", "w2.example"}


async def test_everybody_signs_each_checkpoint_once(asking: Asking) -> None:
    for size in (0, 1, 5, 200):
        assert asking.witnesses.pause(size) == 0
        assert await asking.round(size) == ALL
        assert asking.witnesses.pause(size) is None
        assert await asking.round(size) == set()
    # It knows where they stand: one request for each checkpoint, none to find out.
    assert all(len(each.asked) == 4 for each in asking.neighbours)


async def test_after_a_restart_it_begins_where_they_stand(asking: Asking) -> None:
    await asking.round(7)
    asking.witnesses = asking.fresh()
    assert await asking.round(7) == ALL
    asking.witnesses = asking.fresh()
    assert await asking.round(9) == ALL


LIES: list[tuple[Misbehaviour, str]] = [
    (gone, "refused"),
    (always(500, b"<html>"), "500"),
    (always(404, b""), "404"),
    (always(403, b""), "403"),
    (always(400, b""), "400"),
    (always(200, b""), "no use"),
    (always(200, b"x" * 5_000_000), "too long"),
    (always(409, b"0\n", SIZE_TYPE), "refuses the size it stands at, 0"),
    (always(409, b"00\n", SIZE_TYPE), "named no size"),
    (always(409, b"9000\n", SIZE_TYPE), "says it has cosigned 9000"),
    (always(422, b"never\n"), "disputes our history: never"),
]


@pytest.mark.parametrize(("lie", "why"), LIES, ids=[why for _, why in LIES])
async def test_case_08_witness_lies_and_is_left_alone_for_a_while(
    asking: Asking, lie: Misbehaviour, why: str
) -> None:
    liar = asking.neighbours[1]
    liar.instead = lie
    assert await asking.round(5) == ALL - {"w1.example"}
    peer = asking.witnesses.peers[1]
    assert peer.trouble is not None
    assert why in peer.trouble
    assert 59 < (asking.witnesses.pause(5) or 0) <= 60
    liar.instead, count = None, len(liar.asked)
    assert await asking.round(6) == ALL - {"w1.example"}
    assert len(liar.asked) == count
    peer.retry_at = 0
    assert await asking.round(6) == {"w1.example"}
    assert peer.trouble is None


async def test_case_08_witness_hangs_and_costs_its_deadline_and_no_more(asking: Asking) -> None:
    asking.neighbours[0].instead = hang
    asking.witnesses = asking.fresh(timeout_s=0.05)
    assert await asking.round(5) == ALL - {"w0.example"}
    assert asking.witnesses.peers[0].trouble == "no answer in time"


async def test_case_08_witness_names_rising_sizes_and_that_ends(asking: Asking) -> None:
    told = iter(range(1, 1000))

    async def rising(url: str, body: bytes | None) -> Answer:
        return Answer(409, f"{next(told)}\n".encode(), SIZE_TYPE)

    asking.neighbours[2].instead = rising
    assert await asking.round(200) == ALL - {"w2.example"}
    assert asking.witnesses.peers[2].trouble == "it names one size after another"
    assert next(told) == 5


async def test_a_witness_that_has_lost_its_memory_does_not_count(asking: Asking) -> None:
    await asking.round(7)
    asking.neighbours[0].memory.rows.clear()
    for size in (9, 11):
        asking.witnesses.peers[0].retry_at = 0
        assert await asking.round(size) == ALL - {"w0.example"}
        assert "forgotten" in str(asking.witnesses.peers[0].trouble)


async def test_the_wait_doubles_and_ends(asking: Asking) -> None:
    asking.neighbours[0].instead = gone
    peer, waits = asking.witnesses.peers[0], []
    for _ in range(6):
        await asking.round(3)
        waits.append(peer.wait_s)
        peer.retry_at = 0
    assert waits == [60, 120, 240, 480, 600, 600]


@pytest.mark.parametrize("size", [9, 12, 14])
async def test_case_08_witness_with_proof_stops_the_log(
    asking: Asking, keys: LogKeys, size: int
) -> None:
    """Somebody with the log's keys has signed another history: shorter, longer, as long as ours."""
    asking.log = History(keys, "b", fork=4)
    await asking.round(12)
    asking.log = History(keys)
    asking.witnesses = asking.fresh()
    with pytest.raises(HistoryError, match="another process writes this log") as error:
        await asking.round(size)
    assert History(keys, "b", fork=4).note(12).split("\n")[2] in str(error.value)
    with pytest.raises(HistoryError):
        await asking.fresh().require_known(asking.log.note(size), asking, asking.found)


async def test_a_rolled_back_log_is_told_by_what_it_signed_before(asking: Asking) -> None:
    await asking.round(12)
    with pytest.raises(HistoryError, match=r"of 12 entries .*does not have"):
        await asking.fresh().require_known(asking.log.note(9), asking, asking.found)


@pytest.mark.parametrize("lie", [always(409, b"9000\n", SIZE_TYPE), always(422, b"never\n")])
async def test_a_claim_without_proof_keeps_a_log_from_starting(
    asking: Asking, lie: Misbehaviour
) -> None:
    asking.neighbours[1].instead = lie
    with pytest.raises(HistoryError, match=r"shows no proof.*take it out of the policy"):
        await asking.witnesses.require_known(asking.log.note(5), asking, asking.found)


async def test_a_claim_beside_a_checkpoint_we_have_is_no_proof(asking: Asking) -> None:
    """It shows our own old checkpoint and says there were more."""
    await asking.round(3)
    neighbour = asking.neighbours[0]

    async def boast(url: str, body: bytes | None) -> Answer:
        if body is None:
            return neighbour.witness.checkpoint(url.split("/")[3])
        return Answer(409, b"9000\n", SIZE_TYPE)

    neighbour.instead = boast
    assert await asking.round(5) == ALL - {"w0.example"}
    assert "shows a checkpoint we have" in str(asking.witnesses.peers[0].trouble)


async def test_those_who_are_away_do_not_keep_a_log_from_starting(asking: Asking) -> None:
    asking.neighbours[0].instead = gone
    asking.neighbours[1].instead = always(500, b"")
    asking.neighbours[2].instead = hang
    asking.witnesses = asking.fresh(timeout_s=0.05)
    await asking.witnesses.require_known(asking.log.note(5), asking, asking.found)
    assert asking.signed == []


def test_a_policy_nobody_can_meet_is_refused(asking: Asking) -> None:
    vkey = asking.neighbours[0].keys.verifiers[0].vkey
    with pytest.raises(PolicyError, match="no address"):
        Witnesses(
            Policy.parse(f"witness a {vkey}\nquorum a\n".encode()),
            ask=gone,
            log_keys=asking.log.keys.verifiers,
            clock=lambda: 0,
        )
