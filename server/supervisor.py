"""Owns the tasks that run as long as the server: none fails unheard, none outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self

from server.observe import logger

_PATIENCE_S = 10.0


class Supervisor:
    """`async with Supervisor(failed=...) as tasks`; leaving cancels what runs and waits for it.

    `failed(name)` is told when a vital task ends by an error: the server should stop then.
    """

    def __init__(self, *, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        self._log = logger("supervisor")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_PATIENCE_S)

    def start(
        self, work: Coroutine[Any, Any, Any], *, name: str, vital: bool = False
    ) -> asyncio.Task[Any]:
        """Run `work` until it ends or the server does."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = vital
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        vital = self._tasks.pop(task, False)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._log.error("a task failed", task=task.get_name(), exc_info=error)
        if vital:
            self._failed(task.get_name())
