"""The office comes into being whole, once, and renews itself."""

import json
import multiprocessing
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signing.ca import IssuedCertificate, NotaryProfile, Office, OfficeProfile, open_office
from signing.certificates import follow
from signing.errors import CertificateError, KeyFileError, OfficeError, RequestError
from signing.keys import Secret
from signing.profiles import DAY_MS, DEMO_UNIT, YEAR_MS
from tests.signing.cast import ACTS, PASSPHRASE, Browser, Clock, profile


def test_openssl_believes_every_certificate(office: Office, office_directory: Path) -> None:
    crls = office_directory.parent / "crls.pem"
    loaded = [x509.load_der_x509_crl(crl) for crl in office.crls().values()]
    crls.write_bytes(b"".join(crl.public_bytes(serialization.Encoding.PEM) for crl in loaded))
    names = [path.stem for path in office_directory.glob("*-1.crt")]
    assert sorted(names) == ["notary-lin-1", "ocsp-1", "seal-1", "tsu-1"]
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", str(crls)]
    command += ["-CAfile", "root.crt"]
    for name in names:
        checked = subprocess.run(
            [*command, "-untrusted", "issuing.crt", f"{name}.crt"],
            cwd=office_directory,
            capture_output=True,
            text=True,
        )
        assert checked.stdout == f"{name}.crt: OK\n", checked.stderr


def test_nobody_else_reads_the_directory(office: Office, office_directory: Path) -> None:
    assert office_directory.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in office_directory.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    keys = list(office_directory.glob("*.key"))
    assert len(keys) == 8
    for key in keys:
        assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_a_demo_office_says_so_in_every_name(office: Office, office_directory: Path) -> None:
    for path in office_directory.glob("*.crt"):
        subject = x509.load_pem_x509_certificate(path.read_bytes()).subject
        assert DEMO_UNIT in subject.rfc4514_string(), path


def test_trust_says_what_a_verifier_must_believe(office: Office, office_directory: Path) -> None:
    trust = office.trust()
    assert json.loads((office_directory / "trust.json").read_text()) == trust
    (root,) = (x509.load_pem_x509_certificate(pem.encode()) for pem in trust["roots"])
    assert root.fingerprint(hashes.SHA256()).hex() == office.root_fingerprint
    assert trust["demo"] is True
    assert trust["ledger"]["origin"] == "localhost/farseal"
    assert trust["ledger"]["vkeys"] == [v.vkey for v in office.log_keys.verifiers]
    assert trust["witnesses"] == []


def test_opening_again_changes_nothing(open_new: Callable[[], Office], tmp_path: Path) -> None:
    first = open_new()
    before = {path.name: path.read_bytes() for path in (tmp_path / "office").iterdir()}
    second = open_new()
    after = {path.name: path.read_bytes() for path in (tmp_path / "office").iterdir()}
    assert before == after
    assert first.root_fingerprint == second.root_fingerprint
    assert first.seal.certificate == second.seal.certificate


