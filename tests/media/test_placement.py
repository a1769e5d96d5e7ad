"""Which process a session goes to, when none takes it, and whose facts count."""

import asyncio
import dataclasses
import errno
import heapq
import pathlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.domain.errors import DomainError
from server.media import Left, LocalSeat, NoSeat, Placement, Ports, TakeStarted
from server.media.evidence import MediaFact
from server.media.seats import EVERY, WINDOW, LoopLag
from server.media.takefile import TakeFile, take_path
from server.studio import Studio
from server.supervisor import Supervisor

from .conftest import SESSION, Vault, epoch_ms
from .memory import Memory
from .offices import Office


@dataclass
class Seat:
    """A process as placement sees it; its rooms are kept, and can die with it."""

    id: str
    sessions: int = 0
    lag_ms: float = 0.0
    capacity: int = 4
    ready: bool = True
    pid: int = 1
    epoch: int = 1
    rooms: list["SeatRoom"] = field(default_factory=list)

    async def open(self, session: str, *, epoch: int, emit: Any, gone: Any, **_: Any) -> "SeatRoom":
        self.sessions += 1
        self.rooms.append(SeatRoom(epoch, emit, gone))
        return self.rooms[-1]


@dataclass
class SeatRoom:
    epoch: int
    emit: Callable[[int, MediaFact, Callable[[], None]], None]
    gone: Callable[[], None]
    participants: tuple[str, ...] = ()
    acknowledged: int = 0

    async def join(self, participant: str, offer: str) -> str:
        return f"answer of epoch {self.epoch}"

    async def close(self) -> None:
        return

    def tell(self, fact: MediaFact) -> None:
        self.emit(self.epoch, fact, self.heard)

    def heard(self) -> None:
        self.acknowledged += 1


async def put(placement: Placement, session: str, vault: Vault) -> SeatRoom:
    room = await placement.open(session, cipher=vault, emit=lambda *_: None, gone=lambda: None)
    assert isinstance(room, SeatRoom)
    return room


async def test_the_least_loaded_takes_it(vault: Vault) -> None:
    seats = [Seat("w0", sessions=2), Seat("w1", sessions=1), Seat("w2", sessions=3, capacity=16)]
    book = Memory()
    placement = Placement(seats, book, clock=epoch_ms)
    for name in ("a", "b", "c", "d"):
        await put(placement, name, vault)
    assert [worker for _, worker, _ in book.placed] == ["w2", "w1", "w2", "w2"]


@pytest.mark.parametrize(
    ("seats", "why"),
    [
        ([], "away"),
        ([Seat("w0", ready=False)], "away"),
        ([Seat("w0", lag_ms=50.1), Seat("w1", lag_ms=80)], "lag"),
        ([Seat("w0", sessions=4), Seat("w1", sessions=4)], "full"),
        ([Seat("w0", sessions=4), Seat("w1", lag_ms=51)], "lag"),
    ],
)
async def test_a_new_session_is_refused(seats: list[Seat], why: str, vault: Vault) -> None:
    book = Memory()
    with pytest.raises(NoSeat) as refused:
        await put(Placement(seats, book, clock=epoch_ms), SESSION, vault)
    assert refused.value.why == why
    assert book.placed == []


async def test_a_late_loop_of_50_ms_is_still_prompt(vault: Vault) -> None:
    seat = Seat("w0", lag_ms=50.0)
    await put(Placement([seat], Memory(), clock=epoch_ms), SESSION, vault)
    assert seat.sessions == 1


async def test_a_session_that_has_begun_goes_on_where_there_is_any_process(vault: Vault) -> None:
    late, full = Seat("w0", lag_ms=900), Seat("w1", sessions=4)
    book = Memory()
    book.placed.append((SESSION, "w7", 3))  # by a server before this one
    placement = Placement([late, full], book, clock=epoch_ms)
    room = await put(placement, SESSION, vault)
    assert (late.sessions, room.epoch) == (1, 4)
    late.ready = False
    assert (await put(placement, SESSION, vault)).epoch == 5
    assert not placement.admits(SESSION, 4)
    assert placement.admits(SESSION, 5)


async def test_epochs_grow_even_where_the_disk_is_full(vault: Vault) -> None:
    book = Memory()
    placement = Placement([Seat("w0", capacity=9)], book, clock=epoch_ms)
    assert (await put(placement, SESSION, vault)).epoch == 1
    book.refuses = OSError(errno.ENOSPC, "full")
    assert (await put(placement, SESSION, vault)).epoch == 2
    assert not placement.admits(SESSION, 1)
    await placement.write_down()  # says so in the log and goes on
    book.refuses = None
    assert (await put(placement, SESSION, vault)).epoch == 3


class SlowLoop:
    """A loop whose callbacks come as late as it is told."""

    def __init__(self, late: float) -> None:
        self.now, self.late = 0.0, late
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self._count += 1
        heapq.heappush(self._due, (when, self._count, callback))
        return asyncio.TimerHandle(when, callback, (), asyncio.get_running_loop())

    def run(self, looks: int) -> None:
        for _ in range(looks):
            when, _, callback = heapq.heappop(self._due)
            self.now = when + self.late
            callback()


