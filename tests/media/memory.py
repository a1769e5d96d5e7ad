"""The book of placements, in memory."""

from collections.abc import Sequence

from server.media.placement import Enlisted


class Memory:
    """`server.media.Book` for tests of rooms; `rows` are the processes as last written down."""

    def __init__(self) -> None:
        self.rows: dict[str, Enlisted] = {}
        self.placed: list[tuple[str, str, int]] = []
        self.refuses: OSError | None = None

    async def beat(self, workers: Sequence[Enlisted], *, at: int) -> None:
        self._write()
        self.rows = {each.id: each for each in workers}

    async def worker_epoch(self, worker: str) -> int:
        return self.rows[worker].epoch if worker in self.rows else 0

    async def epoch(self, session: str) -> int:
        return max((epoch for sid, _, epoch in self.placed if sid == session), default=0)

    async def place(self, session: str, *, worker: str, epoch: int, at: int) -> None:
        self._write()
        self.placed.append((session, worker, epoch))

    async def forget(self, session: str) -> None:
        self._write()
        self.placed = [each for each in self.placed if each[0] != session]

    def _write(self) -> None:
        if self.refuses is not None:
            raise self.refuses
