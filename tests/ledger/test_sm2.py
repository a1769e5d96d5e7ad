"""The SM2 line under a checkpoint: made, read without the extra, and checked by openssl."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import sm2
from ledger.errors import NoteError
from ledger.note import LogKeys, open_checkpoint, open_note, sign_checkpoint
from ledger.sm2 import Sm2Key, Sm2Verifier

ORIGIN = "office.example/ledger"
ROOT = bytes(range(32))
# Made once with gmssl-pyx 2.1.0, so that reading is tested where the extra is not installed.
VKEY = (
    "office.example/ledger+22c05f60+/0dCL1QgMzI5MTggU00yLVNNMwoNemwr3q431v7W"
    "AnKIBPXz3KmrK9O/AhIrmyDFpuGb/+EMSxxha4a3V0LpybDeMQsMEcDLtj2NJH68Ga7K1XL3"
)

with_extra = pytest.mark.skipif(
    not sm2.available(), reason="the extra farseal[gm] is not installed: no SM2 line is made"
)


@pytest.fixture(scope="module")
def key() -> Sm2Key:
    return Sm2Key.generate(ORIGIN)


@pytest.fixture(scope="module")
def note(key: Sm2Key) -> str:
    keys = replace(LogKeys.generate(ORIGIN), third=key.line)
    return sign_checkpoint(keys, size=7, root=ROOT, at=1_795_442_400_000)


def signature_of(note: str) -> bytes:
    """r || s of the third line."""
    data = b64decode(note.splitlines()[-1].rpartition(" ")[2])
    assert len(data) == 4 + 64
    return data[4:]


def openssl(directory: Path, key: Sm2Key, text: str, signature: bytes) -> bool:
    """Whether Debian's openssl says the signature holds."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    (directory / "key.der").write_bytes(key.pkcs8)
    (directory / "text").write_text(text)
    (directory / "signature").write_bytes(encode_dss_signature(r, s))
    command = (
        *("openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3"),
        *("-inkey", "key.der", "-keyform", "DER", "-in", "text", "-sigfile", "signature"),
        *("-pkeyopt", "distid:1234567812345678"),
    )
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    assert "ignature" in done.stdout, done.stderr
    return done.returncode == 0


@with_extra
def test_a_checkpoint_carries_a_third_line_that_openssl_verifies(
    tmp_path: Path, key: Sm2Key, note: str
) -> None:
    text = note.partition("\n\n")[0] + "\n"
    assert openssl(tmp_path, key, text, signature_of(note))
    assert not openssl(tmp_path, key, text + "\n", signature_of(note))
    assert key.verifier.line_of(note) == "held"


@with_extra
def test_what_openssl_signs_holds(tmp_path: Path, key: Sm2Key) -> None:
    (tmp_path / "key.der").write_bytes(key.pkcs8)
    (tmp_path / "text").write_text("a note\n")
    command = (
        *("openssl", "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", "key.der"),
        *("-keyform", "DER", "-in", "text", "-pkeyopt", "distid:1234567812345678"),
    )
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    signature = b"".join(each.to_bytes(32, "big") for each in decode_dss_signature(done.stdout))
    key.verifier.verify("a note\n", signature)
    with pytest.raises(NoteError, match="does not verify"):
        key.verifier.verify("another\n", signature)


@with_extra
def test_others_ignore_the_line_and_still_require_theirs(key: Sm2Key) -> None:
    keys = LogKeys.generate(ORIGIN)
    made = sign_checkpoint(replace(keys, third=key.line), size=7, root=ROOT, at=1_795_442_400_000)
    assert open_checkpoint(made, keys.verifiers).size == 7
    assert [each.verifier for each in open_note(made, keys.verifiers).signatures] == [
        *keys.verifiers
    ]
    lines = made.splitlines(keepends=True)
    with pytest.raises(NoteError, match="MLDSA44"):
        open_checkpoint("".join(lines[:-2] + lines[-1:]), keys.verifiers)
    assert key.verifier.line_of("".join(lines[:-1])) == "absent"


@with_extra
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_changed_line_or_text_fails(key: Sm2Key, note: str, data: st.DataObject) -> None:
    signature = bytearray(signature_of(note))
    signature[data.draw(st.integers(0, 63))] ^= 1 << data.draw(st.integers(0, 7))
    text = note.partition("\n\n")[0] + "\n"
    with pytest.raises(NoteError):
        key.verifier.verify(text, bytes(signature))
    with pytest.raises(NoteError):
        key.verifier.line_of(note.replace("\n7\n", "\n8\n"))


@with_extra
@pytest.mark.parametrize(
    "signature",
    [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64, bytes(31) + b"\1" + bytes(32)],
)
def test_hostile_signatures_are_refused(key: Sm2Key, signature: bytes) -> None:
    with pytest.raises(NoteError):
        key.verifier.verify("a note\n", signature)


@with_extra
def test_a_key_is_read_as_it_was_written(key: Sm2Key) -> None:
    assert Sm2Key.load(ORIGIN, key.pkcs8) == key
    for damaged in (key.pkcs8[:-1], key.pkcs8 + b"0", b"1" + key.pkcs8[1:], b""):
        with pytest.raises(NoteError):
            Sm2Key.load(ORIGIN, damaged)
    assert Sm2Verifier.parse(key.verifier.vkey) == key.verifier


def test_a_verifier_key_is_read_without_the_extra() -> None:
    verifier = Sm2Verifier.parse(VKEY)
    assert (verifier.name, verifier.vkey) == (ORIGIN, VKEY)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a+b",
        VKEY.replace("office", "other"),
        VKEY[:-4] + "AAAA",
        LogKeys.generate(ORIGIN).verifiers[0].vkey,
        Sm2Verifier.parse(VKEY).vkey + "=",
    ],
)
def test_other_keys_are_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        Sm2Verifier.parse(vkey)


def test_a_point_beside_the_curve_is_no_key() -> None:
    public = Sm2Verifier.parse(VKEY).public
    for other in (bytes(64), public[:63] + bytes([public[63] ^ 1]), public + b"0", b"\xff" * 64):
        with pytest.raises(NoteError, match="no point"):
            Sm2Verifier(ORIGIN, other)


def test_without_the_extra_a_line_is_unchecked_and_no_key_is_made() -> None:
    """In a fresh interpreter that cannot import it."""
    program = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "gmssl_pyx":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from base64 import b64encode
from ledger import sm2
from ledger.errors import MissingError
verifier = sm2.Sm2Verifier.parse({VKEY!r})
line = "\u2014 " + verifier.name + " " + b64encode(verifier.key_id + bytes(64)).decode()
print(sm2.available(), verifier.line_of("x\\n\\n" + line + "\\n"))
try:
    sm2.Sm2Key.generate("x")
except MissingError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "False unchecked"
    assert "farseal[gm]" in second