async def test_lag_is_what_lasts(vault: Vault) -> None:
    loop: Any = SlowLoop(late=0.2)
    lag = LoopLag(loop)
    loop.run(3)
    assert lag.ms == 0.0  # three late looks are a hiccup
    loop.late = 0.001
    loop.run(WINDOW - 3)
    assert lag.ms == pytest.approx(1.0)
    loop.late = 0.08
    loop.run(WINDOW // 2 + 1)  # two and a half seconds
    assert lag.ms == pytest.approx(80.0)
    assert pytest.approx(0.1) == EVERY
    with pytest.raises(NoSeat):
        await put(Placement([Seat("w0", lag_ms=lag.ms)], Memory(), clock=epoch_ms), "s", vault)


@pytest.mark.parametrize("text", ["", "40000", "40000-", "40000-39999", "80-90", "1-70000", "a-b"])
def test_ports_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        Ports.parse(text)


def test_workers_share_no_port() -> None:
    parts = Ports.parse("40000-40999").split(3)
    taken = [set(range(part.first, part.last + 1)) for part in parts]
    assert [len(part) for part in taken] == [333, 333, 333]
    assert len(set.union(*taken)) == 999
    assert {port for part in taken for port in part} <= set(range(40000, 41000))
    with pytest.raises(ValueError, match="too narrow"):
        Ports.parse("40000-40031").split(3)


@pytest.fixture
def office(tmp_path: pathlib.Path, vault: Vault) -> Office:
    return Office(tmp_path, vault)


def started(take: int, *, role: str = "applicant") -> TakeStarted:
    name = f"{SESSION}-{role}-{take}.take"
    return TakeStarted(session=SESSION, participant=role, at=epoch_ms(), take=take, name=name)


async def test_what_a_dead_process_made_durable_is_told_first_and_its_word_no_more(
    tmp_path: pathlib.Path, office: Office, vault: Vault
) -> None:
    """A process dies having told one segment of three; the session goes on in the other, and
    facts of the old epoch that turn up later are refused."""
    first, second = Seat("w0"), Seat("w1", sessions=1)
    placement = Placement([first, second], Memory(), clock=epoch_ms)
    async with Supervisor(failed=print) as tasks:
        studio = Studio(placement, clock=epoch_ms, tasks=tasks)
        office.serve(studio)
        assert await studio.join(SESSION, "applicant", "offer") == "answer of epoch 1"
        [dead] = first.rooms
        file = TakeFile(take_path(tmp_path, SESSION, "applicant", 0), vault.encrypt)
        stored = [file.append(office.cluster(number)) for number in range(3)]
        file.close()
        dead.tell(started(0))
        dead.tell(office.closed(stored[0]))
        first.ready = False
        dead.gone()
        assert not studio.is_open(SESSION)

        assert await studio.join(SESSION, "applicant", "offer") == "answer of epoch 2"
        assert office.chains("applicant", 0) == [each.chain for each in stored]
        assert office.ended == [("applicant", 0, "lost")]
        assert dead.acknowledged == 2
        assert office.gone == [SESSION]

        [alive] = second.rooms
        forged = dataclasses.replace(office.closed(stored[2]), number=3)
        dead.tell(forged)
        alive.emit(dead.epoch, forged, dead.heard)  # whichever way it comes
        alive.tell(started(1))
        alive.tell(Left(session=SESSION, participant="applicant", at=epoch_ms(), reason="lost"))
        await office.until(lambda: office.lost)
        assert office.chains("applicant", 0) == [each.chain for each in stored]
        assert (dead.acknowledged, alive.acknowledged) == (2, 2)
        [gap] = office.gaps
        assert (gap.kind, gap.take, gap.participant) == ("reconnect", 1, "applicant")
        assert gap.start_at < gap.end_at
        await studio.close_all()


async def test_a_refused_session_is_told_to_come_back(office: Office) -> None:
    placement = Placement([Seat("w0", lag_ms=51)], Memory(), clock=epoch_ms)
    async with Supervisor(failed=print) as tasks:
        studio = Studio(placement, clock=epoch_ms, tasks=tasks)
        office.serve(studio)
        with pytest.raises(DomainError) as refused:
            await studio.join(SESSION, "applicant", "offer")
        assert refused.value.code == "media-busy"
        assert not studio.is_open(SESSION)


async def test_this_process_counts_its_rooms(tmp_path: pathlib.Path, vault: Vault) -> None:
    async with LocalSeat(directory=tmp_path, clock=epoch_ms, hosts=["127.0.0.1"], pid=1) as seat:
        placement = Placement([seat], Memory(), clock=epoch_ms)
        room = await placement.open(SESSION, cipher=vault, emit=lambda *_: None, gone=lambda: None)
        assert seat.sessions == 1
        await room.close()
        assert seat.sessions == 0
