"""Verifying a bare certificate: signatures, shape, and the register in a mirror."""

import asyncio
import io
import random
import re
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from pyhanko.pdf_utils.generic import NameObject, pdf_string
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from ledger.entry import Submission
from ledger.errors import LedgerError
from ledger.log import Log
from ledger.sqlite import SqliteStore
from ledger.tiles import Mirror, export
from signing import status
from signing.ca import Office, open_office
from signing.keys import Secret
from signing.pades import sign_certificate
from signing.register import Register, open_register, read_mirror
from signing.report import Report
from signing.trust import Trust
from signing.verify import verify
from tests.signing.bundles import NUMBER, REGISTER, Genuine
from tests.signing.cast import PASSPHRASE, profile

FLIPS = 40


def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture(scope="session")
def trust(genuine: Genuine) -> Trust:
    return Trust.parse(genuine.trust)


@pytest.fixture(scope="session")
def register(genuine: Genuine, trust: Trust) -> Register:
    return read_mirror(Mirror.at(genuine.mirror), trust.log_keys)


def _verify(pdf: bytes, trust: Trust | None, ledger: Register | None, **options: Any) -> Report:
    return verify(pdf, trust, ledger=ledger, at=options.pop("at", now()), **options)


def _outcomes(report: Report) -> dict[str, str]:
    return {check.key: check.reason or check.outcome for check in report.checks}


def test_a_certificate_in_the_register_is_valid(
    genuine: Genuine, trust: Trust, register: Register
) -> None:
    report = _verify(genuine.certificate, trust, register)

    assert report.exit_code == 0
    assert report.facts["number"] == NUMBER
    assert report.as_of == register.as_of
    assert set(_outcomes(report).values()) == {"ok"}


def test_a_bare_certificate_is_indeterminate_and_says_why(genuine: Genuine, trust: Trust) -> None:
    report = _verify(genuine.certificate, trust, None)

    assert report.exit_code == 2
    assert _outcomes(report)["pdf"] == "ok"
    assert _outcomes(report)["register"] == "no-ledger"
    assert _verify(genuine.certificate, None, None).exit_code == 2


def test_a_certificate_with_any_byte_changed_is_never_valid(
    genuine: Genuine, trust: Trust, register: Register
) -> None:
    chance = random.Random(3)
    pdf = genuine.certificate
    for place in [*range(8), len(pdf) - 1, *chance.sample(range(len(pdf)), FLIPS)]:
        changed = bytearray(pdf)
        changed[place] ^= chance.randrange(1, 256)
        assert _verify(bytes(changed), trust, register).exit_code == 1, place


def test_bytes_after_the_end_are_found(genuine: Genuine, trust: Trust) -> None:
    for extra in (b"\n", b"%%EOF\n", genuine.certificate):
        report = _verify(genuine.certificate + extra, trust, None)
        assert report.exit_code == 1


def _updated(pdf: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    writer.root[NameObject("/Lang")] = pdf_string("fr")
    writer.update_root()
    output = io.BytesIO()
    writer.write(output)
    return output.getvalue()


def test_an_incremental_update_is_found_though_it_changes_little(
    genuine: Genuine, trust: Trust
) -> None:
    report = _verify(_updated(genuine.certificate), trust, None)

    assert report.exit_code == 1
    assert _outcomes(report)["pdf"] in {"extra-revision", "bytes-after-the-end"}


def _holes(pdf: bytes) -> list[re.Match[bytes]]:
    return list(re.finditer(rb"<(3082[0-9A-F]{16000,})>", pdf))


def _with_hole(pdf: bytes, number: int, content: bytes) -> bytes:
    hole = _holes(pdf)[number]
    digits = content.hex().upper().encode().ljust(hole.end(1) - hole.start(1), b"0")
    return pdf[: hole.start(1)] + digits + pdf[hole.end(1) :]


def _content(pdf: bytes, number: int) -> bytes:
    raw = bytes.fromhex(_holes(pdf)[number][1].decode())
    return raw[: 4 + int.from_bytes(raw[2:4], "big")]


def test_holes_are_found_where_the_tests_look(genuine: Genuine) -> None:
    assert len(_holes(genuine.certificate)) == 3
    for number in range(3):
        content = _content(genuine.certificate, number)
        assert _with_hole(genuine.certificate, number, content) == genuine.certificate


def test_a_stripped_signature_timestamp_is_found(genuine: Genuine, trust: Trust) -> None:
    container = cms.ContentInfo.load(_content(genuine.certificate, 0))
    information = container["content"]["signer_infos"][0]
    del information["unsigned_attrs"]

    stripped = _with_hole(genuine.certificate, 0, container.dump(force=True))

    report = _verify(stripped, trust, None)
    assert report.exit_code == 1
    assert _outcomes(report)["pdf"] in {"timestamp-stripped", "signature"}


def test_what_is_written_into_a_signatures_padding_is_found(genuine: Genuine, trust: Trust) -> None:
    for number in range(3):
        content = _content(genuine.certificate, number)
        report = _verify(
            _with_hole(genuine.certificate, number, content + b"\0\0hello"), trust, None
        )
        assert _outcomes(report)["pdf"] == "padding"


def test_lower_case_hex_is_not_canonical(genuine: Genuine, trust: Trust) -> None:
    hole = _holes(genuine.certificate)[2]
    pdf = genuine.certificate
    lower = pdf[: hole.start(1)] + hole[1].lower() + pdf[hole.end(1) :]

    assert _outcomes(_verify(lower, trust, None))["pdf"] == "not-canonical"


def test_a_document_is_no_certificate(signed_document: bytes, volume: bytes, trust: Trust) -> None:
    assert _outcomes(_verify(signed_document, trust, None))["pdf"] == "other-fields"
    assert _outcomes(_verify(volume, trust, None))["pdf"] == "no-signatures"


def test_another_office_cannot_make_our_certificates(
    volume: bytes, trust: Trust, tmp_path: Path
) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)
    forged = sign_certificate(volume, other, notary_id="lin", at=now())

    assert _outcomes(_verify(forged, trust, None))["pdf"] == "signature"


