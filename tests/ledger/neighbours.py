"""Three witnesses and a timestamp authority over HTTP, in a process that may be killed.

What they remember is on disk; their keys and the authority's come from whoever starts them. So
they can be killed and started again, at another port, and are the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import structlog
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import Certificate, load_der_x509_certificate

from ledger.note import Cosigner, LogKeys, Verifier
from ledger.witness import Witness
from ledger.witness_store import WitnessStore
from server.http.witness import WitnessRoom
from server.witness_house import wall_clock
from signing.tsa import Authority

Secret = tuple[str, bytes, bytes]
"""A name, an Ed25519 and an ML-DSA-44 key, in bytes that a process can be handed."""


def to_secret(keys: LogKeys | Cosigner) -> Secret:
    name = keys.origin if isinstance(keys, LogKeys) else keys.name
    return name, keys.ed25519.private_bytes_raw(), keys.mldsa44.private_bytes_raw()


def log_keys(secret: Secret) -> LogKeys:
    return LogKeys(*_keys(secret))


def cosigner(secret: Secret) -> Cosigner:
    return Cosigner(*_keys(secret))


def _keys(secret: Secret) -> tuple[str, Ed25519PrivateKey, MLDSA44PrivateKey]:
    name, ed25519, mldsa44 = secret
    return (
        name,
        Ed25519PrivateKey.from_private_bytes(ed25519),
        MLDSA44PrivateKey.from_seed_bytes(mldsa44),
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """A timestamp authority's key and certificates (DER)."""

    key: bytes
    certificate: bytes
    chain: tuple[bytes, ...]

    def authority(self) -> Authority:
        key = load_der_private_key(self.key, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        chain: list[Certificate] = [load_der_x509_certificate(each) for each in self.chain]
        return Authority(key, load_der_x509_certificate(self.certificate), chain, clock=wall_clock)


def run(
    directory: str, witnesses: Sequence[Secret], vkeys: Sequence[str], unit: Unit, pipe: Connection
) -> None:
    """Serve until killed; says its port through the pipe, and nothing else."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_serve(Path(directory), witnesses, vkeys, unit, pipe))


async def _serve(
    directory: Path,
    witnesses: Sequence[Secret],
    vkeys: Sequence[str],
    unit: Unit,
    pipe: Connection,
) -> None:
    keys = [Verifier.parse(vkey) for vkey in vkeys]
    authority = unit.authority()

    async def timestamp(request: web.Request) -> web.Response:
        return web.Response(body=authority.respond(await request.read()))

    app = web.Application()
    app.router.add_post("/timestamp", timestamp)
    for secret in witnesses:
        rows = WitnessStore(memory(directory, secret[0]), create=True)
        witness = Witness(cosigner(secret), logs={keys[0].name: keys}, rows=rows, clock=wall_clock)
        app.add_subapp(f"/{secret[0]}", WitnessRoom(witness).application())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def memory(directory: Path, name: str) -> Path:
    """Where a witness keeps what it has cosigned."""
    return directory / f"{name}.db"
