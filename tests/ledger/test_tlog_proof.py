"""Proofs that are carried away: one text per entry, and a whole case."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Leaf, Submission
from ledger.errors import NoteError, ProofError, VerificationError
from ledger.log import Sealed
from ledger.note import LogKeys
from ledger.proof import TlogProof, parse_leaf, verify_case
from tests.ledger.house import Office, submission

CASE = f"{1:032x}"


@pytest.fixture
async def sealed(office: Office) -> Sealed:
    log = await office.open()
    for number in range(21):
        await log.append(submission(number))
    return await log.seal(13)


def proof_of(sealed: Sealed, extra: bytes | None = None) -> TlogProof:
    return TlogProof(sealed.index, sealed.inclusion, sealed.checkpoint, extra)


@pytest.mark.parametrize("extra", [None, b"", b"out of band"])
async def test_a_proof_reads_back_and_holds(
    sealed: Sealed, keys: LogKeys, extra: bytes | None
) -> None:
    proof = proof_of(sealed, extra)
    assert TlogProof.parse(proof.text) == proof
    checkpoint = proof.verify(sealed.leaf, keys.verifiers)
    assert checkpoint.size == 21
    lines = proof.text.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert "index 13" in lines[1:3]
    assert proof.text.endswith("\n\n" + sealed.checkpoint)


async def test_a_proof_of_another_leaf_index_or_log_does_not_hold(
    sealed: Sealed, keys: LogKeys
) -> None:
    proof = proof_of(sealed)
    for wrong, leaf in (
        (proof, sealed.leaf + b" "),
        (replace(proof, index=12), sealed.leaf),
        (replace(proof, index=21), sealed.leaf),
        (replace(proof, inclusion=proof.inclusion[:-1]), sealed.leaf),
        (replace(proof, inclusion=("zz", *proof.inclusion[1:])), sealed.leaf),
    ):
        with pytest.raises(ProofError):
            wrong.verify(leaf, keys.verifiers)
    with pytest.raises(NoteError):
        proof.verify(sealed.leaf, LogKeys.generate(keys.origin).verifiers)
    with pytest.raises(ProofError, match="says it is 13"):
        parse_leaf(sealed.leaf, index=12)
    with pytest.raises(ProofError):
        parse_leaf(b"{}", index=0)


async def test_a_changed_character_never_passes(sealed: Sealed, keys: LogKeys) -> None:
    text = proof_of(sealed).text
    for at in range(0, len(text), 3):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises(VerificationError):
            TlogProof.parse(changed).verify(sealed.leaf, keys.verifiers)


@given(st.text(max_size=200) | st.text(max_size=80).map(lambda t: f"c2sp.org/tlog-proof@v1\n{t}"))
@settings(deadline=None)
def test_hostile_texts_are_refused_without_a_parser_s_exception(text: str) -> None:
    try:
        proof = TlogProof.parse(text)
    except ProofError:
        return
    with pytest.raises(VerificationError):
        proof.verify(b"{}", LogKeys.generate("a.example").verifiers)


@pytest.mark.parametrize(
    "head",
    [
        "index 007",
        "index -1",
        "index 1 ",
        "index",
        "extra ?\nindex 0",
        "index 0\nAAAA",
        "",
        "index 0\n" + "\n".join(["A" * 43 + "="] * 64),
    ],
)
def test_malformed_proofs_are_refused(head: str) -> None:
    with pytest.raises(ProofError):
        TlogProof.parse(f"c2sp.org/tlog-proof@v1\n{head}\n\nnote\n")


@pytest.fixture
async def case(office: Office) -> list[Leaf]:
    log = await office.open()
    for number in range(30):
        office.clock.pass_ms(5)
        await log.append(submission(number, case=number % 3))
    return [Leaf.parse(data) for _, data in await log.chain(CASE)]


async def test_a_whole_case_is_complete(case: list[Leaf]) -> None:
    verify_case(case, case=CASE, count=10)
    verify_case(case[:4], case=CASE)
    verify_case([], case=CASE)


async def test_a_case_with_an_entry_left_out_added_or_moved_is_not(
    case: list[Leaf], office: Office
) -> None:
    log = office.opened[0]
    receipt = await log.append(Submission("test", "f" * 32, "e" * 32, {}))
    stranger = Leaf.parse(await log.leaf(receipt.index))
    for wrong, count in (
        (case[1:], None),
        (case[:4] + case[5:], None),
        ([*case[:4], case[5], case[4], *case[6:]], None),
        ([*case, case[-1]], None),
        ([*case, stranger], None),
        (case[:9], 10),
        (case, 9),
        ([*case[:4], replace(case[4], data=case[4].data + b" "), *case[5:]], None),
        ([*case[:4], replace(case[4], index=case[3].index), *case[5:]], None),
        ([*case[:4], replace(case[4], time=case[3].time - 1), *case[5:]], None),
    ):
        with pytest.raises(ProofError):
            verify_case(wrong, case=CASE, count=count)
