"""Blobs: encrypted with a key of their case, named by the digest of their ciphertext.

`put` returns only when the bytes are on the disk, so an event may name them in the same moment.
The same name with other bytes cannot be, so writing twice is harmless.
"""

import asyncio
import errno
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from obstore.exceptions import GenericError
from obstore.store import LocalStore

from server.domain.errors import DomainError
from server.storage.cipher import Cipher


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored blob: its name (digest of the ciphertext), and the content's size and digest."""

    name: str
    size: int
    sha256: str


class Objects:
    """A directory of ciphertexts. `directory` is created; listing is never needed."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._store = LocalStore(directory)

    async def put(self, content: bytes, *, cipher: Cipher, label: str) -> Stored:
        """Encrypt, store and flush; durable on return."""
        return await asyncio.to_thread(self._put, content, cipher, label)

    async def keep(self, blob: bytes) -> str:
        """Store a ciphertext as it is, durable on return; its name. Repeating it mends it."""
        return await asyncio.to_thread(self._keep, blob)

    async def get(self, name: str, *, cipher: Cipher, label: str) -> bytes:
        """The content of a blob; refuses `object-damaged` if it is lost or was changed."""
        return await asyncio.to_thread(self._get, name, cipher, label)

    def _get(self, name: str, cipher: Cipher, label: str) -> bytes:
        try:
            blob = bytes(self._store.get(_path(name)).bytes())
        except FileNotFoundError:
            raise DomainError("object-damaged", label=label) from None
        if sha256(blob).hexdigest() != name:
            raise DomainError("object-damaged", label=label)
        return cipher.decrypt(blob, label)

    def _put(self, content: bytes, cipher: Cipher, label: str) -> Stored:
        name = self._keep(cipher.encrypt(content, label))
        return Stored(name, len(content), sha256(content).hexdigest())

    def _keep(self, blob: bytes) -> str:
        name = sha256(blob).hexdigest()
        try:
            self._store.put(_path(name), blob)
        except GenericError as error:
            raise _as_os_error(error) from error
        file = self._directory / _path(name)
        # obstore renames into place without flushing: flush the bytes, then the names above them
        for path in (file, file.parent, self._directory):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return name


def _as_os_error(error: GenericError) -> Exception:
    """A full disk as everybody else says it; obstore only mentions it in words."""
    if "os error 28" in str(error):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


def _path(name: str) -> str:
    return f"{name[:2]}/{name}"
