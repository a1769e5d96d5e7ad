"""`python -m server.media_process FD`: a media worker's process, with our cipher.

Started by `server.media.crew` alone; FD is the end of the pipe it inherits.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from ledger.entry import sm3
from server.media.takefile import Encrypt
from server.media.worker import work
from server.observe import configure
from server.storage.cipher import Cipher


def main() -> None:
    """Work until the server says stop or is gone."""
    configure()
    end = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(work(end, make_encrypt=_encrypt, digests={"sm3": _sm3}))


def _encrypt(key: bytes) -> Encrypt:
    return Cipher(key, os.urandom).encrypt


def _sm3(content: bytes) -> str:
    return sm3(content).hex()


if __name__ == "__main__":
    main()
