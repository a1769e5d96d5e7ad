"""Media workers as they are: processes of their own, killed in the middle of a call."""

import asyncio
import os
import pathlib
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from ledger.entry import sm3
from server.domain.errors import DomainError
from server.folder import DirectoryBusyError, locked
from server.media import (
    Crew,
    NameRefused,
    OfferRefused,
    Placement,
    Ports,
    Settings,
    read_take,
    recover,
)
from server.media.crew import WorkerSeat
from server.media.takefile import parse_name
from server.rehearsal.peer import Clip, Peer
from server.studio import WORKER_GONE, Studio
from server.supervisor import Supervisor

from .conftest import SESSION, Vault, epoch_ms
from .memory import Memory
from .offices import Office

COMMAND = (sys.executable, "-m", "server.media_process")
PORTS = Ports(42000, 42127)
AGAIN_S = 15.0  # within which a session goes on in another worker


@pytest.fixture
def book() -> Memory:
    return Memory()


@pytest.fixture
async def crew(tmp_path: pathlib.Path, book: Memory) -> AsyncIterator[Crew]:
    settings = Settings(
        directory=tmp_path, hosts=["127.0.0.1"], ports=PORTS, ahead_ms=0, silence_s=3.0
    )
    async with Crew(2, settings, command=COMMAND, book=book) as made:
        yield made


@pytest.fixture
def placement(crew: Crew, book: Memory) -> Placement:
    return Placement(crew.seats, book, clock=epoch_ms)


@pytest.fixture
def office(tmp_path: pathlib.Path, vault: Vault) -> Office:
    return Office(tmp_path, vault)


@pytest.fixture
async def studio(placement: Placement, office: Office) -> AsyncIterator[Studio]:
    async with Supervisor(failed=print) as tasks:
        made = Studio(placement, clock=epoch_ms, tasks=tasks)
        office.serve(made)
        yield made
        await made.close_all()


