"""Signed notes: other logs' notes verify here; ours do by an independent reading of the spec."""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import NoteError
from ledger.note import (
    Checkpoint,
    LogKeys,
    Verifier,
    open_checkpoint,
    open_note,
    sign_checkpoint,
)
from tests.ledger.house import NOON, vectors

ROOT = bytes(range(32))


@pytest.fixture
def note(keys: LogKeys) -> str:
    return sign_checkpoint(keys, size=7, root=ROOT, at=NOON)


def test_every_published_note_verifies_and_none_with_a_byte_changed() -> None:
    notes = json.loads(vectors("notes.json").read_text())
    assert len(notes) == 23
    for published in notes:
        verifier = Verifier.parse(published["vkey"])
        assert verifier.vkey == published["vkey"]
        opened = open_note(published["note"], [verifier])
        assert opened.signatures[0].verifier == verifier
        with pytest.raises(NoteError):
            open_note("X" + published["note"][1:], [verifier])


def test_a_checkpoint_reads_back(keys: LogKeys, note: str) -> None:
    checkpoint = open_checkpoint(note, keys.verifiers)
    assert checkpoint == Checkpoint(keys.origin, 7, ROOT)
    lines = note.split("\n")
    assert lines[:4] == [keys.origin, "7", b64encode(ROOT).decode(), ""]
    assert [line.split(" ")[:2] for line in lines[4:6]] == [["\u2014", keys.origin]] * 2
    assert lines[6:] == [""]


def test_the_mldsa_line_is_the_cosignature_of_the_specification(keys: LogKeys, note: str) -> None:
    """C2SP tlog-cosignature, put together here by hand."""
    data = b64decode(note.split("\n")[5].split(" ")[2])
    key_id, time, signature = data[:4], struct.unpack(">Q", data[4:12])[0], data[12:]
    public = keys.mldsa44.public_key()
    vkey = keys.verifiers[1].vkey
    assert vkey.split("+", 2)[1] == key_id.hex()
    assert b64decode(vkey.split("+", 2)[2]) == b"\x06" + public.public_bytes_raw()
    assert time == NOON // 1000
    name = keys.origin.encode()
    message = (
        b"subtree/v1\n\0"
        + bytes([len(name)])
        + name
        + struct.pack(">Q", time)
        + bytes([len(name)])
        + name
        + struct.pack(">QQ", 0, 7)
        + ROOT
    )
    public.verify(signature, message)
    with pytest.raises(InvalidSignature):
        public.verify(signature, message[:-1] + b"\xff")


def test_neither_of_the_log_s_signatures_can_be_stripped(keys: LogKeys, note: str) -> None:
    lines = note.split("\n")
    for stripped in (lines[:4] + lines[5:], lines[:5] + lines[6:]):
        with pytest.raises(NoteError, match="signature is missing"):
            open_checkpoint("\n".join(stripped), keys.verifiers)
        open_note("\n".join(stripped), keys.verifiers)


def test_case_09_unknown_lines_are_ignored_and_known_ones_are_not(keys: LogKeys, note: str) -> None:
    stranger = LogKeys.generate("witness.example")
    line = sign_checkpoint(stranger, size=7, root=ROOT, at=NOON).split("\n")[4]
    many = note + f"{line}\n" * 16
    assert open_checkpoint(many, keys.verifiers).size == 7
    # The right name with a key we do not know is a stranger too (rotation, or a collision).
    twin = LogKeys.generate(keys.origin)
    line = sign_checkpoint(twin, size=7, root=ROOT, at=NOON).split("\n")[4]
    assert open_checkpoint(f"{note}{line}\n", keys.verifiers).size == 7
    with pytest.raises(NoteError, match="no known key"):
        open_note(note, twin.verifiers)
    # A known key's line that fails spoils the note, however many others hold.
    other = sign_checkpoint(keys, size=8, root=ROOT, at=NOON).split("\n")[4]
    with pytest.raises(NoteError, match="does not verify"):
        open_checkpoint(f"{note}{other}\n", keys.verifiers)


@given(st.data())
@settings(deadline=None)
def test_a_flipped_byte_never_opens(keys: LogKeys, data: st.DataObject) -> None:
    note = sign_checkpoint(keys, size=7, root=ROOT, at=NOON)
    raw = bytearray(note.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 6))
    try:
        changed = raw.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(NoteError):
        open_checkpoint(changed, keys.verifiers)


