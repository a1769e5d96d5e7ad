"""Blobs: encrypted with a key of their case, named by the digest of their ciphertext.

    <case>/<name>       what is under a case's evidence key; erasing the case deletes its folder
    register/<name>     what is under register keys: certificates and bundles

`put` returns only when the bytes are on the disk, so an event may name them in the same moment.
The same name with other bytes cannot be, so writing twice is harmless.
"""

import asyncio
import errno
import os
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from obstore.exceptions import GenericError
from obstore.store import LocalStore

from server.domain.errors import DomainError
from server.storage.cipher import Cipher

REGISTER = "register"
"""The place of what is not erased with its case."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored blob: its name (digest of the ciphertext), and the content's size and digest."""

    name: str
    size: int
    sha256: str


class Objects:
    """A directory of ciphertexts. `directory` is created; listing is never needed.

    `place` is a case's id, or REGISTER.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._store = LocalStore(directory)

    async def put(self, content: bytes, *, place: str, cipher: Cipher, label: str) -> Stored:
        """Encrypt, store and flush; durable on return."""
        return await asyncio.to_thread(self._put, content, place, cipher, label)

    async def keep(self, blob: bytes, *, place: str) -> str:
        """Store a ciphertext as it is, durable on return; its name. Repeating it mends it."""
        return await asyncio.to_thread(self._keep, blob, place)

    async def get(self, name: str, *, place: str, cipher: Cipher, label: str) -> bytes:
        """The content of a blob; refuses `object-damaged` if it is lost or was changed."""
        return await asyncio.to_thread(self._get, name, place, cipher, label)

    async def remove_all(self, case_id: str) -> int:
        """Delete every blob of a case's evidence, durably, also what nothing names; how many."""
        return await asyncio.to_thread(self._remove_all, case_id)

    def _get(self, name: str, place: str, cipher: Cipher, label: str) -> bytes:
        try:
            blob = bytes(self._store.get(f"{place}/{name}").bytes())
        except FileNotFoundError:
            raise DomainError("object-damaged", label=label) from None
        if sha256(blob).hexdigest() != name:
            raise DomainError("object-damaged", label=label)
        return cipher.decrypt(blob, label)

    def _put(self, content: bytes, place: str, cipher: Cipher, label: str) -> Stored:
        name = self._keep(cipher.encrypt(content, label), place)
        return Stored(name, len(content), sha256(content).hexdigest())

    def _keep(self, blob: bytes, place: str) -> str:
        name = sha256(blob).hexdigest()
        try:
            self._store.put(f"{place}/{name}", blob)
        except GenericError as error:
            raise _as_os_error(error) from error
        file = self._directory / place / name
        # obstore renames into place without flushing: flush the bytes, then the names above them
        for path in (file, file.parent, self._directory):
            _flush(path)
        return name

    def _remove_all(self, case_id: str) -> int:
        folder = self._directory / case_id
        if case_id == REGISTER or not folder.is_dir():
            return 0
        count = sum(1 for _ in folder.iterdir())
        shutil.rmtree(folder)
        _flush(self._directory)
        return count


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_os_error(error: GenericError) -> Exception:
    """A full disk as everybody else says it; obstore only mentions it in words."""
    if "os error 28" in str(error):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error
