"""What a rehearsal leaves, judged by our verifier, by other people's tools, and after damage."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import av
import pytest
from pymerkle import InmemoryTree, verify_inclusion

from ledger.anchored import anchors_in, missing
from ledger.entry import Leaf
from ledger.errors import ProofError
from ledger.tiles import Mirror, View
from signing.register import Register, read_mirror
from signing.trust import Trust
from signing.verify import verify
from tests.rehearsal.conftest import FARSEAL

BUNDLE_FLIPS, CERTIFICATE_FLIPS = 48, 24


def now() -> int:
    return time.time_ns() // 1_000_000


def farseal(*words: str | Path) -> int:
    done = subprocess.run([FARSEAL, "verify", *map(str, words)], capture_output=True, check=False)
    return done.returncode


@pytest.fixture(scope="module")
def trust(rehearsal: Path) -> Trust:
    return Trust.load((rehearsal / "trust.json").read_bytes())


@pytest.fixture(scope="module")
def register(rehearsal: Path, trust: Trust) -> Register:
    return read_mirror(Mirror.at(rehearsal / "ledger"), trust.log_keys)


@pytest.fixture(scope="module")
def view(rehearsal: Path, trust: Trust) -> View:
    return Mirror.at(rehearsal / "ledger").open(trust.log_keys)


@pytest.fixture(scope="module")
def bundle(rehearsal: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(rehearsal / "bundle.zip") as archive:
        yield archive


def flipped(data: bytes, *, count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Copies with one bit changed, spread over the whole file and drawn within each stretch."""
    draw = random.Random(seed)
    stretch = len(data) / count
    places = [int(stretch * number + draw.random() * stretch) for number in range(count)]
    for place in {0, len(data) - 1, *places}:
        changed = bytearray(data)
        changed[place] ^= 1 << draw.randrange(8)
        yield place, bytes(changed)


def test_everything_is_left(rehearsal: Path) -> None:
    left = {path.relative_to(rehearsal).parts[0] for path in rehearsal.rglob("*")}
    assert left == {
        "bundle.zip",
        "certificate.pdf",
        "copy.zip",
        "ledger",
        "receipt.json",
        "recordings",
        "timestamps",
        "trust.json",
    }
    assert (rehearsal / "certificate.pdf").read_bytes().startswith(b"%PDF-")


def test_the_mirror_holds_what_its_anchors_name(rehearsal: Path, view: View) -> None:
    kept, size = rehearsal / "ledger", view.checkpoint.size
    assert list(anchors_in(kept, view.checkpoint.origin, size))
    assert missing(kept, view.checkpoint.origin, size) == ()


