"""Durable jobs by DBOS: seal a session, keep its recordings, issue and deliver a certificate.

The workflow's id is what the job is about (the session; the digest of the intent), so starting it
twice is starting it once, and a new approval is a new job. After kill -9 DBOS runs an unfinished
workflow again at the next start, step by step; every step is harmless to repeat
(`services.sealing`, `services.archive`). A workflow that failed for good (its step refused ten
times) is begun again at the next start under the next attempt's id, because the case's own state
says that it is unfinished.

DBOS takes seconds to import, so that happens in `launch`; it keeps one instance per process.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from server.services.sealing import Job

_log = logging.getLogger("farseal.jobs")
_FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Work(Protocol):
    """What jobs do: `server.services.sealing.Sealing`."""

    async def seal_session(self, sid: str) -> None: ...
    async def issue(self, case_id: str) -> None: ...
    async def deliver(self, case_id: str) -> None: ...
    async def pending(self) -> tuple[Job, ...]: ...
    async def key(self, job: Job) -> str: ...


class Keeping(Protocol):
    """What the jobs do for recordings: `server.services.archive.Archive`."""

    async def keep(self, sid: str) -> None: ...
    async def pending(self) -> tuple[Job, ...]: ...


class Jobs:
    """One per process. `path` is a SQLite file of its own."""

    def __init__(self, path: Path, *, retry_seconds: float = 1.0) -> None:
        self._path = path
        self._retry_seconds = retry_seconds
        self._flows: dict[str, Callable[[str], Awaitable[None]]] = {}
        self._work: Work | None = None
        self._dbos: Any = None

    async def launch(self, work: Work, keeping: Keeping) -> None:
        """Start DBOS on this event loop, take up what a former process left unfinished."""
        from dbos import DBOS

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._dbos, self._work = DBOS, work
        DBOS(
            config={
                "name": "farseal",
                "system_database_url": f"sqlite:///{self._path}",
                "log_level": "ERROR",
                # one version and executor: a newer release takes up an older one's unfinished work
                "application_version": "1",
                "executor_id": "local",
            }
        )
        self._flows = {
            "seal": self._flow("seal", work.seal_session, then="keep"),
            "issue": self._flow("issue", work.issue, work.deliver),
            "keep": self._flow("keep", keeping.keep),
        }
        DBOS.launch()
        for job in await work.pending():
            await self.start("issue" if job.kind == "deliver" else job.kind, job.id)
        for job in await keeping.pending():
            # what was left a file because it was damaged is looked at again: it may be mended
            await self._begin(job.kind, job.id, anew=(*_FAILED, "SUCCESS"))

    async def start(self, kind: str, about: str) -> None:
        """Begin a job; if it has begun already, this changes nothing."""
        await self._begin(kind, about, anew=_FAILED)

    async def _begin(self, kind: str, about: str, *, anew: tuple[str, ...]) -> None:
        if self._work is None:
            raise RuntimeError("jobs are started after launch")
        from dbos import SetWorkflowID

        key = await self._work.key(Job(kind, about))
        with SetWorkflowID(await self._attempt(key, anew=anew)):
            await self._dbos.start_workflow_async(self._flows[kind], about)

    async def finished(self, kind: str, about: str) -> None:
        """Wait until the newest attempt of a job is over; raises what it raised."""
        assert self._work is not None
        key = await self._work.key(Job(kind, about))
        known = [each.workflow_id for each in await self._attempts(key)]
        handle = await self._dbos.retrieve_workflow_async(known[-1])
        await handle.get_result()

    def close(self) -> None:
        """Stop (within the event loop); what is unfinished goes on at the next start."""
        if self._dbos is not None:
            self._dbos.destroy(destroy_registry=True)
            self._dbos = self._work = None
            # DBOS made its own pool the loop's, and has now shut it down; others still need one
            pool = ThreadPoolExecutor(thread_name_prefix="farseal")
            asyncio.get_running_loop().set_default_executor(pool)

    def _flow(
        self, name: str, *steps: Callable[[str], Awaitable[None]], then: str | None = None
    ) -> Any:
        """A workflow of these steps; `then` begins another kind of job and does not wait for it."""
        decorate = self._dbos.step
        durable = [
            decorate(
                name=f"{name}/{place}",
                retries_allowed=True,
                interval_seconds=self._retry_seconds,
                max_attempts=10,
                backoff_rate=2.0,
            )(_named(step, f"{name}_{place}"))
            for place, step in enumerate(steps)
        ]

        async def flow(about: str) -> None:
            for step in durable:
                await step(about)
            if then is not None:
                await self.start(then, about)

        return self._dbos.workflow(name=name)(flow)

    async def _attempt(self, key: str, *, anew: tuple[str, ...]) -> str:
        attempts = await self._attempts(key)
        if not attempts or attempts[-1].status not in anew:
            return attempts[-1].workflow_id if attempts else key
        _log.warning("a job is not done and is begun again: %s", key)
        return f"{key}/{len(attempts) + 1}"

    async def _attempts(self, key: str) -> list[Any]:
        found = await self._dbos.list_workflows_async(workflow_id_prefix=key)
        return sorted(found, key=lambda each: each.created_at)


def _named(step: Callable[[str], Awaitable[None]], name: str) -> Callable[[str], Awaitable[None]]:
    """A plain function around a bound method: DBOS registers functions by name."""

    async def run(about: str) -> None:
        await step(about)

    run.__qualname__ = run.__name__ = name
    return run
