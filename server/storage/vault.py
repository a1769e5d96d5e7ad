"""The vault: two keys per case, wrapped by a key derived from the master secret.

    evidence   recording, frames, papers, and everything personal in the case
    register   what status and verification of an issued certificate need

Erasing a case destroys its evidence key; the register key lives as long as the register. The vault
is a file of its own, so that it can lie on another volume. A destroyed key is in none of its files
any more; it may be in backups of them, which have to expire (docs/operations.md).
"""

import sqlite3
import threading
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.storage.cipher import Cipher, Randomness

Purpose = Literal["evidence", "register"]
PURPOSES: tuple[Purpose, ...] = ("evidence", "register")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS case_key (
  case_id TEXT NOT NULL, purpose TEXT NOT NULL, wrapped BLOB, destroyed_at INTEGER,
  PRIMARY KEY (case_id, purpose)
) STRICT
"""


class VaultError(Exception):
    """The vault cannot give this key: another master secret, or a key that is not there."""


class ErasedError(VaultError):
    """The key was destroyed: what it opened is erased for good."""


class Vault:
    """Synchronous and safe in threads; a key is read once and then remembered.

    Owned by the composition root, which closes it.
    """

    def __init__(self, path: Path, *, secret: bytes, random: Randomness) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self._random = random
        self._wrapping = AESGCM(
            HKDF(algorithm=SHA256(), length=32, salt=None, info=b"farseal/vault/v1").derive(secret)
        )
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Cipher] = {}
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute("PRAGMA temp_store=MEMORY")
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        """Let the file go; the keys are forgotten."""
        with self._lock:
            self._known.clear()
            self._db.close()

    def create(self, case_id: str) -> None:
        """Make both keys of a case, durable on return; a case that has them keeps them."""
        with self._lock:
            for purpose in PURPOSES:
                nonce, label = self._random(12), f"{case_id}/{purpose}".encode()
                wrapped = nonce + self._wrapping.encrypt(nonce, self._random(32), label)
                self._db.execute(
                    "INSERT OR IGNORE INTO case_key (case_id, purpose, wrapped) VALUES (?, ?, ?)",
                    (case_id, purpose, wrapped),
                )

    def cipher(self, case_id: str, purpose: Purpose = "evidence") -> Cipher:
        """The cipher of one key of a case; raises VaultError."""
        with self._lock:
            known = self._known.get((case_id, purpose))
            if known is None:
                known = Cipher(self._unwrap(case_id, purpose), self._random)
                self._known[case_id, purpose] = known
            return known

    def destroy(self, case_id: str, *, at: int) -> None:
        """Destroy the evidence key of a case: what it encrypted and salted is erased.

        On return no file of the vault holds the wrapped key. Repeating it finishes one that was
        broken off; the time of the first stands. Raises VaultError while another program has the
        vault open in the middle of something.
        """
        with self._lock:
            self._known.pop((case_id, "evidence"), None)
            self._db.execute(
                "UPDATE case_key SET wrapped = NULL, destroyed_at = ? "
                "WHERE case_id = ? AND purpose = 'evidence' AND wrapped IS NOT NULL",
                (at, case_id),
            )
            # The log still holds the page as it was when the key was made, and so may pages that
            # the file keeps free: empty the one, write the other anew.
            self._empty_log()
            self._db.execute("VACUUM")
            self._empty_log()

    def destroyed_at(self, case_id: str) -> int | None:
        """When the evidence key of a case was destroyed (ms UTC), if it was."""
        with self._lock:
            row = self._db.execute(
                "SELECT destroyed_at FROM case_key WHERE case_id = ? AND purpose = 'evidence'",
                (case_id,),
            ).fetchone()
        return row[0] if row else None

    def _empty_log(self) -> None:
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise VaultError("another program reads the vault; the key is not yet gone from disk")

    def _unwrap(self, case_id: str, purpose: Purpose) -> bytes:
        row = self._db.execute(
            "SELECT wrapped FROM case_key WHERE case_id = ? AND purpose = ?", (case_id, purpose)
        ).fetchone()
        if row is None:
            raise VaultError(f"no {purpose} key for case {case_id} was ever made")
        if row[0] is None:
            raise ErasedError(f"the {purpose} key of case {case_id} was destroyed")
        wrapped: bytes = row[0]
        try:
            label = f"{case_id}/{purpose}".encode()
            return self._wrapping.decrypt(wrapped[:12], wrapped[12:], label)
        except InvalidTag:
            raise VaultError("the master secret is not the one this vault was made with") from None