def test_the_bundle_is_valid_and_no_byte_of_it_may_change(
    rehearsal: Path, trust: Trust, tmp_path: Path
) -> None:
    whole = (rehearsal / "bundle.zip").read_bytes()
    assert farseal(rehearsal / "bundle.zip", "--trust", rehearsal / "trust.json") == 0
    assert farseal(rehearsal / "bundle.zip") == 2  # nobody to trust
    copies = list(flipped(whole, count=BUNDLE_FLIPS, seed=1))
    assert len(copies) > 40
    for place, changed in copies:
        report = verify(changed, trust, ledger=None, at=now())
        assert report.exit_code == 1, f"byte {place}: {report.record()}"
    for place, changed in copies[:: len(copies) // 3]:
        damaged = tmp_path / f"{place}.zip"
        damaged.write_bytes(changed)
        assert farseal(damaged, "--trust", rehearsal / "trust.json") == 1


def test_a_swapped_file_is_found(bundle: zipfile.ZipFile, trust: Trust) -> None:
    """The zip itself is in order: names, sizes and sums all fit the file that was put in."""
    swapped = BytesIO()
    with zipfile.ZipFile(swapped, "w", zipfile.ZIP_STORED) as archive:
        for entry in bundle.infolist():
            content = bundle.read(entry)
            if entry.filename == "session/record.json":
                content = content.replace("我委托我的父亲".encode(), "我委托我的母亲".encode())
                assert content != bundle.read(entry)
            archive.writestr(entry, content)
    assert verify(swapped.getvalue(), trust, ledger=None, at=now()).exit_code == 1


def test_the_certificate_is_valid_and_no_byte_of_it_may_change(
    rehearsal: Path, trust: Trust, register: Register, tmp_path: Path
) -> None:
    path, trusted = rehearsal / "certificate.pdf", ("--trust", rehearsal / "trust.json")
    assert farseal(path, *trusted, "--ledger", rehearsal / "ledger") == 0
    assert farseal(path, *trusted) == 2  # a bare PDF: the register was not asked
    copies = list(flipped(path.read_bytes(), count=CERTIFICATE_FLIPS, seed=2))
    for place, changed in copies:
        report = verify(changed, trust, ledger=register, at=now())
        assert report.exit_code != 0, f"byte {place}: {report.record()}"
    damaged = tmp_path / "certificate.pdf"
    damaged.write_bytes(copies[len(copies) // 2][1])
    assert farseal(damaged, *trusted, "--ledger", rehearsal / "ledger") == 1


def test_pdfsig_calls_both_signatures_valid(rehearsal: Path) -> None:
    command = ["pdfsig", str(rehearsal / "certificate.pdf")]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    signatures = re.split(r"^Signature #\d+:\n", told, flags=re.M)[1:]
    assert len(signatures) == 3
    for signature, name in zip(
        signatures, ("NotarySig", "OfficeSeal", "ArchiveTimestamp"), strict=True
    ):
        assert f"Signature Field Name: {name}" in signature
    for signature in signatures[:2]:
        assert "Signature Validation: Signature is Valid." in signature
    assert "- Total document signed" in signatures[2]


def test_openssl_verifies_the_timestamp_of_the_checkpoint(
    rehearsal: Path, bundle: zipfile.ZipFile, trust: Trust, tmp_path: Path
) -> None:
    roots = json.loads((rehearsal / "trust.json").read_text())["tsa_roots"]
    (tmp_path / "roots.pem").write_text("\n".join(roots))
    note = bundle.read("ledger/checkpoint.txt")
    for data, answer in ((note, 0), (note.replace(b"\n", b" ", 1), 1)):
        (tmp_path / "checkpoint.txt").write_bytes(data)
        command = ["openssl", "ts", "-verify", "-token_in"]
        command += ["-in", str(rehearsal / "timestamps" / "checkpoint.tsr")]
        command += ["-data", str(tmp_path / "checkpoint.txt")]
        command += ["-CAfile", str(tmp_path / "roots.pem")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == answer, done.stdout + done.stderr


def test_pymerkle_grows_the_same_tree_and_proves_the_seal(view: View) -> None:
    """From the entries alone: its root is the one that was signed, and so is its proof's."""
    tree = InmemoryTree(algorithm="sha256")
    seal = None
    for number in range(-(-view.size // 256)):
        leaves = view.mirror.leaves(number, min(256, view.size - 256 * number))
        for index, leaf in enumerate(leaves, start=256 * number):
            assert tree.append_entry(leaf) == index + 1
            if Leaf.parse(leaf).body["kind"] == "session-seal":
                seal = index
    assert seal is not None
    signed = base64.b64decode(view.note.split("\n")[2])
    assert tree.get_root() == signed
    proof = tree.prove_inclusion(seal + 1)
    verify_inclusion(tree.get_leaf(seal + 1), signed, proof)
    ours = [bytes.fromhex(each) for each in view.inclusion(seal)]
    assert [proof.path[0], *proof.path[1:]] == [tree.get_leaf(seal + 1), *ours]


def test_the_recordings_play_from_a_key_frame(rehearsal: Path) -> None:
    recordings = sorted((rehearsal / "recordings").iterdir())
    assert {path.name for path in recordings} == {"applicant-0.webm", "notary-0.webm"}
    for path in recordings:
        with av.open(str(path)) as container:
            first = next(packet for packet in container.demux(video=0) if packet.size)
            assert first.is_keyframe
        with av.open(str(path)) as container:
            pictures = sum(1 for _ in container.decode(video=0))
        with av.open(str(path)) as container:
            sounds = sum(frame.samples for frame in container.decode(audio=0))
        assert pictures > 20
        assert sounds > 48_000 * 2


def test_the_recording_was_anchored_while_the_call_ran(bundle: zipfile.ZipFile) -> None:
    entries = json.loads(bundle.read("ledger/case.json"))["entries"]
    leaves = [(entry["index"], json.loads(entry["leaf"])) for entry in entries]
    [(closed_index, closed)] = [
        each for each in leaves if each[1]["body"]["kind"] == "session-closed"
    ]
    segments = [each for each in leaves if each[1]["body"]["kind"] == "segment"]
    early = [
        (index, leaf) for index, leaf in segments if leaf["body"]["end_at"] < closed["time"] - 3_000
    ]
    assert {leaf["body"]["participant"] for _, leaf in early} == {"applicant", "notary"}
    assert len(early) > 4
    for index, leaf in early:
        assert index < closed_index
        assert leaf["time"] < closed["time"]
        assert 0 <= leaf["time"] - leaf["body"]["end_at"] < 10_000


def test_the_applicants_receipts_are_in_the_tree(rehearsal: Path, view: View) -> None:
    with zipfile.ZipFile(rehearsal / "copy.zip") as copy:
        receipt = json.loads(copy.read("receipt.json"))
    assert receipt["proofs"] == "full"
    assert len(receipt["entries"]) > 30
    for entry in receipt["entries"]:
        view.require(entry["index"], entry["leaf_hash"])
    with pytest.raises(ProofError):
        view.require(receipt["entries"][0]["index"], "00" * 32)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    command = [FARSEAL, "rehearse", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing was changed" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
