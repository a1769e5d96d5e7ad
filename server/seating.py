"""Where media rooms may be: in this process, or in workers of their own (docs/decisions/0015)."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from server.config import Config
from server.media import Book, Crew, LocalSeat, Seat, Settings, confine

_WORKER = (sys.executable, "-m", "server.media_process")


@dataclass(frozen=True, slots=True)
class Seats:
    """The processes, and what is set when one comes or goes."""

    seats: Sequence[Seat]
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def media_seats(
    config: Config, takes: Path, book: Book, *, lock: int, clock: Callable[[], int]
) -> AsyncIterator[Seats]:
    """One worker means none: rooms are on this process's loop. More are processes, begun here.

    `lock` is the descriptor that holds the data directory.
    """
    if config.workers == 1:
        if config.media_ports is not None:
            confine(asyncio.get_running_loop(), config.media_ports)
        here = LocalSeat(directory=takes, clock=clock, hosts=config.media_hosts, pid=os.getpid())
        async with here:
            yield Seats((here,))
        return
    settings = Settings(
        directory=takes,
        hosts=config.media_hosts,
        ports=config.media_ports,
        ahead_ms=clock() - time.time_ns() // 1_000_000,
        held=(lock,),
    )
    async with Crew(config.workers, settings, command=_WORKER, book=book) as crew:
        yield Seats(crew.seats, crew.changed)