def hostile(note: str) -> list[str]:
    text, signatures = note.split("\n\n")
    name, _, root = text.split("\n")
    return [
        "",
        "\n",
        note.replace("\n", "\r\n"),
        note.rstrip("\n"),
        note.replace("\n\n", "\n"),
        f"{text}\n\n",
        f"{text}\n\n{signatures}\n",
        f"{text}\n\n{signatures.replace(chr(0x2014), '-')}",
        f"{text}\n\n{signatures.replace('=', '')}",
        f"{name}\n07\n{root}\n\n{signatures}",
        f"{name}\n+7\n{root}\n\n{signatures}",
        f"{name}\n7\n{root}\nextension\n\n{signatures}",
        f"{name}\n7\n{root[:-4]}\n\n{signatures}",
        f"{text}\n\n" + "\u2014 a AAAAAAA=\n" * 65,
        f"{text}\n\n\u2014 a b \n",
        note + "\x00",
        "x" * 300_000 + note,
        f"\ud800{note}",
    ]


@pytest.mark.parametrize("number", range(18))
def test_case_09_malformed_note_is_refused_without_a_parser_s_exception(
    keys: LogKeys, note: str, number: int
) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(hostile(note)[number], keys.verifiers)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+",
        "name+00000000+????",
        "na me+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ],
)
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(vkey)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "x" * 256])
def test_an_origin_that_no_note_can_carry_is_refused(origin: str) -> None:
    with pytest.raises(NoteError):
        LogKeys.generate(origin)


def test_private_keys_do_not_print(keys: LogKeys) -> None:
    assert "PrivateKey" not in repr(keys)


# -- nasty case 9 of the design, by its names ---------------------------------------------------


@pytest.mark.parametrize("count", [16, 62])
def test_case_9_unknown_lines_are_ignored_up_to_the_limit(
    keys: LogKeys, note: str, count: int
) -> None:
    """C2SP signed-note: at least 16 unknown lines must be borne; we bear 64 lines in all."""
    strangers = "".join(
        f"\u2014 stranger{number}.example {b64encode(bytes([number] * 68)).decode()}\n"
        for number in range(count)
    )
    text, lines = note.split("\n\n")
    for many in (f"{note}{strangers}", f"{text}\n\n{strangers}{lines}"):
        assert open_checkpoint(many, keys.verifiers) == Checkpoint(keys.origin, 7, ROOT)


def test_case_9_more_lines_than_the_limit_are_refused(keys: LogKeys, note: str) -> None:
    line = f"\u2014 stranger.example {b64encode(bytes(68)).decode()}\n"
    with pytest.raises(NoteError, match="too many"):
        open_checkpoint(note + line * 63, keys.verifiers)


def test_case_9_the_right_name_with_a_wrong_id_counts_for_nothing(keys: LogKeys, note: str) -> None:
    """Good signatures whose lines name another id are a stranger's: the id is part of the key."""
    text, lines = note.split("\n\n")
    renamed = []
    for line in lines.splitlines():
        dash, name, data = line.split(" ")
        raw = b64decode(data)
        other = bytes([raw[0] ^ 1]) + raw[1:]
        renamed.append(f"{dash} {name} {b64encode(other).decode()}\n")
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(f"{text}\n\n{''.join(renamed)}", keys.verifiers)
    # Beside the good lines they are strangers like any others.
    assert open_checkpoint(note + "".join(renamed), keys.verifiers).size == 7
    # The right id under a wrong name is a stranger too.
    moved = lines.replace(keys.origin, "elsewhere.example/log")
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(f"{text}\n\n{moved}", keys.verifiers)


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n\r"])
def test_case_9_carriage_returns_are_refused_wherever_they_stand(
    keys: LogKeys, note: str, ending: str
) -> None:
    """They would be a second spelling of what was signed."""
    for at in [at for at, character in enumerate(note) if character == "\n"]:
        with pytest.raises(NoteError):
            open_checkpoint(note[:at] + ending + note[at + 1 :], keys.verifiers)


@pytest.mark.parametrize(
    "size", ["07", "00", "-0", "+7", " 7", "7 ", "７", "0x7", "7.0", "1e1", ""]
)
def test_case_9_a_size_has_one_spelling(keys: LogKeys, size: str) -> None:
    """Also when the log's own key has signed another: both lines are over this very text."""
    text = f"{keys.origin}\n{size}\n{b64encode(ROOT).decode()}\n"
    line = b64encode(keys.verifiers[0].key_id + keys.ed25519.sign(text.encode())).decode()
    signed = f"{text}\n\u2014 {keys.origin} {line}\n"
    with pytest.raises(NoteError, match=r"not a tree's size|not a checkpoint"):
        open_checkpoint(signed, keys.verifiers[:1])


def test_case_9_a_line_given_twice_is_one_signature(keys: LogKeys, note: str) -> None:
    text, lines = note.split("\n\n")
    first, second = (f"{line}\n" for line in lines.splitlines())
    assert open_checkpoint(f"{text}\n\n{first}{first}{second}{second}", keys.verifiers).size == 7
    with pytest.raises(NoteError, match="signature is missing"):
        open_checkpoint(f"{text}\n\n{first}{first}", keys.verifiers)
