"""Where the server listens, where it keeps things, and the one secret everything is derived from.

    --data         FARSEAL_DATA         directory of databases, keys, objects, recordings (data)
    --host         FARSEAL_HOST         address to listen on (127.0.0.1; with --tls every address)
    --port         FARSEAL_PORT         TCP port, 0 takes a free one (8080)
    --public-url   FARSEAL_PUBLIC_URL   what people type; fixed at the first start, for it stands
                                        in certificates (http://localhost:PORT)
    --media-host   FARSEAL_MEDIA_HOSTS  addresses offered for video (every local address)
    --media-ports  FARSEAL_MEDIA_PORTS  UDP ports of video, FIRST-LAST (any the system picks)
    --workers      FARSEAL_WORKERS      processes that forward and record video; 1 is this one (1)
    --turn         FARSEAL_TURN         a TURN server for browsers that cannot reach the media
                                        ports, turn:HOST or turns:HOST:443 (none)
                   FARSEAL_TURN_SECRET  the secret shared with it (coturn: static-auth-secret)
    --tls          FARSEAL_TLS          HTTPS with a certificate of our own, for phones on the local
                                        network (off)
    --tls-cert     FARSEAL_TLS_CERT     HTTPS with this certificate chain instead, a PEM file
    --tls-key      FARSEAL_TLS_KEY      and its key
    --trust-proxy  FARSEAL_TRUST_PROXY  take the caller's address from X-Forwarded-For (off)
    --witness-policy FARSEAL_WITNESS_POLICY
                                        whose cosignatures seals need, and where to ask for them
                                        (the file `witness-policy` in the directory, if any)
    --timestamp-authorities FARSEAL_TIMESTAMP_AUTHORITIES
                                        other people's authorities that date the ledger (the file
                                        `timestamp-authorities` in the directory, if any)
    --gm           FARSEAL_GM           sign the ledger's checkpoints by SM2 too (off)
    --ledger-database FARSEAL_LEDGER_DATABASE
                                        the ledger's PostgreSQL, postgresql://user:password@host/db
                                        (the file `ledger/ledger.db` in the directory)
                   FARSEAL_SECRET       the master secret (the file `secret` in the directory)

The master secret wraps the case keys, opens the office's key files and makes the demo logins.
Whoever
has it and the data directory has everything; whoever loses it has lost everything but the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509

from ledger.errors import PolicyError
from ledger.policy import NO_WITNESSES, Policy
from ledger.sm2 import available
from server.timestamps import MOST_AUTHORITIES, Authority
from signing.keys import Secret

if TYPE_CHECKING:
    from server.media.ports import Ports

_SHORTEST_SECRET = 32
_TURN_URL = re.compile(  # RFC 7065, with the host in its usual forms
    r"turns?:([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(\?transport=(udp|tcp))?"
)


class ConfigError(Exception):
    """A setting that cannot work; the message says which one and what would."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one server, already checked. Without `public_url` the office's own holds."""

    data: Path
    host: str
    port: int
    public_url: str | None
    media_hosts: tuple[str, ...] | None
    trust_proxy: bool
    secret: Secret
    ledger_database: Secret | None = field(default=None, kw_only=True)  # it holds a password
    policy: Policy = NO_WITNESSES
    gm: bool = False
    authorities: tuple[Authority, ...] = ()
    workers: int = field(default=1, kw_only=True)
    media_ports: Ports | None = field(default=None, kw_only=True)
    turn: tuple[str, ...] = field(default=(), kw_only=True)
    turn_secret: Secret | None = field(default=None, kw_only=True)  # present with `turn` only
    tls: bool = field(default=False, kw_only=True)
    tls_files: tuple[Path, Path] | None = field(default=None, kw_only=True)  # certificate, key

    @property
    def secure(self) -> bool:
        """Whether people reach the server over HTTPS, so that cookies may be bound to it."""
        return self.tls or (self.public_url or "").startswith("https://")

    def path(self, name: str) -> Path:
        """Return the place of `name` in the data directory."""
        return self.data / name


def read_config(
    *,
    data: Path,
    host: str | None = None,
    port: int = 8080,
    public_url: str | None = None,
    media_hosts: tuple[str, ...] | None = None,
    trust_proxy: bool = False,
    ledger_database: str | None = None,
    witness_policy: Path | None = None,
    timestamp_authorities: Path | None = None,
    gm: bool = False,
    workers: int = 1,
    media_ports: str | None = None,
    turn: tuple[str, ...] = (),
    tls: bool = False,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    environment: Mapping[str, str] | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Config:
    """Return checked settings; make the data directory and the master secret on the first run.

    Raises ConfigError for an address nobody could open, a directory that cannot be written, or a
    secret too short to protect anything.
    """
    url = public_url.rstrip("/") if public_url else None
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.path:
            raise ConfigError(
                f"public url {url!r} is not an address like https://notary.example: "
                "scheme and host, no path"
            )
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"the data directory {data} cannot be written ({error.strerror}); "
            "give another with --data, or give this user the right to write there"
        ) from error
    if gm and not available():
        raise ConfigError(
            "SM2 signatures were asked for (--gm), but the optional extra is not installed: "
            "pip install 'farseal[gm]', or start without --gm"
        )
    given = os.environ if environment is None else environment
    shared = _turn_secret(turn, given)
    files = _tls_files(tls_cert, tls_key)
    listen = host or ("0.0.0.0" if tls or files else "127.0.0.1")  # noqa: S104 - phones call
    secret = _master_secret(data / "secret", given, random)
    policy = _policy(witness_policy, data / "witness-policy")
    authorities = _authorities(timestamp_authorities, data / "timestamp-authorities")
    address = _ledger_database(ledger_database)
    return Config(
        *(data, listen, port, url, media_hosts, trust_proxy, secret, policy, gm, authorities),
        ledger_database=address,
        workers=workers,
        media_ports=_media_ports(media_ports, workers),
        turn=turn,
        turn_secret=shared,
        tls=tls or files is not None,
        tls_files=files,
    )