def _open(directory: str, answers: "multiprocessing.Queue[str]", gate: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    opened = open_office(
        Path(directory), profile(), Secret(PASSPHRASE), clock=lambda: int(time.time() * 1000)
    )
    answers.put(opened.root_fingerprint)


def test_two_processes_at_once_found_one_office(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers, gate = context.Queue(), context.Barrier(2)
    racers = [
        context.Process(target=_open, args=(str(tmp_path / "office"), answers, gate))
        for _ in range(2)
    ]
    for racer in racers:
        racer.start()
    found = {answers.get(timeout=60) for _ in racers}
    for racer in racers:
        racer.join(timeout=60)
    assert len(found) == 1
    assert len(list((tmp_path / "office").glob("seal-*.crt"))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"office", ".office.lock"}


def test_a_crash_while_founding_leaves_no_office(
    open_new: Callable[[], Office], tmp_path: Path
) -> None:
    draft = tmp_path / ".office.draft"
    draft.mkdir()
    (draft / "root.key").write_text("half of an office")
    assert open_new().root_fingerprint
    assert not draft.exists()
    assert "half" not in (tmp_path / "office" / "root.key").read_text()


def test_a_directory_of_somebody_else_is_left_alone(
    open_new: Callable[[], Office], tmp_path: Path
) -> None:
    (tmp_path / "office").mkdir()
    (tmp_path / "office" / "letter.txt").write_text("mine")
    with pytest.raises(OfficeError, match="nothing was changed"):
        open_new()
    assert [path.name for path in (tmp_path / "office").iterdir()] == ["letter.txt"]


def test_a_wrong_passphrase_opens_nothing(office: Office, office_directory: Path) -> None:
    with pytest.raises(KeyFileError, match="wrong passphrase"):
        open_office(office_directory, profile(), Secret("some other words"), clock=office.clock)


def test_an_office_does_not_move(office: Office, office_directory: Path) -> None:
    moved = OfficeProfile("示例市远山公证处", "x", "http://elsewhere", "o", True, ())
    with pytest.raises(OfficeError, match="was founded with"):
        open_office(office_directory, moved, Secret(PASSPHRASE), clock=office.clock)


def test_a_new_notary_is_enrolled(
    open_new: Callable[[], Office], tmp_path: Path, clock: Clock
) -> None:
    open_new()
    old = profile()
    grown = OfficeProfile(
        old.name_zh,
        old.name_en,
        old.public_url,
        old.origin,
        old.demo,
        (*old.notaries, NotaryProfile("he", "何清晏", "He Qingyan", "D0000002")),
    )
    office = open_office(tmp_path / "office", grown, Secret(PASSPHRASE), clock=clock)
    assert "何清晏" in office.notary("he").certificate.subject.rfc4514_string()
    with pytest.raises(OfficeError, match="no notary"):
        office.notary("nobody")


def test_what_is_about_to_end_is_renewed(
    open_new: Callable[[], Office], tmp_path: Path, clock: Clock
) -> None:
    office = open_new()
    unit, seal = office.tsa.certificate, office.seal.certificate
    old_key = tmp_path / "office" / "tsu-1.key"
    assert old_key.exists()
    clock.advance(YEAR_MS - 20 * DAY_MS)
    office.refresh()
    assert office.tsa.certificate != unit  # its key signs for one year only
    assert office.seal.certificate == seal  # for two
    assert not old_key.exists()
    assert (tmp_path / "office" / "tsu-1.crt").exists()
    follow(unit, others=[office.issuing], roots=[office.root], at=clock())
    clock.advance(YEAR_MS)
    office.refresh()
    assert office.seal.certificate != seal
    assert open_new().seal.certificate == office.seal.certificate


def test_the_applicants_certificate_is_for_one_session(
    office: Office, browser: Browser, applicant: IssuedCertificate
) -> None:
    certificate = x509.load_der_x509_certificate(applicant.certificate)
    assert certificate.public_key() == browser.key.public_key()
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life.total_seconds() == 24 * 3600
    extension = certificate.extensions.get_extension_for_class
    (policy,) = extension(x509.CertificatePolicies).value
    (notice,) = policy.policy_qualifiers or ()
    assert isinstance(notice, x509.UserNotice)
    assert all(act in (notice.explicit_text or "") for act in ACTS)
    assert extension(x509.CRLDistributionPoints).value
    assert any(
        "ocsp" in a.access_location.value for a in extension(x509.AuthorityInformationAccess).value
    )
    chain = [x509.load_der_x509_certificate(link) for link in applicant.chain]
    assert (
        follow(certificate, others=chain, roots=[office.root], at=office.clock())[0] == certificate
    )


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _borrowed(browser: Browser) -> bytes:
    """A request for a key one does not hold: the signature belongs to other bytes."""
    request = bytearray(browser.request())
    request[-1] ^= 1
    return bytes(request)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: b"", "cannot be read"),
        (lambda _: b"\x30\x03\x02\x01\x00", "cannot be read"),
        (lambda _: _request(rsa.generate_private_key(65537, 2048)), "P-256"),
        (lambda _: _request(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (_borrowed, "its own key|cannot be read"),
    ],
)
def test_a_request_that_proves_nothing_gets_nothing(
    office: Office, browser: Browser, make: Callable[[Browser], bytes], reason: str
) -> None:
    with pytest.raises(RequestError, match=reason):
        office.issue_applicant(make(browser), session_id="0" * 32, common_name="周", acts=ACTS)


@pytest.mark.parametrize("acts", [(), ("a",) * 9, ("x" * 200,)])
def test_acts_must_fit(office: Office, browser: Browser, acts: tuple[str, ...]) -> None:
    with pytest.raises(RequestError):
        office.issue_applicant(browser.request(), session_id="0" * 32, common_name="周", acts=acts)


def test_a_certificate_leads_only_to_its_own_root(
    office: Office, open_new: Callable[[], Office]
) -> None:
    stranger = open_new()
    with pytest.raises(CertificateError, match="no trusted issuer"):
        follow(
            office.seal.certificate,
            others=[office.issuing, stranger.issuing],
            roots=[stranger.root],
            at=office.clock(),
        )
    with pytest.raises(CertificateError, match="was not valid at"):
        follow(
            office.seal.certificate,
            others=[office.issuing],
            roots=[office.root],
            at=office.clock() + 3 * YEAR_MS,
        )