def test_a_second_certificate_by_the_same_keys_is_not_in_the_register(
    office: Office, volume: bytes, trust: Trust, register: Register
) -> None:
    """Signatures alone do not prove issue; the register does. Newer than the mirror is unknown."""
    again = sign_certificate(volume, office, notary_id="lin", at=now())

    report = _verify(again, trust, register)

    assert _outcomes(report)["pdf"] == "ok"
    assert _outcomes(report)["register"] in {"ledger-too-old", "not-in-register"}
    assert report.exit_code != 0


@pytest.mark.parametrize("hostile", [b"", b"%PDF-", b"%PDF-1.7\n%%EOF", b"GIF89a", b"\x00" * 100])
def test_hostile_files_are_invalid_and_never_a_traceback(
    hostile: bytes, trust: Trust, register: Register
) -> None:
    assert _verify(hostile, trust, register).exit_code == 1


def test_pdfs_cut_anywhere_are_invalid(genuine: Genuine, trust: Trust, register: Register) -> None:
    size = len(genuine.certificate)
    for end in range(10, size, size // 12):
        assert _verify(genuine.certificate[:end], trust, register).exit_code == 1


def test_a_mirror_signed_by_others_is_not_believed(genuine: Genuine, tmp_path: Path) -> None:
    other = open_office(tmp_path / "other", profile(), Secret(PASSPHRASE), clock=now)

    with pytest.raises(LedgerError):
        read_mirror(Mirror.at(genuine.mirror), Trust.parse(other.trust()).log_keys)


async def _register_with(office: Office, directory: Path, *bodies: dict[str, Any]) -> Register:
    keys = office.log_keys
    guard = directory / "guard.json"
    store = SqliteStore(directory / "ledger.db")
    log = await Log.open(store, keys=keys, guard=guard, clock=office.clock, timestamp=None)
    try:
        for number, body in enumerate(bodies):
            await log.append(Submission("test", f"{number:032x}", REGISTER, body))
        await log.seal(len(bodies) - 1)
        export(log.reader, directory / "mirror")
        leaves = [leaf for _, leaf in await log.chain(REGISTER)]
        note = await log.checkpoint()
    finally:
        await log.close()
    read = read_mirror(Mirror.at(directory / "mirror"), keys.verifiers)
    assert open_register(note, leaves, register=REGISTER, keys=keys.verifiers) == read
    return read


def test_revocation_and_reuse_of_a_number_show_in_the_register(
    genuine: Genuine, office: Office, trust: Trust, tmp_path: Path
) -> None:
    completed = {
        "kind": "act-completed",
        "number": NUMBER,
        "status_index": 3,
        "pdf_sha256": sha256(genuine.certificate).hexdigest(),
    }
    revoked = {"kind": "certificate-revoked", "number": NUMBER}
    twice = {**completed, "pdf_sha256": "0" * 64}
    for name, bodies, found in (
        ("revoked", (completed, revoked), ("status", "revoked")),
        ("twice", (completed, twice), ("number", "number-twice")),
    ):
        (tmp_path / name).mkdir()
        register = asyncio.run(_register_with(office, tmp_path / name, *bodies))
        report = _verify(genuine.certificate, trust, register)
        assert report.exit_code == 1
        assert report.deciding is not None
        assert (report.deciding.key, report.deciding.reason) == found
        assert report.revoked is (name == "revoked")


def test_a_newer_status_list_counts(
    genuine: Genuine, office: Office, trust: Trust, register: Register
) -> None:
    standing = status.build([], office=office, at=now())

    report = _verify(genuine.certificate, trust, register, status=standing)
    assert report.exit_code == 0
    assert report.as_of is not None
    assert report.as_of > register.as_of
    revoked = status.build([3], office=office, at=now())
    assert _verify(genuine.certificate, trust, register, status=revoked).revoked


async def test_in_an_event_loop_it_says_what_to_do(genuine: Genuine, trust: Trust) -> None:
    with pytest.raises(RuntimeError, match=r"asyncio\.to_thread"):
        verify(genuine.certificate, trust, ledger=None, at=now())
    report = await asyncio.to_thread(verify, genuine.certificate, trust, ledger=None, at=now())
    assert report.exit_code == 2