class Door:
    """What the page of `site` and the peers dial: the studio."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.answers: list[str] = []

    async def join(self, name: str, offer: str) -> str:
        self.answers.append(await self.studio.join(SESSION, name, offer))
        return self.answers[-1]


@pytest.fixture
def room(studio: Studio) -> Door:
    """Stands for the room of conftest: `make_peer` and `site` join it."""
    return Door(studio)


def home_of(crew: Crew) -> WorkerSeat:
    """The worker the one session is in."""
    [seat] = [seat for seat in crew.seats if seat.sessions]
    return seat


async def redial(peer: Peer) -> None:
    """As the page does: a new connection, again until it stands."""
    await peer.close()
    async with asyncio.timeout(AGAIN_S):
        while True:
            try:
                return await peer.connect()
            except DomainError:
                await asyncio.sleep(0)  # the next turn of the loop


def require_told_once(directory: pathlib.Path, office: Office, vault: Vault) -> int:
    """Every segment on the disk was told, in order, once; returns how many there are."""
    found = 0
    for path in directory.glob("*.take"):
        _, participant, take = parse_name(path)
        whole = [each.chain for each in recover(path, vault.decrypt)]
        assert office.chains(participant, take) == whole
        found += len(whole)
    return found


async def test_a_killed_worker_loses_nothing_acknowledged(
    crew: Crew,
    office: Office,
    studio: Studio,
    vault: Vault,
    tmp_path: pathlib.Path,
    make_peer: Callable[..., Peer],
) -> None:
    people = [make_peer("applicant"), make_peer("notary")]
    await asyncio.gather(*(peer.connect() for peer in people))
    await office.until(lambda: len(office.written) >= 6)
    dead = home_of(crew)
    pid, epoch = dead.pid, dead.epoch
    acknowledged = [each.chain for each in office.written]
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    await office.until(lambda: office.taken_up)

    assert office.taken_up == [WORKER_GONE]
    assert sorted(office.ended) == [("applicant", 0, "lost"), ("notary", 0, "lost")]
    assert set(acknowledged) <= {each.chain for each in office.written}
    require_told_once(tmp_path, office, vault)

    await asyncio.gather(*(redial(peer) for peer in people))
    await office.until(lambda: office.chains("applicant", 1) and office.chains("notary", 1))
    took = time.monotonic() - killed_at
    assert took < AGAIN_S
    gaps = [(gap.kind, gap.take) for gap in office.gaps if gap.detail.get("reason") == WORKER_GONE]
    assert gaps == [("reconnect", 1), ("reconnect", 1)]
    await asyncio.gather(*(peer.received(video=peer.frames["video"] + 5) for peer in people))

    async with asyncio.timeout(30):  # the place is taken again, by another process
        while not dead.ready:
            crew.changed.clear()
            await crew.changed.wait()
    assert (dead.pid != pid, dead.epoch) == (True, epoch + 1)
    await studio.close(SESSION)
    assert require_told_once(tmp_path, office, vault) > len(acknowledged)
    names = sorted(path.name for path in tmp_path.glob("*.take"))
    assert names == [f"{SESSION}-{who}-{n}.take" for who in ("applicant", "notary") for n in (0, 1)]


async def test_browsers_come_back_by_themselves(
    crew: Crew, office: Office, studio: Studio, visit: Callable[..., Any]
) -> None:
    pages = [await visit("notary"), await visit("applicant")]
    await office.until(lambda: office.chains("applicant", 0) and office.chains("notary", 0))
    os.kill(home_of(crew).pid, signal.SIGKILL)
    killed_at = time.monotonic()
    await office.until(lambda: len(office.takes_begun) == 4)
    took = time.monotonic() - killed_at
    print(f"two browsers are recorded again after {took:.1f} s")
    assert took < AGAIN_S
    for page in pages:
        await page.wait_for_function("async () => (await received()).frames >= 10")
    await office.until(lambda: office.chains("applicant", 1) and office.chains("notary", 1))


async def test_a_worker_that_hangs_is_killed(
    crew: Crew, office: Office, studio: Studio, make_peer: Callable[..., Peer]
) -> None:
    peer = make_peer("applicant")
    await peer.connect()
    await office.until(lambda: len(office.written) >= 2)
    hung = home_of(crew)
    pid = hung.pid
    os.kill(pid, signal.SIGSTOP)
    await office.until(lambda: office.taken_up)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)  # it could not have written anything while its takes were read
    await redial(peer)
    await office.until(lambda: office.chains("applicant", 1))


async def test_each_worker_keeps_to_its_ports(
    crew: Crew, room: Door, studio: Studio, office: Office, make_peer: Callable[..., Peer]
) -> None:
    await asyncio.gather(make_peer("applicant").connect(), make_peer("notary").connect())
    lower, upper = PORTS.split(2)
    part = lower if home_of(crew) is crew.seats[0] else upper
    candidates = re.findall(r"a=candidate:\S+ 1 udp \d+ \S+ (\d+) typ host", "".join(room.answers))
    assert len(candidates) >= 2
    assert all(part.first <= int(port) <= part.last for port in candidates)


async def test_a_cluster_is_digested_where_it_is_encrypted(
    office: Office,
    studio: Studio,
    vault: Vault,
    tmp_path: pathlib.Path,
    make_peer: Callable[..., Peer],
) -> None:
    vault.beside = "sm3"
    peer = make_peer("applicant")
    await peer.connect()
    await office.until(lambda: len(office.written) >= 2)
    newest = await studio.keyframe(SESSION, "applicant")
    assert newest is not None
    assert (newest.width, newest.height) == (320, 240)
    assert list(studio.presence(SESSION)) == ["applicant"]
    await studio.close(SESSION)
    [path] = tmp_path.glob("*.take")
    expected = [sm3(plain).hex() for plain in read_take(path, vault.decrypt)]
    assert [vault.noted[each.plaintext_sha256] for each in office.written] == expected


async def test_the_key_is_told_to_the_worker_over_the_pipe_alone(
    crew: Crew, office: Office, vault: Vault, make_peer: Callable[..., Peer]
) -> None:
    peer = make_peer("applicant")
    await peer.connect()
    await office.until(lambda: office.written)
    for seat in crew.seats:
        shown = b"".join(
            pathlib.Path(f"/proc/{seat.pid}/{name}").read_bytes() for name in ("cmdline", "environ")
        )
        assert b"server.media_process" in shown
        assert vault.key not in shown
        assert vault.key.hex().encode() not in shown


async def test_refusals_cross_the_pipe(crew: Crew, studio: Studio) -> None:
    with pytest.raises(OfferRefused, match="no media lines"):
        await studio.join(SESSION, "applicant", "v=0")
    with pytest.raises(NameRefused):
        await studio.join(SESSION, "../applicant", "v=0")


async def test_a_dead_server_takes_its_workers_with_it(tmp_path: pathlib.Path) -> None:
    """And the directory is nobody's before the last one is dead: one hangs here, and holds it."""
    script = pathlib.Path(__file__).with_name("crew_victim.py")
    server = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(60):
        pids = [int(word) for word in (await server.stdout.readline()).split()]
        assert len(pids) == 2
        free, hangs = (os.pidfd_open(pid) for pid in pids)
        os.kill(pids[1], signal.SIGSTOP)
        gone = readable(os.pidfd_open(server.pid))
        server.kill()
        await gone
        await readable(free)
        with pytest.raises(DirectoryBusyError), locked(tmp_path / "lock"):
            pass
        os.kill(pids[1], signal.SIGCONT)
        await readable(hangs)
        await server.wait()  # only now is the end of what it printed seen: workers hold that too
    with locked(tmp_path / "lock"):
        pass  # free again


def readable(handle: int) -> Awaitable[Any]:
    """Waits until a process is dead, by its pidfd."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def done() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        ended.set_result(None)

    loop.add_reader(handle, done)
    return ended


async def test_workers_end_in_order(tmp_path: pathlib.Path, book: Memory, clip: Clip) -> None:
    settings = Settings(directory=tmp_path, hosts=["127.0.0.1"], ports=None, ahead_ms=0)
    async with Crew(2, settings, command=COMMAND, book=book) as crew:
        ends = [os.pidfd_open(seat.pid) for seat in crew.seats]
        placement = Placement(crew.seats, book, clock=epoch_ms)
        await placement.write_down()
    async with asyncio.timeout(1):
        await asyncio.gather(*(readable(end) for end in ends))
    assert [(row.id, row.epoch, row.ready) for row in book.rows.values()] == [
        ("w0", 1, True),
        ("w1", 1, True),
    ]
    async with Crew(1, settings, command=COMMAND, book=book) as crew:
        assert [seat.epoch for seat in crew.seats] == [2]


async def test_a_command_that_does_not_start_leaves_no_place(
    tmp_path: pathlib.Path, book: Memory, vault: Vault
) -> None:
    settings = Settings(directory=tmp_path, hosts=None, ports=None, ahead_ms=0)
    async with Crew(1, settings, command=(str(tmp_path / "nothing"),), book=book) as crew:
        assert [seat.ready for seat in crew.seats] == [False]
