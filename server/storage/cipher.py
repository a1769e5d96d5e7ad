"""AES-256-GCM with a label: nonce (12 bytes) || ciphertext || tag (16 bytes).

The label is authenticated, so a blob cannot be taken for another one of the same case.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.domain.errors import DomainError

Randomness = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Cipher:
    """Encrypts and decrypts under one key of 32 bytes; does not print it."""

    key: bytes = field(repr=False)
    random: Randomness = field(repr=False)

    def encrypt(self, plaintext: bytes, label: str) -> bytes:
        """Nonce and ciphertext of the plaintext, bound to the label."""
        nonce = self.random(12)
        return nonce + AESGCM(self.key).encrypt(nonce, plaintext, label.encode())

    def decrypt(self, blob: bytes, label: str) -> bytes:
        """The plaintext; refuses `object-damaged` for a changed blob, another key or label."""
        try:
            return AESGCM(self.key).decrypt(blob[:12], blob[12:], label.encode())
        except (InvalidTag, ValueError):
            raise DomainError("object-damaged", label=label) from None
