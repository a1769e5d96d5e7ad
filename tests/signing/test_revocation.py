"""OCSP and CRLs, asked by openssl, and a responder whose certificate ends."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.ca import Office
from signing.certificates import milliseconds
from signing.errors import CertificateError, OfficeError, RevokedError
from signing.pades import sign_certificate
from signing.profiles import DAY_MS
from signing.revocation import Entry, Register, require_not_revoked
from tests.signing.cast import Clock


def _request(office: Office, certificate: x509.Certificate, *, nonce: bytes = b"n" * 16) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        certificate, office.issuing, hashes.SHA256()
    )
    request = builder.add_extension(x509.OCSPNonce(nonce), False).build()
    return request.public_bytes(serialization.Encoding.DER)


def _require(office: Office, response: bytes, *, at: int | None = None) -> int:
    return require_not_revoked(
        office.seal.certificate,
        response=response,
        issuer=office.issuing,
        roots=[office.root],
        at=office.clock() if at is None else at,
    )


def test_openssl_asks_and_believes(office: Office, office_directory: Path, tmp_path: Path) -> None:
    common = ["openssl", "ocsp", "-issuer", str(office_directory / "issuing.crt")]
    common += ["-cert", str(office_directory / "seal-1.crt")]
    subprocess.run([*common, "-reqout", "q.der"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "r.der").write_bytes(office.ocsp((tmp_path / "q.der").read_bytes()))
    common += ["-CAfile", str(office_directory / "root.crt")]
    checked = subprocess.run(
        [*common, "-no_nonce", "-respin", "r.der"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Response verify OK" in checked.stderr, checked.stderr
    assert "seal-1.crt: good" in checked.stdout


def test_the_answer_repeats_the_nonce(office: Office) -> None:
    answer = ocsp.load_der_ocsp_response(
        office.ocsp(_request(office, office.seal.certificate, nonce=b"0123456789abcdef"))
    )
    nonce = answer.extensions.get_extension_for_class(x509.OCSPNonce).value
    assert nonce.nonce == b"0123456789abcdef"
    assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_serial_never_issued_is_unknown(office: Office) -> None:
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        *_hashes(office), serial_number=4711, algorithm=hashes.SHA256()
    )
    request = builder.build().public_bytes(serialization.Encoding.DER)
    answer = ocsp.load_der_ocsp_response(office.ocsp(request))
    assert answer.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def _hashes(office: Office) -> tuple[bytes, bytes]:
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        office.seal.certificate, office.issuing, hashes.SHA256()
    )
    request = builder.build()
    return request.issuer_name_hash, request.issuer_key_hash


def test_it_answers_for_its_own_issuer_only(office: Office, open_new: Callable[[], Office]) -> None:
    stranger = open_new()
    answer = office.ocsp(_request(stranger, stranger.seal.certificate))
    status = ocsp.load_der_ocsp_response(answer).response_status
    assert status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@settings(deadline=None, max_examples=60)
@given(request=st.binary(max_size=200))
def test_no_request_makes_it_fail(office: Office, request: bytes) -> None:
    status = ocsp.load_der_ocsp_response(office.ocsp(request)).response_status
    assert status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_revocation_counts_everywhere_at_once(open_new: Callable[[], Office]) -> None:
    office, other = open_new(), open_new()
    serial = office.seal.certificate.serial_number
    good_until = office.clock()
    old = office.responder.status(office.seal.certificate, at=good_until)
    office.revoke(serial, "keyCompromise")
    answer = other.responder.status(other.seal.certificate, at=other.clock() + 1000)
    with pytest.raises(RevokedError):
        _require(other, answer, at=other.clock() + 1000)
    crl = x509.load_der_x509_crl(other.crls()["issuing"])
    entry = crl.get_revoked_certificate_by_serial_number(serial)
    assert entry is not None
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value == (
        "keyCompromise"
    )
    assert _require(office, old, at=good_until)  # what was good then stays good then


def test_a_revoked_notary_signs_nothing(open_new: Callable[[], Office], volume: bytes) -> None:
    office = open_new()
    office.revoke(office.notary("lin").certificate.serial_number, "affiliationChanged")
    with pytest.raises(RevokedError):
        sign_certificate(volume, office, notary_id="lin", at=office.clock())


def test_only_our_own_certificates_are_revoked(office: Office) -> None:
    with pytest.raises(CertificateError, match="issued no"):
        office.revoke(4711, "keyCompromise")


def test_the_responders_certificate_rotates(open_new: Callable[[], Office], clock: Clock) -> None:
    office = open_new()
    first = office.responder.certificate
    clock.advance(40 * DAY_MS)
    # Nobody restarted or refreshed: the next answer itself is signed by a living delegate.
    answer = office.ocsp(_request(office, office.seal.certificate))
    assert office.responder.certificate != first
    now = clock()
    assert abs(_require(office, answer, at=now) - now) < 2000
    assert milliseconds(office.responder.certificate.not_valid_after_utc) > now + 20 * DAY_MS


def test_revocation_lists_rotate(open_new: Callable[[], Office], clock: Clock) -> None:
    office = open_new()
    before = {name: x509.load_der_x509_crl(crl) for name, crl in office.crls().items()}
    clock.advance(6 * DAY_MS)
    after = {name: x509.load_der_x509_crl(crl) for name, crl in office.crls().items()}
    assert after["root"] == before["root"]
    assert after["issuing"] != before["issuing"]

    def number(crl: x509.CertificateRevocationList) -> int:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert number(after["issuing"]) > number(before["issuing"])


def test_a_response_about_another_certificate_does_not_count(office: Office) -> None:
    notary = office.responder.status(office.notary("lin").certificate, at=office.clock())
    with pytest.raises(CertificateError, match="another certificate"):
        _require(office, notary)
    forged = bytearray(office.responder.status(office.seal.certificate, at=office.clock()))
    forged[len(forged) // 3] ^= 1
    with pytest.raises(CertificateError):
        _require(office, bytes(forged))


def test_a_damaged_register_is_said_to_be_so(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.jsonl")
    assert register.entries() == ()
    register.add(Entry("issued", "1f", 1))
    assert register.issued(0x1F)
    assert not register.issued(0x1E)
    with (tmp_path / "register.jsonl").open("a") as file:
        file.write("not an entry\n")
    with pytest.raises(OfficeError, match="damaged"):
        register.entries()


def test_a_line_a_crash_cut_off_is_removed(tmp_path: Path) -> None:
    first, second = (Register(tmp_path / "register.jsonl") for _ in range(2))
    first.add(Entry("issued", "1f", 1))
    assert second.issued(0x1F)
    with (tmp_path / "register.jsonl").open("a") as file:
        file.write('{"act":"iss')
    assert len(first.entries()) == len(second.entries()) == 1
    second.add(Entry("revoked", "1f", 2, reason="keyCompromise"))
    assert [entry.act for entry in first.entries()] == ["issued", "revoked"]
    assert list(second.revoked()) == list(Register(tmp_path / "register.jsonl").revoked()) == [0x1F]
