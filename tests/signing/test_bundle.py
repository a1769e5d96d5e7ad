"""The bundle's bytes: one canonical archive, and other people's tools on its parts."""

import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.archive import Limits, pack, unpack
from signing.bundle import build, read
from signing.ca import Office
from signing.errors import BundleError
from tests.signing.bundles import Genuine

LIMITS = Limits()
_NAMES = st.from_regex(r"\A[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}\.[a-z]{1,3}\Z")


@settings(deadline=None)
@given(st.dictionaries(_NAMES, st.binary(max_size=200), min_size=1, max_size=8))
def test_an_archive_comes_apart_as_it_was_packed(files: dict[str, bytes]) -> None:
    packed = pack(files)

    assert unpack(packed, LIMITS) == files
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


@given(
    st.dictionaries(_NAMES, st.binary(max_size=40), min_size=1, max_size=3),
    st.data(),
)
def test_no_other_bytes_are_an_archive(files: dict[str, bytes], data: st.DataObject) -> None:
    packed = bytearray(pack(files))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BundleError):
        unpack(bytes(packed), LIMITS)


@pytest.mark.parametrize(
    "name", ["../x.txt", "/x.txt", "a//b.txt", "a\\b.txt", ".x", "a/../b.txt", "é.txt", ""]
)
def test_no_entry_has_a_name_that_leads_elsewhere(name: str) -> None:
    with pytest.raises(BundleError):
        pack({name: b""})


def _zip(*entries: tuple[str, bytes], **options: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:  # type: ignore[call-overload]
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_other_peoples_archives_are_refused() -> None:
    hostile = [
        _zip(("mimetype", b"x")),
        _zip(("bomb.txt", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED),
        _zip(("../../etc/passwd", b"x")),
        _zip(*((f"{n}.txt", b"") for n in range(10_000))),
        pack({"a.txt": b"x"}) + b"\n",
        b"\n" + pack({"a.txt": b"x"}),
        pack({"a.txt": b"x"}) + pack({"a.txt": b"x"}),
        b"PK\x03\x04",
        b"",
    ]
    with pytest.warns(UserWarning, match="Duplicate"):
        hostile.append(_zip(("a.txt", b"1"), ("a.txt", b"2")))

    for archive in hostile:
        with pytest.raises(BundleError):
            unpack(archive, LIMITS)


def test_limits_stop_a_reader_early() -> None:
    packed = pack({f"{n}.txt": b"x" for n in range(20)})

    with pytest.raises(BundleError, match="larger"):
        unpack(packed, Limits(archive_bytes=100))
    with pytest.raises(BundleError, match="entries"):
        unpack(packed, Limits(entries=19))


def test_a_bundle_is_an_asic_container_any_zip_tool_opens(genuine: Genuine, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(genuine.bundle)

    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert archive.testzip() is None
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.read("certificate.pdf") == genuine.certificate
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}
    assert genuine.bundle[30:].startswith(b"mimetypeapplication/vnd.etsi.asic-e+zip")


def test_openssl_verifies_seal_signatures_and_timestamps(
    genuine: Genuine, office_directory: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(genuine.bundle)) as archive:
        archive.extractall(tmp_path)
    root = str(office_directory / "root.crt")

    def openssl(*command: str) -> None:
        done = subprocess.run(["openssl", *command], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    for signature, content in (
        ("META-INF/signature.p7s", "META-INF/ASiCManifest.xml"),
        ("session/manifest.applicant.p7s", "session/manifest.json"),
        ("session/record.applicant.p7s", "session/record.json"),
    ):
        openssl(
            *("cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", signature),
            *("-content", content, "-CAfile", root, "-out", "verified"),
        )
    for token, content in (
        ("META-INF/timestamp.tst", "META-INF/ASiCArchiveManifest.xml"),
        ("timestamps/checkpoint.tsr", "ledger/checkpoint.txt"),
    ):
        openssl("ts", "-verify", "-token_in", "-in", token, "-data", content, "-CAfile", root)


def test_a_bundle_needs_the_register_entry_of_its_certificate(
    genuine: Genuine, office: Office
) -> None:
    with pytest.raises(BundleError, match="register"):
        build(replace(genuine.contents, certificate=b"%PDF-other"), office=office)


def test_values_without_canonical_form_are_refused(genuine: Genuine, office: Office) -> None:
    gaps = [{"participant": "applicant", "start_at": 1.5}]

    with pytest.raises(BundleError, match="canonical"):
        build(replace(genuine.contents, gaps=gaps), office=office)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_bundle_with_any_byte_changed_is_not_read(genuine: Genuine, data: st.DataObject) -> None:
    changed = bytearray(genuine.bundle)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BundleError):
        read(bytes(changed), LIMITS)