def derive(secret: Secret, label: str, *, length: int = 32) -> bytes:
    """Return `length` (at most 32) bytes for one purpose; labels never share bytes
    (HMAC-SHA-256)."""
    return hmac.digest(secret.reveal(), f"farseal/{label}".encode(), hashlib.sha256)[:length]


def _media_ports(text: str | None, workers: int) -> Ports | None:
    if not text:
        return None
    from server.media.ports import Ports  # here: every command reads settings, few need video

    try:
        ports = Ports.parse(text)
        ports.split(workers)
    except ValueError as error:
        raise ConfigError(f"the media ports are of no use: {error}") from error
    return ports


def _ledger_database(url: str | None) -> Secret | None:
    if not url:
        return None
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(  # it may hold a password, so it is not repeated
            "the ledger's database is not an address like postgresql://user:password@host/name"
        )
    return Secret(url)


def _turn_secret(urls: tuple[str, ...], environment: Mapping[str, str]) -> Secret | None:
    for url in urls:
        if not _TURN_URL.fullmatch(url):
            raise ConfigError(
                f"{url!r} is not an address like turn:notary.example:3478 or "
                "turns:notary.example:443?transport=tcp"
            )
    shared = environment.get("FARSEAL_TURN_SECRET", "")
    if bool(urls) != bool(shared):
        raise ConfigError(
            "a TURN server needs both: its address (--turn) and the secret it shares with the "
            "office (FARSEAL_TURN_SECRET, coturn's static-auth-secret)"
        )
    if shared and len(shared.encode()) < _SHORTEST_SECRET:
        raise ConfigError(f"FARSEAL_TURN_SECRET is shorter than {_SHORTEST_SECRET} bytes")
    return Secret(shared) if shared else None


def _tls_files(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("a certificate and its key go together: --tls-cert and --tls-key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"{certificate} and {key} are no certificate chain and its key, both PEM: {error}"
        ) from error
    return certificate, key


def _policy(asked: Path | None, usual: Path) -> Policy:
    """The witness policy: the file asked for, else the usual one if it is there."""
    path = asked or (usual if usual.exists() else None)
    if path is None:
        return NO_WITNESSES
    try:
        data = path.read_bytes()
        data.decode()  # it stands in trust.json, which is JSON
        policy = Policy.parse(data)
        policy.require_reachable()
    except (OSError, UnicodeDecodeError, PolicyError) as error:
        raise ConfigError(f"the witness policy {path} is of no use: {error}") from error
    return policy


def _authorities(asked: Path | None, usual: Path) -> tuple[Authority, ...]:
    """One a line: an address and, beside the file, the PEM file of the roots its tokens lead to."""
    path = asked or (usual if usual.exists() else None)
    if path is None:
        return ()
    found = []
    try:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or urlsplit(words[0]).scheme not in ("http", "https"):
                raise ValueError(f"line {number} is not an address and a file of root certificates")
            pem = (path.parent / words[1]).read_bytes()
            found.append(Authority(words[0], tuple(x509.load_pem_x509_certificates(pem))))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the timestamp authorities {path} are of no use: {error}") from error
    if not 0 < len(found) <= MOST_AUTHORITIES:
        raise ConfigError(f"{path} names {len(found)} authorities, not 1 to {MOST_AUTHORITIES}")
    return tuple(found)


def _master_secret(
    path: Path, environment: Mapping[str, str], random: Callable[[int], bytes]
) -> Secret:
    if given := environment.get("FARSEAL_SECRET"):
        if len(given.encode()) < _SHORTEST_SECRET:
            raise ConfigError(f"FARSEAL_SECRET is shorter than {_SHORTEST_SECRET} bytes")
        return Secret(given)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        text = path.read_text().strip()
        if len(text) < _SHORTEST_SECRET:
            raise ConfigError(
                f"{path} is damaged: it holds fewer than {_SHORTEST_SECRET} characters; "
                "put the backup of this file back, the data cannot be opened without it"
            ) from None
        return Secret(text)
    text = random(32).hex()
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Secret(text)
