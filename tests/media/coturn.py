"""A real coturn, started the way the composition starts it (docker/turn.sh)."""

import asyncio
import datetime
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START = Path(__file__).parents[2] / "docker" / "turn.sh"
ADDRESS = "127.0.0.1"
SECRET = "a secret of an office and its coturn, 32 bytes or more"


@dataclass(frozen=True)
class Coturn:
    """A running coturn, the certificate it shows, its process, and what it has said."""

    port: int
    tls_port: int
    certificate: Path
    pid: int
    log: Path


@asynccontextmanager
async def coturn(folder: Path, *, peers: str = ADDRESS) -> AsyncIterator[Coturn]:
    """Runs coturn on loopback until the end of the block; it relays to `peers` only."""
    certificate, key = _certificate(folder)
    port, tls_port = _free_port(), _free_port()
    log = folder / "coturn.log"
    with log.open("wb") as printed:
        process = await asyncio.create_subprocess_exec(
            *("sh", str(START)),
            # What only a test does: everybody is on loopback, which coturn refuses otherwise.
            *("--allow-loopback-peers", "--cli-password", "x"),
            env={
                "PATH": "/usr/bin:/bin",
                "FARSEAL_TURN_SECRET": SECRET,
                "FARSEAL_MEDIA_HOSTS": peers,
                "TURN_ADDRESS": ADDRESS,
                "TURN_PORT": str(port),
                "TURN_TLS_PORT": str(tls_port),
                "TURN_CERT": str(certificate),
                "TURN_KEY": str(key),
                "TURN_RUN": str(folder),
            },
            stdout=printed,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        for each in (port, tls_port):
            await _until_open(each, process, log)
        yield Coturn(port, tls_port, certificate, process.pid, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_open(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection(ADDRESS, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
    raise RuntimeError(log.read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "turn.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate, keyfile = folder / "turn.pem", folder / "turn.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, keyfile
