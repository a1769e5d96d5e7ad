"""The time stamping authority, judged by openssl and rfc3161-client, and asked badly."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc3161_client
from asn1crypto import algos, cms, tsp
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der
from signing.ca import Office
from signing.certificates import encode
from signing.errors import CertificateError, TimestampError, TimestampRejected
from signing.tokens import read_stamp, read_token
from signing.tsa_client import Client, read_response, request

DATA = b"what happened"
DIGEST = hashlib.sha256(DATA).digest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("certificates", [True, False])
def test_openssl_verifies_what_it_asked_for(
    office: Office, office_directory: Path, tmp_path: Path, algorithm: str, certificates: bool
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    ask = ["openssl", "ts", "-query", "-data", "data", f"-{algorithm}", "-out", "q.tsq"]
    subprocess.run([*ask, "-cert"] if certificates else ask, cwd=tmp_path, check=True)
    (tmp_path / "r.tsr").write_bytes(office.tsa.respond((tmp_path / "q.tsq").read_bytes()))
    chain = tmp_path / "chain.pem"
    chain.write_bytes((office_directory / "issuing.crt").read_bytes())
    with chain.open("ab") as file:
        file.write((office_directory / "tsu-1.crt").read_bytes())
    check = ["openssl", "ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr"]
    check += ["-CAfile", str(office_directory / "root.crt"), "-untrusted", "chain.pem"]
    verified = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "Verification: OK" in verified.stdout, verified.stderr
    (tmp_path / "data").write_bytes(DATA + b"!")
    check[3:5] = ["-data", "data"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode != 0


def test_openssl_verifies_a_bare_token(
    office: Office, office_directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "t.tst").write_bytes(office.timestamp(DIGEST))
    check = ["openssl", "ts", "-verify", "-data", "data", "-token_in", "-in", "t.tst"]
    check += ["-CAfile", str(office_directory / "root.crt")]
    verified = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "Verification: OK" in verified.stdout, verified.stderr


def test_rfc3161_client_verifies_it(office: Office) -> None:
    asked = rfc3161_client.TimestampRequestBuilder(data=DATA).build()
    answer = rfc3161_client.decode_timestamp_response(office.tsa.respond(asked.as_bytes()))
    verifier = (
        rfc3161_client.VerifierBuilder.from_request(asked).add_root_certificate(office.root).build()
    )
    assert verifier.verify_message(answer, DATA)
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify_message(answer, DATA + b"!")


def test_our_own_reader_agrees(office: Office) -> None:
    before = office.clock()
    token = read_token(office.timestamp(DIGEST), digest=DIGEST, roots=[office.root])
    assert before <= token.at <= office.clock()
    assert token.certificate == office.tsa.certificate
    assert token.path[-1] == office.root
    with pytest.raises(TimestampError, match="something else"):
        read_token(office.timestamp(DIGEST), digest=bytes(32), roots=[office.root])
    with pytest.raises(CertificateError, match="no trusted issuer"):
        read_token(office.timestamp(DIGEST), digest=DIGEST, roots=[office.seal.certificate])


def test_what_the_ledger_logs_back_is_the_time_and_the_whole_name(office: Office) -> None:
    token = office.timestamp(DIGEST)
    stamp = read_stamp(token, DATA, roots=[office.root])
    says = read_token(token, digest=DIGEST, roots=[office.root])
    assert (stamp.at, stamp.who) == (says.at, office.tsa.certificate.subject.rfc4514_string())
    assert office.profile.name_zh in stamp.who
    with pytest.raises(TimestampError, match="something else"):
        read_stamp(token, DATA + b"!", roots=[office.root])
    with pytest.raises(CertificateError, match="no trusted issuer"):
        read_stamp(token, DATA, roots=[office.seal.certificate])


def test_case_07_tsa_certificates_stand_in_the_order_of_der(office: Office) -> None:
    signed = cms.ContentInfo.load(office.timestamp(DIGEST))["content"]
    written = [choice.chosen.dump() for choice in signed["certificates"]]
    assert written == sorted(written)
    assert encode(office.tsa.certificate) in written


def test_no_two_tokens_share_a_serial(office: Office) -> None:
    serials = {
        read_token(office.timestamp(DIGEST), digest=DIGEST, roots=[office.root]).serial
        for _ in range(20)
    }
    assert len(serials) == 20


@settings(deadline=None, max_examples=60)
@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(office: Office, place: int, bit: int) -> None:
    token = bytearray(office.timestamp(DIGEST))
    place %= len(token)
    token[place] ^= 1 << bit
    chain = [encode(one) for one in office.tsa.chain]
    if any(
        start <= place < start + len(one) for one in chain if (start := token.find(one[:8])) >= 0
    ):
        return
    try:
        says = read_token(bytes(token), digest=DIGEST, roots=[office.root])
    except (TimestampError, CertificateError):
        return
    # What still verifies must say the same: only the unsigned frame around it may differ.
    assert says.certificate == office.tsa.certificate


def _ask(**changes: object) -> bytes:
    imprint = {
        "hash_algorithm": algos.DigestAlgorithm({"algorithm": changes.pop("hash", "sha256")}),
        "hashed_message": changes.pop("digest", DIGEST),
    }
    return bytes(tsp.TimeStampReq({"version": 1, "message_imprint": imprint, **changes}).dump())


EXTENSION = {"extn_id": "2.5.29.17", "critical": False, "extn_value": b"\x30\x00"}


@pytest.mark.parametrize(
    ("asked", "failure"),
    [
        (b"", "bad_data_format"),
        (b"\x30\x00", "bad_data_format"),
        (b"\x00" * 5000, "bad_data_format"),
        (_ask()[:-3], "bad_data_format"),
        (_ask() + b"\x00", "bad_data_format"),
        (_ask(hash="sha1", digest=bytes(20)), "bad_alg"),
        (_ask(digest=bytes(31)), "bad_data_format"),
        (_ask(req_policy="1.2.3"), "unaccepted_policy"),
        (_ask(extensions=[EXTENSION]), "unaccepted_extension"),
        (_ask(nonce=1 << 400), "bad_request"),
    ],
)
def test_a_bad_request_is_rejected_by_name(
    office: Office, tmp_path: Path, asked: bytes, failure: str
) -> None:
    answer = office.tsa.respond(asked)
    with pytest.raises(TimestampRejected) as refusal:
        read_response(answer)
    assert refusal.value.failure == failure
    (tmp_path / "r.tsr").write_bytes(answer)
    shown = subprocess.run(
        ["openssl", "ts", "-reply", "-in", "r.tsr", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Status: Rejected" in shown.stdout, shown.stderr
    assert refusal.value.text in shown.stdout


@settings(deadline=None, max_examples=60)
@given(asked=st.binary(max_size=300))
def test_no_request_makes_the_authority_fail(office: Office, asked: bytes) -> None:
    with pytest.raises(TimestampRejected):
        read_response(office.tsa.respond(asked))


def _post(
    answers: dict[str, Callable[[bytes], bytes]],
) -> Callable[[str, bytes], "object"]:
    async def post(address: str, asked: bytes) -> bytes:
        return answers[address](asked)

    return post


def _refuse(_: bytes) -> bytes:
    raise ConnectionRefusedError("connection refused")


async def test_case_07_tsa_of_no_use_and_the_next_is_asked(office: Office) -> None:
    answers = {
        "http://down": _refuse,
        "http://rejects": lambda _: office.tsa.respond(b""),
        "http://lies": lambda _: office.tsa.respond(_ask(digest=bytes(32))),
        "http://replays": lambda _: office.tsa.respond(_ask(nonce=7, cert_req=True)),
        "http://garbage": lambda _: b"<html>",
        "http://good": office.tsa.respond,
    }
    client = Client(list(answers), [office.root], _post(answers))  # type: ignore[arg-type]
    stamp = await client.timestamp(DIGEST)
    assert stamp.address == "http://good"
    assert stamp.says == read_token(stamp.token, digest=DIGEST, roots=[office.root])


async def test_the_client_names_every_failure(office: Office) -> None:
    answers = {"http://down": _refuse, "http://rejects": lambda _: office.tsa.respond(b"")}
    client = Client(list(answers), [office.root], _post(answers))  # type: ignore[arg-type]
    with pytest.raises(TimestampError, match=r"down: connection refused.*rejects: .*bad_data"):
        await client.timestamp(DIGEST)


def test_der_is_what_openssl_writes(tmp_path: Path) -> None:
    ours = request(DIGEST, nonce=1 << 120)
    (tmp_path / "q.tsq").write_bytes(ours)
    shown = subprocess.run(
        ["openssl", "ts", "-query", "-in", "q.tsq", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Hash Algorithm: sha256" in shown.stdout
    assert tsp.TimeStampReq.load(ours, strict=True).native["cert_req"] is True


@settings(deadline=None, max_examples=60)
@given(value=st.integers(min_value=0, max_value=1 << 300))
def test_integers_are_canonical(value: int) -> None:
    ((tag, body),) = der.members(der.integer(value))
    assert tag == 0x02
    assert int.from_bytes(body, "big", signed=True) == value
    assert len(body) == 1 or not (body[0] == 0 and body[1] < 0x80)


@pytest.mark.parametrize("broken", ["30", "30800000", "30810100", "300200"])
def test_lengths_that_are_not_der_are_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"DER|cut short"):
        der.members(bytes.fromhex(broken))
