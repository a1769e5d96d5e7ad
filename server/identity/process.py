"""One image worker as a child process: one job at a time, a deadline for each, killed when late.

A child over pipes rather than a pool of forks: it can be ended at any moment without harm, and it
starts with an environment that holds none of the server's secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from server.identity import wire

_LINE_LIMIT = 64 * 1024 * 1024
_START_S = 40.0  # what a cold start may add to a deadline on a busy machine
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "FARSEAL_WEIGHTS_DIR")


class Late(Exception):
    """No answer within the deadline; the process was ended."""


class Crowded(Exception):
    """More jobs were waiting than the queue holds, and this was the oldest of them."""


class Closed(EOFError):
    """The process was stopped for good: nothing is wrong, there is nobody left to answer."""


class ImageProcess:
    """Owns one child running worker.py; starts it when needed and again after it was ended."""

    def __init__(self, weights: Path | None, *, waiting: int) -> None:
        self._weights = weights
        self._limit = waiting
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy = False
        self._stopped = False

    async def ask(self, job: Mapping[str, object], *, deadline_s: float) -> Any:
        """Sends one job and returns the answer.

        Raises Late, Crowded, Closed once stopped, OSError, EOFError, or ValueError, KeyError,
        TypeError for an answer out of shape; after any of these but Closed the next job meets a
        fresh process.
        """
        line = wire.dump(dict(job))
        async with self._turn():
            if self._stopped:
                raise Closed("the analyst is closed")
            running = self._process is not None and self._process.returncode is None
            try:
                async with asyncio.timeout(deadline_s + (0.0 if running else _START_S)):
                    return wire.load(await self._exchange(line))
            except TimeoutError:
                await self._end()
                raise Late from None
            except BaseException as error:  # a cancelled job leaves an answer nobody will read
                await self._end()
                if self._is_over() and isinstance(error, OSError | EOFError):
                    raise Closed("the analyst was closed in the middle of a job") from None
                raise

    async def stop(self) -> None:
        """Ends the process for good; jobs still waiting get Closed."""
        self._stopped = True
        await self._end()

    def _is_over(self) -> bool:
        return self._stopped

    async def _exchange(self, line: bytes) -> bytes:
        process = self._process
        if process is None or process.returncode is not None:
            process = await self._start()
            if self._is_over():  # while it was starting: nobody else would end it
                raise EOFError("the worker was started too late")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        await process.stdin.drain()
        answer = await process.stdout.readline()
        if not answer.endswith(b"\n"):
            raise EOFError("the worker ended in the middle of a job")
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if self._weights is not None:
            environment["FARSEAL_WEIGHTS_DIR"] = str(self._weights)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "server.identity.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=_LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is the server's to answer
        )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Waits for the process; the oldest waiting job gives way to a new one when too many do."""
        if self._busy:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            if len(self._waiting) > self._limit:
                self._waiting.popleft().set_exception(Crowded())
            try:
                await place
            except asyncio.CancelledError:
                if place in self._waiting:
                    self._waiting.remove(place)
                elif place.done() and not place.cancelled() and place.exception() is None:
                    self._hand_over()
                raise
        self._busy = True
        try:
            yield
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._busy = False
