"""What a log makes of a witness's answers: a cosignature, a size, or no use at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import NoteError, WitnessError
from ledger.note import MAX_SIZE, Checkpoint, Cosigner, open_note, timed_message, write_line
from ledger.witness import (
    MAX_ANSWER_BYTES,
    SIZE_TYPE,
    Answer,
    Cosigned,
    Disputed,
    Stands,
    read_answer,
)
from tests.ledger.house import NOON

COSIGNER = Cosigner.generate("witness.example/w1")
TEXT = Checkpoint("office.example/ledger", 7, bytes(range(32))).text
STRANGERS = [Cosigner.generate(f"stranger{number}.example") for number in range(8)]


def read(answer: Answer, *, at: int = NOON) -> Cosigned | Stands:
    return read_answer(answer, text=TEXT, verifiers=COSIGNER.verifiers, at=at)


def lines(cosigner: Cosigner = COSIGNER, *, text: str = TEXT, at: int = NOON) -> str:
    return cosigner.cosign(text, at=at)


def test_known_lines_are_taken_and_sixteen_others_ignored() -> None:
    strangers = "".join(lines(stranger) for stranger in STRANGERS)
    body = strangers + lines() + lines(Cosigner.generate(COSIGNER.name))
    answer = read(Answer(200, body.encode()))
    assert isinstance(answer, Cosigned)
    assert "".join(each.line for each in answer.signatures) == lines().split("\n")[0] + "\n" + (
        answer.signatures[1].line
    )
    assert [each.verifier for each in answer.signatures] == [*COSIGNER.verifiers]


@pytest.mark.parametrize(("body", "size"), [(b"0\n", 0), (b"7\n", 7), (b"9000\n", 9000)])
def test_a_size_is_read(body: bytes, size: int) -> None:
    assert read(Answer(409, body, SIZE_TYPE)) == Stands(size)


def test_a_dispute_is_told_apart() -> None:
    with pytest.raises(Disputed, match="our history: no"):
        read(Answer(422, b"no\n"))


ED25519, MLDSA44 = lines().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(200, b""), "no use"),
        (Answer(200, b"\n"), "no use"),
        (Answer(200, b"7\n"), "no use"),
        (Answer(200, lines(STRANGERS[0]).encode()), "no known key"),
        (Answer(200, lines(Cosigner.generate(COSIGNER.name)).encode()), "no known key"),
        (Answer(200, lines(text=TEXT.replace("\n7\n", "\n8\n")).encode()), "does not verify"),
        (Answer(200, ED25519.replace("\n", "\r\n").encode()), "control"),
        (Answer(200, ED25519.rstrip().encode()), "no use"),
        (Answer(200, ED25519.replace("\u2014", "-").encode()), "no use"),
        (Answer(200, (ED25519[:60] + "A" + ED25519[61:]).encode()), "no use|not verify|time"),
        (Answer(200, f"{TEXT}\n{ED25519}".encode()), "no use"),
        (Answer(200, f"{ED25519}\n{MLDSA44}".encode()), "no use"),
        (Answer(200, b"\xff\xfe"), "no use"),
        (Answer(200, (ED25519 * 65).encode()), "no use"),
        (Answer(200, b"x" * 5_000_000), "too long"),
        (Answer(409, b"x" * 5_000_000, SIZE_TYPE), "too long"),
        (Answer(409, b"7\n", "text/plain"), "named no size"),
        (Answer(409, b"7", SIZE_TYPE), "named no size"),
        (Answer(409, b"07\n", SIZE_TYPE), "named no size"),
        (Answer(409, b"7\r\n", SIZE_TYPE), "named no size"),
        (Answer(409, b"7\n\n", SIZE_TYPE), "named no size"),
        (Answer(409, b"-7\n", SIZE_TYPE), "named no size"),
        (Answer(409, "\u0667\n".encode(), SIZE_TYPE), "named no size"),
        (Answer(409, b"%d\n" % (MAX_SIZE + 1), SIZE_TYPE), "named no size"),
        (Answer(404, b"no such log"), "404"),
        (Answer(403, b"\x1b[31mbad\nkey"), r"403: \\x1b\[31mbad\\nkey"),
        (Answer(400, b"?"), "400"),
        (Answer(500, b"<html>"), "500"),
        (Answer(302, b""), "302"),
    ],
)
def test_an_answer_of_no_use_is_refused(answer: Answer, why: str) -> None:
    with pytest.raises(WitnessError, match=why):
        read(answer)


@pytest.mark.parametrize("off_s", [-86_400, -301, 301, 86_400])
def test_a_cosignature_of_another_time_is_refused(off_s: int) -> None:
    with pytest.raises(WitnessError, match="is not now"):
        read(Answer(200, lines(at=NOON + off_s * 1000).encode()))


@pytest.mark.parametrize("off_s", [-299, 0, 299])
def test_a_clock_may_be_a_little_off(off_s: int) -> None:
    assert isinstance(read(Answer(200, lines(at=NOON + off_s * 1000).encode())), Cosigned)


def test_a_time_that_cannot_be_is_refused() -> None:
    for time in (0, 2**63):
        line = write_line(
            COSIGNER.verifiers[0],
            time.to_bytes(8, "big") + COSIGNER.ed25519.sign(timed_message(time, TEXT)),
        )
        with pytest.raises(WitnessError, match=r"time"):
            read(Answer(200, line.encode()), at=time * 1000)
        if time:
            with pytest.raises(NoteError, match="cannot be"):
                open_note(f"{TEXT}\n{line}", COSIGNER.verifiers)


def octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@given(
    st.integers(0, 999),
    st.binary(max_size=400) | st.text(max_size=200).map(octets),
    st.sampled_from([SIZE_TYPE, "text/plain", "", "application/json"]),
)
@settings(max_examples=300)
def test_no_answer_raises_a_parser_s_exception(status: int, body: bytes, media: str) -> None:
    try:
        answer = read(Answer(status, body, media))
    except WitnessError:
        return
    assert isinstance(answer, Stands)
    assert status == 409


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_of_a_cosignature_never_counts(data: st.DataObject) -> None:
    raw = bytearray(ED25519.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(WitnessError):
        read(Answer(200, bytes(raw)))


def test_an_answer_of_the_longest_lines_fits() -> None:
    strangers = "".join(lines(stranger) for stranger in STRANGERS)
    assert len((strangers + lines()).encode()) < MAX_ANSWER_BYTES
