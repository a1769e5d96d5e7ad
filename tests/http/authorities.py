"""Other people's time stamping authorities, on loopback: by our own code, and by openssl."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing.ca import open_office
from signing.keys import Secret
from tests.signing.cast import PASSPHRASE, profile

Answer = Callable[[bytes], Awaitable[bytes]]
CONFIG = """[tsa]
default_tsa = unit
[unit]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
ordering = no
tsa_name = yes
"""


@dataclass(slots=True)
class Served:
    """An authority at an address. asked: the loop's time (s) of each request."""

    url: str
    root: x509.Certificate
    asked: list[float] = field(default_factory=list)
    away: bool = False


@asynccontextmanager
async def serve(answer: Answer, root: x509.Certificate) -> AsyncIterator[Served]:
    """Answer RFC 3161 requests over HTTP."""

    async def stamp(request: web.Request) -> web.Response:
        served.asked.append(asyncio.get_running_loop().time())
        if served.away or request.content_type != "application/timestamp-query":
            raise web.HTTPServiceUnavailable
        body = await answer(await request.read())
        return web.Response(body=body, content_type="application/timestamp-reply")

    app = web.Application()
    app.router.add_post("/", stamp)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served = Served(f"http://127.0.0.1:{runner.addresses[0][1]}/", root)
        yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def neighbour(directory: Path, clock: Callable[[], int]) -> AsyncIterator[Served]:
    """The authority of another office."""
    office = await asyncio.to_thread(
        open_office, directory, profile(), Secret(PASSPHRASE), clock=clock
    )

    async def answer(request: bytes) -> bytes:
        return await asyncio.to_thread(office.tsa.respond, request)

    async with serve(answer, office.root) as served:
        yield served


@asynccontextmanager
async def openssl(directory: Path) -> AsyncIterator[Served]:
    """`openssl ts` as the authority, with an RSA key."""
    directory.mkdir()
    root, leaf, key = unit()
    (directory / "unit.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (directory / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (directory / "openssl.cnf").write_text(CONFIG)
    (directory / "serial").write_text("01\n")

    async def answer(request: bytes) -> bytes:
        (directory / "query").write_bytes(request)
        command = "openssl ts -reply -config openssl.cnf -queryfile query -signer unit.pem "
        command += "-inkey key.pem -chain root.pem -out answer"
        await asyncio.to_thread(
            subprocess.run, command.split(), cwd=directory, check=True, capture_output=True
        )
        return (directory / "answer").read_bytes()

    async with serve(answer, root) as served:
        yield served


def unit() -> tuple[x509.Certificate, x509.Certificate, rsa.RSAPrivateKey]:
    """A root, a certificate for time stamping only under it, and that one's key."""
    ca, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        for name in ("Other Root", "Other TSA")
    ]
    begin = datetime.now(UTC) - timedelta(days=1)

    def certificate(name: x509.Name, public: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=365))
        )

    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    signs = x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage)
    issues = x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage)
    root = (
        certificate(names[0], ca.public_key())
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(issues, True)
        .sign(ca, hashes.SHA256())
    )
    leaf = (
        certificate(names[1], key.public_key())
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(signs, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
        .sign(ca, hashes.SHA256())
    )
    return root, leaf, key
