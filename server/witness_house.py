"""Where a witness lives: a folder with its name, two keys and its memory; and its server.

    name               of the witness, in its keys for ever
    ed25519.key        PKCS#8, readable by its owner only
    mldsa44.key        the same
    witness.db         the largest tree cosigned of each log

The memory is made together with the keys. Keys without it are refused: they could sign what
contradicts what they signed before.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.note import Cosigner, Verifier
from ledger.witness import Witness
from ledger.witness_store import WitnessStore
from server.http.witness import WitnessRoom
from signing.keys import sync_directory, write_private

_GOODBYE_S = 5.0


def wall_clock() -> int:
    """Return the time, ms UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class House:
    """An opened witness: its keys, what it decides, and its memory."""

    keys: Cosigner
    witness: Witness
    store: WitnessStore

    def close(self) -> None:
        """Let go of the memory's file."""
        self.store.close()


def open_witness(
    directory: Path,
    *,
    name: str | None,
    logs: Mapping[str, Sequence[Verifier]],
    clock: Callable[[], int] = wall_clock,
) -> House:
    """Open the witness of a folder; with a `name`, the first call makes it.

    Raises ValueError for another name than it has, DamageError when its memory is missing,
    NoteError for a name no key can have, OSError.
    """
    if not (directory / "name").exists():
        if name is None:
            raise ValueError(f"there is no witness in {directory}; give a --name to make one")
        _found(directory, Cosigner.generate(name))
    keys = _read(directory)
    if name not in (None, keys.name):
        raise ValueError(f"the witness in {directory} is called {keys.name}, for ever")
    store = WitnessStore(directory / "witness.db", create=False)
    return House(keys, Witness(keys, logs=logs, rows=store, clock=clock), store)


def _found(directory: Path, keys: Cosigner) -> None:
    """Make the folder whole, or not at all: it takes its name in one rename."""
    if directory.exists() and any(directory.iterdir()):
        raise ValueError(f"{directory} holds files that are no witness's; nothing was changed")
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = directory.parent / f".{directory.name}.draft"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    for key, file in ((keys.ed25519, "ed25519.key"), (keys.mldsa44, "mldsa44.key")):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(draft / file, pem, exclusive=True)
    WitnessStore(draft / "witness.db", create=True).close()
    write_private(draft / "name", f"{keys.name}\n".encode(), exclusive=True)
    draft.rename(directory)
    sync_directory(directory.parent)


def _read(directory: Path) -> Cosigner:
    found = {}
    for file in ("ed25519.key", "mldsa44.key"):
        path = directory / file
        if path.stat().st_mode & 0o077:
            raise PermissionError(f"the key file {path} is open to others; run: chmod 600 {path}")
        try:
            found[file] = load_pem_private_key(path.read_bytes(), password=None)
        except (TypeError, ValueError, UnsupportedAlgorithm) as error:  # encrypted, or no key
            raise ValueError(f"the key file {path} cannot be read: put it back") from error
    ed25519, mldsa44 = found["ed25519.key"], found["mldsa44.key"]
    if not isinstance(ed25519, Ed25519PrivateKey) or not isinstance(mldsa44, MLDSA44PrivateKey):
        raise ValueError(f"the key files in {directory} hold other kinds of keys")
    return Cosigner((directory / "name").read_text("utf-8").strip(), ed25519, mldsa44)


async def serve(house: House, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is told the address. Raises OSError."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = WitnessRoom(house.witness).application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{bound}")
        await stop.wait()
    finally:
        await runner.cleanup()
