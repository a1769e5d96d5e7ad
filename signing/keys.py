"""Private keys at rest: encrypted PKCS#8 files that nobody else may read.

A key file is PKCS#8 under PBES2: scrypt with OWASP's cost (N 2^14, r 8, p 5; `cryptography` alone
would write PBKDF2 with 2,048 rounds) and AES-256-CBC. `openssl pkey -in FILE` reads it. All files
of one office share a salt, so that opening the office stretches the passphrase once.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from asn1crypto import pem as armor
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from signing import der
from signing.errors import KeyFileError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 5
_SHORTEST_PASSPHRASE = 8


class Secret:
    """A passphrase that does not print, compare or travel by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        raw = value.encode() if isinstance(value, str) else bytes(value)
        if len(raw) < _SHORTEST_PASSPHRASE:
            raise KeyFileError(
                f"the passphrase is shorter than {_SHORTEST_PASSPHRASE} bytes; nothing was written"
            )
        self._value = raw

    def reveal(self) -> bytes:
        """Return the passphrase itself. Keep the result in a local variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave its process")


class Keyring:
    """The key files `NAME.key` of one directory, opened with one passphrase.

    `random(n)` returns n random bytes. Files are written 0600 and never overwritten in place.
    """

    def __init__(
        self, directory: Path, passphrase: Secret, *, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._directory = directory
        self._passphrase = passphrase
        self._random = random
        self._stretched: dict[bytes, bytes] = {}

    def write(self, name: str, key: PrivateKey) -> None:
        """Write one key, encrypted. Raises FileExistsError rather than replace a key."""
        self.write_pkcs8(name, _plain(key))

    def write_pkcs8(self, name: str, plain: bytes) -> None:
        """Write a key of a kind `cryptography` does not know, given as PKCS#8 DER, encrypted.

        Raises FileExistsError rather than replace a key.
        """
        salt = next(iter(self._stretched), None) or self._random(16)
        write_private(self._directory / f"{name}.key", self._seal(plain, salt), exclusive=True)

    def replace(self, name: str, key: PrivateKey) -> None:
        """Put a new key in the place of an old one, atomically (rotation)."""
        salt = next(iter(self._stretched), None) or self._random(16)
        write_private(
            self._directory / f"{name}.key", self._seal(_plain(key), salt), exclusive=False
        )

    def read(self, name: str) -> PrivateKey:
        """Read one key.

        Raises KeyFileError if the file is absent, readable by others, or the passphrase is wrong.
        """
        path = self._directory / f"{name}.key"
        try:
            key = serialization.load_der_private_key(self.read_pkcs8(name), password=None)
        except (ValueError, UnsupportedAlgorithm) as failure:
            raise KeyFileError(f"wrong passphrase for the key file {path}") from failure
        if not isinstance(key, PrivateKey):
            raise KeyFileError(f"the key file {path} holds a kind of key this office does not use")
        return key

    def read_pkcs8(self, name: str) -> bytes:
        """Read one key as PKCS#8 DER. Raises KeyFileError as `read` does."""
        path = self._directory / f"{name}.key"
        try:
            mode = path.stat().st_mode
            pem = path.read_bytes()
        except OSError as failure:
            raise KeyFileError(f"the key file {path} cannot be read: {failure}") from failure
        if mode & 0o077:
            raise KeyFileError(f"the key file {path} is open to others; run: chmod 600 {path}")
        return self._open(pem, path)

    def read_elliptic(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Read a P-256 key. Raises KeyFileError as `read` does, and for any other kind of key."""
        key = self.read(name)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyFileError(f"the key {name} is not an elliptic curve key")
        return key

    def _stretch(self, salt: bytes) -> bytes:
        if salt not in self._stretched:
            kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
            self._stretched[salt] = kdf.derive(self._passphrase.reveal())
        return self._stretched[salt]

    def _seal(self, plain: bytes, salt: bytes) -> bytes:
        iv = self._random(16)
        padder = padding.PKCS7(128).padder()
        cipher = Cipher(algorithms.AES256(self._stretch(salt)), modes.CBC(iv)).encryptor()
        body = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
        # RFC 5958 EncryptedPrivateKeyInfo, RFC 8018 PBES2, RFC 7914 scrypt-params
        kdf = der.sequence(
            der.oid("1.3.6.1.4.1.11591.4.11"),
            der.sequence(
                der.octets(salt),
                der.integer(_SCRYPT_N),
                der.integer(_SCRYPT_R),
                der.integer(_SCRYPT_P),
                der.integer(32),
            ),
        )
        aes = der.sequence(der.oid("2.16.840.1.101.3.4.1.42"), der.octets(iv))
        pbes2 = der.sequence(der.oid("1.2.840.113549.1.5.13"), der.sequence(kdf, aes))
        return _armor(der.sequence(pbes2, der.octets(body)))

    def _open(self, pem: bytes, path: Path) -> bytes:
        salt, iv, body = _parts(pem, path)
        cipher = Cipher(algorithms.AES256(self._stretch(salt)), modes.CBC(iv)).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        try:
            padded = cipher.update(body) + cipher.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError as failure:
            raise KeyFileError(f"wrong passphrase for the key file {path}") from failure


def _plain(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def write_private(path: Path, content: bytes, *, exclusive: bool) -> None:
    """Write a file that only its owner reads: whole and durable, or not at all.

    With `exclusive`, raises FileExistsError if the file is there; else replaces it.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            os.link(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parts(pem: bytes, path: Path) -> tuple[bytes, bytes, bytes]:
    """Split a key file into salt, IV and ciphertext; only our own parameters are accepted."""
    try:
        (_, _, outer), *_ = armor.unarmor(pem, multiple=True)
        ((_, whole),) = der.members(outer)
        (_, algorithm), (_, ciphertext) = der.members(whole)
        _, (_, parameters) = der.members(algorithm)
        (_, derivation), (_, encryption) = der.members(parameters)
        _, (_, scrypt) = der.members(derivation)
        _, (_, iv) = der.members(encryption)
        (_, salt), *cost = der.members(scrypt)
    except (ValueError, TypeError) as failure:
        raise KeyFileError(f"{path} is not an encrypted key file of this office") from failure
    if [int.from_bytes(value, "big") for _, value in cost] != [_SCRYPT_N, _SCRYPT_R, _SCRYPT_P, 32]:
        raise KeyFileError(f"{path} was stretched with a cost this office does not use")
    return salt, iv, ciphertext


def _armor(body: bytes) -> bytes:
    return bytes(armor.armor("ENCRYPTED PRIVATE KEY", body))
