"""The office's credentials before a real coturn, configured as the composition configures it."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aioice import stun, turn

from server.media import Turn
from server.media.turn import LIFETIME_MS, credential

from .coturn import ADDRESS, SECRET, Coturn, coturn

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Echo(asyncio.DatagramProtocol):
    """A peer that says back what it hears."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


class Heard(asyncio.DatagramProtocol):
    """What came through the relay, in order."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.over = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.queue.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Coturn]:
    async with coturn(tmp_path_factory.mktemp("coturn")) as running:
        yield running


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def allocate(
    server: Coturn, name: str, password: str, *, tls: bool = False
) -> tuple[turn.TurnTransport, Heard]:
    context = ssl.create_default_context(cafile=str(server.certificate)) if tls else None
    if context:
        context.check_hostname = False  # it has no name here; the certificate is checked
    async with asyncio.timeout(10):
        return await turn.create_turn_endpoint(
            Heard,
            server_addr=(ADDRESS, server.tls_port if tls else server.port),
            username=name,
            password=password,
            ssl=context,
            transport="tcp" if tls else "udp",
        )


async def refusal(server: Coturn, name: str, password: str) -> int:
    """Return the error code coturn answers these credentials with (RFC 8489 14.8)."""
    with pytest.raises(stun.TransactionFailed) as refused:
        await allocate(server, name, password)
    code: int = refused.value.response.attributes["ERROR-CODE"][0]
    return code


@pytest.mark.parametrize("tls", [False, True], ids=["turn over UDP", "turns over TLS"])
async def test_what_the_office_gives_out_is_taken(server: Coturn, tls: bool) -> None:
    office = Turn(["turn:127.0.0.1"], secret=SECRET.encode(), clock=now_ms)
    [given] = office.servers("5e5e.applicant")
    relay, heard = await allocate(server, given["username"], given["credential"], tls=tls)
    loop = asyncio.get_running_loop()
    peer, _ = await loop.create_datagram_endpoint(Echo, local_addr=(ADDRESS, 0))
    relay.sendto(b"\x80 a packet", peer.get_extra_info("sockname"))
    async with asyncio.timeout(10):
        assert await heard.queue.get() == b"\x80 a packet"
    peer.close()
    relay.close()
    await heard.over.wait()


async def test_other_peers_than_the_office_are_out_of_reach(server: Coturn) -> None:
    name, password = credential(SECRET.encode(), "a.b", expiry=int(time.time()) + 60)
    relay, heard = await allocate(server, name, password)
    client = relay._TurnTransport__inner_protocol  # aioice itself tells no refusal
    for address in ("127.0.0.2", "10.0.0.1", "169.254.169.254", "8.8.8.8"):
        request = stun.Message(stun.Method.CREATE_PERMISSION, stun.Class.REQUEST)
        request.attributes["XOR-PEER-ADDRESS"] = (address, 9)
        with pytest.raises(stun.TransactionFailed) as refused:
            await client.request_with_retry(request)
        assert refused.value.response.attributes["ERROR-CODE"][0] == 403
    relay.close()
    await heard.over.wait()


async def test_credentials_that_do_not_hold(server: Coturn) -> None:
    soon, past = int(time.time()) + 60, int(time.time()) - 1
    name, password = credential(SECRET.encode(), "a.b", expiry=soon)
    assert await refusal(server, name, password[:-4] + "AAA=") == 401
    assert await refusal(server, *credential(b"another secret", "a.b", expiry=soon)) == 401
    assert await refusal(server, *credential(SECRET.encode(), "a.b", expiry=past)) == 401
    # A name that is given more time has no password for it.
    assert await refusal(server, name.replace(str(soon), str(soon + 3600)), password) == 401


async def test_a_credential_is_of_one_person_and_ends() -> None:
    office = Turn(["turn:a", "turns:a:443"], secret=b"s" * 32, clock=lambda: 1_000_500)
    [given] = office.servers("sid.notary")
    assert given["urls"] == ["turn:a", "turns:a:443"]
    assert given["username"] == f"{(1_000_500 + LIFETIME_MS) // 1000}:sid.notary"
    [other] = office.servers("sid.applicant")
    assert other["credential"] != given["credential"]
    assert Turn([], secret=b"", clock=lambda: 0).servers("sid.notary") == []


async def test_the_secret_does_not_stand_in_the_command(server: Coturn) -> None:
    """Other users of the machine read the options of a command, not the file."""
    command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert command.startswith(b"turnserver")
    assert SECRET.encode() not in command
