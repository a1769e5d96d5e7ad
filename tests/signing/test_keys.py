"""Keys at rest: nobody reads one without the passphrase."""

import os
import pickle
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from signing.errors import KeyFileError
from signing.keys import Keyring, Secret

KEYS = {
    "elliptic": ec.generate_private_key(ec.SECP256R1()),
    "edwards": ed25519.Ed25519PrivateKey.generate(),
    "lattice": mldsa.MLDSA44PrivateKey.generate(),
}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    ring = Keyring(tmp_path, Secret("correct horse"))
    for name, key in KEYS.items():
        ring.write(name, key)
    return ring


@pytest.mark.parametrize("name", KEYS)
def test_a_key_comes_back_with_its_passphrase_only(
    keyring: Keyring, tmp_path: Path, name: str
) -> None:
    again = Keyring(tmp_path, Secret("correct horse")).read(name)
    assert again.public_key() == KEYS[name].public_key()
    with pytest.raises(KeyFileError, match="wrong passphrase"):
        Keyring(tmp_path, Secret("correct horsf")).read(name)
    assert (tmp_path / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in (tmp_path / f"{name}.key").read_bytes()


def test_other_tools_read_the_same_file_with_the_passphrase_only(
    keyring: Keyring, tmp_path: Path
) -> None:
    path = tmp_path / "elliptic.key"
    command = ["openssl", "pkey", "-in", str(path), "-noout", "-passin"]
    assert subprocess.run([*command, "pass:correct horse"]).returncode == 0
    refused = subprocess.run([*command, "pass:wrong"], capture_output=True)
    assert refused.returncode != 0
    loaded = load_pem_private_key(path.read_bytes(), b"correct horse")
    assert loaded.public_key() == KEYS["elliptic"].public_key()
    with pytest.raises(TypeError):
        load_pem_private_key(path.read_bytes(), None)


def test_a_key_file_open_to_others_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    (tmp_path / "elliptic.key").chmod(0o640)
    with pytest.raises(KeyFileError, match="open to others"):
        keyring.read("elliptic")


def test_a_key_is_never_overwritten(keyring: Keyring, tmp_path: Path) -> None:
    before = (tmp_path / "elliptic.key").read_bytes()
    with pytest.raises(FileExistsError):
        keyring.write("elliptic", ec.generate_private_key(ec.SECP256R1()))
    assert (tmp_path / "elliptic.key").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.key" for n in KEYS)


@pytest.mark.parametrize("damage", ["", "garbage", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_file_is_named(keyring: Keyring, tmp_path: Path, damage: str) -> None:
    (tmp_path / "elliptic.key").write_text(damage)
    with pytest.raises(KeyFileError, match=r"elliptic\.key"):
        keyring.read("elliptic")


def test_an_absent_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"absent\.key"):
        Keyring(tmp_path, Secret("correct horse")).read("absent")


def test_a_secret_does_not_print_or_travel() -> None:
    secret = Secret("correct horse")
    assert "horse" not in repr(secret) + str(secret) + f"{secret}"
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(secret)
    with pytest.raises(KeyFileError, match="shorter"):
        Secret("short")


def test_every_file_has_its_own_nonce(tmp_path: Path) -> None:
    drawn: list[bytes] = []

    def random(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    ring = Keyring(tmp_path, Secret("correct horse"), random=random)
    ring.write("one", KEYS["elliptic"])
    ring.write("two", KEYS["elliptic"])
    assert len(drawn) == len(set(drawn)) == 3  # one salt for the office, one nonce for each file
    assert (tmp_path / "one.key").read_bytes() != (tmp_path / "two.key").read_bytes()
