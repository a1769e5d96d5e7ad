"""Detached signatures, the browser's and the office's, judged by openssl."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import cades
from signing.ca import IssuedCertificate, Office
from signing.certificates import encode
from signing.errors import CertificateError, SignatureError, SigningError
from tests.signing.cast import Browser

CONTENT = "询问笔录：第一问……".encode()
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def by_the_office(office: Office) -> bytes:
    seal = office.seal
    return cades.sign(
        DIGEST,
        key=seal.key,
        certificate=seal.certificate,
        chain=seal.chain,
        at=office.clock(),
        timestamp=office.timestamp,
    )


def _by_browser(
    office: Office, browser: Browser, applicant: IssuedCertificate, *, stamped: bool = True
) -> bytes:
    attributes = cades.prepare(DIGEST, applicant.certificate, at=office.clock())
    return cades.assemble(
        attributes,
        browser.sign(attributes),
        applicant.certificate,
        applicant.chain,
        timestamp=office.timestamp if stamped else None,
    )


def test_openssl_verifies_the_browsers_signature(
    office: Office,
    office_directory: Path,
    browser: Browser,
    applicant: IssuedCertificate,
    tmp_path: Path,
) -> None:
    (tmp_path / "record").write_bytes(CONTENT)
    (tmp_path / "record.p7s").write_bytes(_by_browser(office, browser, applicant))
    command = ["openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER"]
    command += ["-in", "record.p7s", "-content", "record"]
    command += ["-CAfile", str(office_directory / "root.crt")]
    verified = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert verified.stdout == CONTENT
    assert b"CAdES Verification successful" in verified.stderr
    (tmp_path / "record").write_bytes(CONTENT + b".")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


def test_our_own_reader_agrees(
    office: Office, browser: Browser, applicant: IssuedCertificate
) -> None:
    signed = cades.verify_cms(
        _by_browser(office, browser, applicant),
        content_sha256=DIGEST,
        roots=[office.root],
        tsa_roots=[office.root],
    )
    assert encode(signed.certificate) == applicant.certificate
    assert signed.path[-1] == office.root
    assert signed.token is not None
    assert signed.token.at <= office.clock()


def test_der_signatures_pass_as_raw_ones_do(browser: Browser) -> None:
    raw = browser.sign(b"x")
    der = cades.to_der(raw)
    assert cades.to_der(der) == der != raw
    for wrong in (b"", raw[:-1], raw + b"\x00", b"\x00" * 64, b"\xff" * 64, der + b"\x00"):
        with pytest.raises(SignatureError):
            cades.to_der(wrong)


def test_another_keys_signature_is_refused(
    office: Office, browser: Browser, applicant: IssuedCertificate
) -> None:
    attributes = cades.prepare(DIGEST, applicant.certificate, at=office.clock())
    for signature in (browser.sign(b"something else"), b"\x01" * 64):
        with pytest.raises(SignatureError):
            cades.assemble(attributes, signature, applicant.certificate, applicant.chain)


def test_other_content_is_refused(office: Office, by_the_office: bytes) -> None:
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(SignatureError, match="other content"):
        cades.verify_cms(
            by_the_office, content_sha256=other, roots=[office.root], tsa_roots=[office.root]
        )


def test_another_root_is_refused(office: Office, by_the_office: bytes) -> None:
    stranger = office.notary("lin").certificate
    for roots, tsa_roots in (([stranger], [office.root]), ([office.root], [stranger])):
        with pytest.raises(CertificateError):
            cades.verify_cms(by_the_office, content_sha256=DIGEST, roots=roots, tsa_roots=tsa_roots)


def test_without_a_timestamp_somebody_must_say_when(
    office: Office, browser: Browser, applicant: IssuedCertificate
) -> None:
    bare = _by_browser(office, browser, applicant, stamped=False)
    with pytest.raises(SignatureError, match="no timestamp"):
        cades.verify_cms(bare, content_sha256=DIGEST, roots=[office.root])
    signed = cades.verify_cms(bare, content_sha256=DIGEST, roots=[office.root], at=office.clock())
    assert signed.token is None


def test_the_signature_names_its_certificate(
    office: Office, browser: Browser, applicant: IssuedCertificate
) -> None:
    """Another certificate for the same key cannot take this one's place (RFC 5035)."""
    twin = office.issue_applicant(
        browser.request(), session_id="0" * 31 + "2", common_name="别人", acts=["record"]
    )
    attributes = cades.prepare(DIGEST, applicant.certificate, at=office.clock())
    swapped = cades.assemble(
        attributes,
        browser.sign(attributes),
        twin.certificate,
        twin.chain,
        timestamp=office.timestamp,
    )
    with pytest.raises(SignatureError, match="does not name its certificate"):
        cades.verify_cms(
            swapped, content_sha256=DIGEST, roots=[office.root], tsa_roots=[office.root]
        )


@settings(deadline=None, max_examples=60)
@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_never_changes_who_signed(
    office: Office, by_the_office: bytes, place: int, bit: int
) -> None:
    changed = bytearray(by_the_office)
    changed[place % len(changed)] ^= 1 << bit
    try:
        signed = cades.verify_cms(
            bytes(changed), content_sha256=DIGEST, roots=[office.root], tsa_roots=[office.root]
        )
    except SigningError:
        return
    assert signed.certificate == office.seal.certificate


@settings(deadline=None, max_examples=60)
@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_not_raised(office: Office, garbage: bytes) -> None:
    with pytest.raises(SignatureError, match="cannot be read"):
        cades.verify_cms(garbage, content_sha256=DIGEST, roots=[office.root])


def test_the_claimed_time_is_left_out_of_pdf_signatures(applicant: IssuedCertificate) -> None:
    without = cades.prepare(DIGEST, applicant.certificate, at=None)
    assert len(without) < len(cades.prepare(DIGEST, applicant.certificate, at=1_795_442_400_000))
    with pytest.raises(SignatureError, match="64 hex"):
        cades.prepare("ab", applicant.certificate, at=None)
    assert x509.load_der_x509_certificate(applicant.certificate)
