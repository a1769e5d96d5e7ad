"""HTTPS on a local network: a certificate of our own, so that phones give their cameras.

A browser gives a camera to HTTPS pages only. Where there is no public name and no proxy, the server
makes a small authority for this one machine and a certificate from it. The authority may certify
nothing but private addresses and this machine's names (RFC 5280 4.2.1.10), so a phone that trusts
it trusts it for nothing else; it has nothing to do with the notarial one.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AUTHORITY_DAYS, CERTIFICATE_DAYS, RENEW_DAYS = 3650, 397, 30
"""Phones take no certificate of more than 398 days from an authority of their own making."""
_LOOK_EVERY_S = 3_600.0
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server shows: its certificate chain and key (PEM files), and the authority that
    phones have to trust, when it is ours."""

    certificate: Path
    key: Path
    authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return a context of it. Raises OSError (ssl.SSLError too) for files of no use."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def authority_der(self) -> bytes:
        """Return our authority's certificate (DER); nothing for certificates somebody brought."""
        if self.authority is None:
            return b""
        return _read(self.authority).public_bytes(serialization.Encoding.DER)


def own_addresses() -> list[Address]:
    """Return this machine's addresses that others may reach, the likeliest first."""
    found = [
        ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    reached = [each for each in found if not each.is_loopback and not each.is_link_local]
    return sorted(set(reached), key=lambda each: (each.version, not each.is_private, int(each)))


def own_certificate(folder: Path, *, addresses: Sequence[Address], now: int) -> Served:
    """Return a certificate for these addresses and this machine's names, made when there is none.

    It is made anew 30 days before its end (`now`: ms UTC) and when an address is new; the authority
    stays, so phones that trust it go on. Raises OSError for a folder that cannot be written.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    at = datetime.datetime.fromtimestamp(now / 1000, datetime.UTC)
    names = _names()
    every = [*addresses, ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    served = Served(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    authority = served.authority or folder
    if not _covers(authority, every, names, at, days=CERTIFICATE_DAYS):
        _make_authority(folder, every, names, at)
        served.certificate.unlink(missing_ok=True)
    if not _holds(served.certificate, every, names, at):
        _make_certificate(folder, every, names, at)
    return served


async def keep_fresh(
    context: ssl.SSLContext,
    renew: Callable[[], Served],
    *,
    every_s: float = _LOOK_EVERY_S,
    told: Callable[[str], None],
) -> None:
    """Load what `renew` returns once an hour: new connections are shown the newest certificate.

    `told` is given what went wrong; the certificate that was loaded before goes on.
    """
    while True:
        await asyncio.sleep(every_s)
        try:
            served = await asyncio.to_thread(renew)
            context.load_cert_chain(served.certificate, served.key)
        except (OSError, ValueError) as error:
            told(str(error))


def _names() -> list[str]:
    host = socket.gethostname().split(".")[0].lower()
    plain = "".join(each for each in host if each.isascii() and (each.isalnum() or each == "-"))
    return ["localhost", *([plain, f"{plain}.local"] if plain.strip("-") else [])]


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _covers(
    path: Path,
    addresses: Sequence[Address],
    names: Sequence[str],
    at: datetime.datetime,
    *,
    days: int,
) -> bool:
    """Whether the authority there may certify all of this, longer than a certificate holds."""
    try:
        found = _read(path)
        allowed = found.extensions.get_extension_for_class(x509.NameConstraints).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    permitted = allowed.permitted_subtrees or []
    nets = [ipaddress.ip_network(each.value) for each in permitted if _is_net(each)]
    known = {each.value for each in permitted if isinstance(each, x509.DNSName)}
    return (
        found.not_valid_after_utc - at > datetime.timedelta(days=days)
        and all(any(one in net for net in nets) for one in addresses)
        and known >= set(names)
    )


def _holds(
    path: Path, addresses: Sequence[Address], names: Sequence[str], at: datetime.datetime
) -> bool:
    try:
        found = _read(path)
        shown = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        found.not_valid_before_utc <= at
        and found.not_valid_after_utc - at > datetime.timedelta(days=RENEW_DAYS)
        and set(shown.get_values_for_type(x509.IPAddress)) >= set(addresses)
        and set(shown.get_values_for_type(x509.DNSName)) >= set(names)
    )


def _is_net(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.IPAddress)


def _make_authority(
    folder: Path, addresses: Sequence[Address], names: Sequence[str], at: datetime.datetime
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    label = f"Farseal on {names[-1]} {at:%Y-%m-%d}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    nets = [ipaddress.ip_network(each) for each in _PRIVATE]
    beyond = [each for each in addresses if not any(each in net for net in nets)]
    others = [ipaddress.ip_network(each) for each in beyond]
    subtrees = [
        *(x509.IPAddress(each) for each in (*nets, *others)),
        *(x509.DNSName(each) for each in names),
    ]
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _begun(name, name, key.public_key(), at, days=AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(subtrees, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _keep(folder / "authority.key", _private(key))
    _keep(folder / "authority.pem", made.public_bytes(serialization.Encoding.PEM))


def _make_certificate(
    folder: Path, addresses: Sequence[Address], names: Sequence[str], at: datetime.datetime
) -> None:
    authority = _read(folder / "authority.pem")
    signer = serialization.load_pem_private_key((folder / "authority.key").read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise OSError(f"{folder / 'authority.key'} is not the key we made")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[-1])])
    shown = [*(x509.IPAddress(each) for each in addresses), *(x509.DNSName(each) for each in names)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = (
        _begun(name, authority.subject, key.public_key(), at, days=CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(shown), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(signer, hashes.SHA256())
    )
    _keep(folder / "server.key", _private(key))
    _keep(folder / "server.pem", made.public_bytes(serialization.Encoding.PEM))


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    at: datetime.datetime,
    *,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(hours=1))  # a phone's clock may be behind
        .not_valid_after(at + datetime.timedelta(days=days))
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),  # as the file `secret` beside it: who reads one reads both
    )


def _keep(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, for this user only."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
