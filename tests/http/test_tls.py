"""HTTPS on a local network: our own certificate, renewed in time, and a whole office behind it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import sys
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from server.config import ConfigError, read_config
from server.rehearsal.logins import staff_logins
from server.rehearsal.office import OfficeProcess
from server.tls import CERTIFICATE_DAYS, RENEW_DAYS, keep_fresh, own_addresses, own_certificate

DAY_MS = 86_400_000
NOW = 1_800_000_000_000
HERE = ipaddress.ip_address("192.168.1.20")
SERVE = (sys.executable, "-m", "server.cli", "serve")


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_certificate_for_this_machine_and_nothing_else(tmp_path: Path) -> None:
    served = own_certificate(tmp_path / "tls", addresses=[HERE], now=NOW)
    shown = _read(served.certificate)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert HERE in names.get_values_for_type(x509.IPAddress)
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert shown.not_valid_after_utc - shown.not_valid_before_utc < datetime.timedelta(days=398)
    assert served.authority is not None
    authority = _read(served.authority)
    shown.verify_directly_issued_by(authority)
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    nets = [
        each.value
        for each in limits.value.permitted_subtrees or []
        if isinstance(each, x509.IPAddress)
    ]
    assert all(net.is_private for net in nets)  # it can certify no address of the internet
    for path in (tmp_path / "tls").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    served.context()


def test_it_stays_until_a_month_before_its_end_and_the_authority_stays(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    served = own_certificate(folder, addresses=[HERE], now=NOW)
    assert served.authority is not None
    first, authority = served.certificate.read_bytes(), served.authority.read_bytes()
    soon = NOW + (CERTIFICATE_DAYS - RENEW_DAYS - 1) * DAY_MS
    own_certificate(folder, addresses=[HERE], now=soon)
    assert served.certificate.read_bytes() == first
    own_certificate(folder, addresses=[HERE], now=soon + 2 * DAY_MS)
    assert served.certificate.read_bytes() != first
    assert served.authority.read_bytes() == authority
    _read(served.certificate).verify_directly_issued_by(_read(served.authority))


def test_another_address_gets_another_certificate(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    served = own_certificate(folder, addresses=[HERE], now=NOW)
    assert served.authority is not None
    authority = served.authority.read_bytes()
    moved = ipaddress.ip_address("10.0.0.7")
    own_certificate(folder, addresses=[moved], now=NOW)
    names = _read(served.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert moved in names.value.get_values_for_type(x509.IPAddress)
    assert served.authority.read_bytes() == authority
    public = ipaddress.ip_address("8.8.4.4")  # beyond what the authority may certify
    own_certificate(folder, addresses=[public], now=NOW)
    assert served.authority.read_bytes() != authority


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    served = own_certificate(tmp_path / "tls", addresses=[HERE], now=NOW)
    served.certificate.write_bytes(b"rubbish")
    own_certificate(tmp_path / "tls", addresses=[HERE], now=NOW).context()


async def test_a_server_that_runs_for_a_year_shows_the_new_one(tmp_path: Path) -> None:
    """Renewal while it runs: the next connection is shown the new certificate."""
    folder, told = tmp_path / "tls", []
    now = NOW
    served = own_certificate(folder, addresses=[ipaddress.ip_address("127.0.0.1")], now=now)
    context = served.context()
    old = _read(served.certificate).serial_number
    now += (CERTIFICATE_DAYS - 1) * DAY_MS

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def shown() -> int:
        look = ssl.create_default_context()
        look.check_hostname, look.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=look)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(der).serial_number

    looked = asyncio.Event()

    def renew() -> object:
        made = own_certificate(folder, addresses=[ipaddress.ip_address("127.0.0.1")], now=now)
        loop.call_soon_threadsafe(looked.set)
        return made

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    assert await shown() == old
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(
            keep_fresh(context, renew, every_s=0.01, told=told.append)  # type: ignore[arg-type]
        )
        for _ in range(2):  # the second look comes after the first was loaded
            looked.clear()
            await looked.wait()
        assert await shown() == _read(served.certificate).serial_number != old
        keeping.cancel()
    server.close()
    await server.wait_closed()
    assert told == []


@pytest.mark.parametrize("given", ["tls_cert", "tls_key"])
def test_a_certificate_without_its_key_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError, match="go together"):
        read_config(data=tmp_path, environment={}, **{given: tmp_path / "x"})  # type: ignore[arg-type]


def test_files_that_are_no_certificate_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no")
    with pytest.raises(ConfigError, match="PEM"):
        read_config(data=tmp_path, environment={}, tls_cert=tmp_path / "x", tls_key=tmp_path / "x")


async def test_an_office_behind_its_own_certificate(tmp_path: Path) -> None:
    """A client that trusts the authority logs in; the cookie is bound to HTTPS; wss answers."""
    office = OfficeProcess(tmp_path / "data", command=(*SERVE, "--tls"))
    addresses = own_addresses()
    if not addresses:
        pytest.skip("this machine has no address but loopback")
    try:
        await office.start()
        said = office.log.read_text()
        host = f"[{addresses[0]}]" if addresses[0].version == 6 else str(addresses[0])
        assert f"https://{host}:" in said
        assert "/local-authority.cer" in said
        url = next(word for word in said.split() if word.startswith("https://"))
        trusts = ssl.create_default_context(cafile=str(tmp_path / "data" / "tls" / "authority.pem"))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusts),
            headers={"X-Farseal": "1"},
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # an address is a host like any other
        ) as http:
            async with http.get(f"{url}/local-authority.cer") as answer:
                pem = (tmp_path / "data" / "tls" / "authority.pem").read_bytes()
                der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
                assert await answer.read() == der
            held = staff_logins(tmp_path / "data")["notary"]
            body = {"login": held.login, "password": held.password, "totp": held.code()}
            async with http.post(f"{url}/api/staff/sessions", json=body) as answer:
                assert answer.status == 200
                [cookie] = answer.headers.getall("Set-Cookie")
                assert cookie.startswith("__Host-")
                assert "Secure" in cookie
            async with http.ws_connect(f"{url}/api/sessions/none/socket") as socket:
                problem = await socket.receive_json()
                assert problem["problem"]["code"] == "session-unknown"
    finally:
        await office.stop()
