"""Durable jobs by DBOS: seal a session, keep its recordings, issue and deliver a certificate.

The workflow's id is what the job is about (the session; the digest of the intent), so starting it
twice is starting it once, and a new approval is a new job. After kill -9 DBOS runs an unfinished
workflow again at the next start, step by step; every step is harmless to repeat
(`services.sealing`, `services.archive`).

The cases' own states say what is unfinished, not the workflows. So every few minutes, and at every
start, a sweep begins again under the next attempt's id what is unfinished and nobody works on: what
failed for good (its step refused ten times), what a full disk kept from beginning or from going on,
and takes that came to rest (an aborted session's) without anybody starting a job.

DBOS takes seconds to import, so that happens in `launch`; it keeps one instance per process.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from server.services.sealing import Job

_log = logging.getLogger("farseal.jobs")
_FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_UNFINISHED = ("PENDING", "ENQUEUED", "DELAYED")


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

    def __init__(
        self, path: Path, *, retry_seconds: float = 1.0, sweep_seconds: float = 180.0
    ) -> None:
        self._path = path
        self._retry_seconds = retry_seconds
        self._sweep_seconds = sweep_seconds
        self._flows: dict[str, Callable[[str], Awaitable[None]]] = {}
        self._running: set[tuple[str, str]] = set()
        self._beginning = asyncio.Lock()
        self._work: Work | None = None
        self._keeping: Keeping | None = None
        self._dbos: Any = None

    async def launch(self, work: Work, keeping: Keeping) -> None:
        """Start DBOS on this event loop, take up what a former process left unfinished."""
        from dbos import DBOS

        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._dbos, self._work, self._keeping = DBOS, work, keeping
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
        # Nothing runs yet, so also what a workflow calls done is begun again: its database may be
        # newer than the cases' (a restored backup), and a damaged take may be mended by now.
        await self._take_up(anew=(*_FAILED, "SUCCESS"))

    async def run(self) -> None:
        """Sweep every few minutes for as long as the server runs."""
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                await self.sweep()
            except Exception:  # noqa: BLE001 - whatever it met, the next one looks again
                _log.exception("a sweep ended early")

    async def sweep(self) -> None:
        """Begin again what is unfinished and nobody works on; what runs is left alone."""
        if self._work is None:
            return  # the server stops; its next start takes up everything
        await self._take_up(anew=(*_FAILED, *_UNFINISHED))

    async def start(self, kind: str, about: str) -> None:
        """Begin a job; if it has begun already, this changes nothing.

        What called for the job is committed by now, so it is not refused when the jobs' own file
        cannot be written (a full disk): a sweep begins it.
        """
        if self._work is None:
            raise RuntimeError("jobs are started after launch")
        try:
            await self._begin(kind, about, anew=_FAILED)
        except (OSError, SQLAlchemyError):
            _log.exception("a job waits for the next sweep: %s %s", kind, about)

    async def _take_up(self, *, anew: tuple[str, ...]) -> None:
        """Begin what the cases' states and the take files call unfinished."""
        assert self._work is not None  # launch has set both
        assert self._keeping is not None
        for job in (*await self._work.pending(), *await self._keeping.pending()):
            kind = "issue" if job.kind == "deliver" else job.kind
            try:
                await self._begin(kind, job.id, anew=anew)
            except Exception:  # noqa: BLE001 - one case must not keep the others waiting
                _log.exception("a job waits for the next sweep: %s %s", kind, job.id)

    async def _begin(self, kind: str, about: str, *, anew: tuple[str, ...]) -> None:
        """Begin the first attempt, or another if the newest one's status is among `anew`."""
        assert self._work is not None  # launch has set it
        from dbos import SetWorkflowID

        async with self._beginning:
            key = await self._work.key(Job(kind, about))
            attempts = await self._attempts(key)
            if attempts:
                newest = attempts[-1]
                if newest.status not in anew or (kind, about) in self._running:
                    return
                if newest.status in _UNFINISHED:  # its end could not be written; it must not revive
                    await self._dbos.cancel_workflow_async(newest.workflow_id)
                _log.warning("a job is not done and is begun again: %s", key)
                key = f"{key}/{len(attempts) + 1}"
            with SetWorkflowID(key):
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
            self._dbos = self._work = self._keeping = None
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
            self._running.add((name, about))
            try:
                for step in durable:
                    await step(about)
                if then is not None:
                    await self.start(then, about)
            finally:
                self._running.discard((name, about))

        return self._dbos.workflow(name=name)(flow)

    async def _attempts(self, key: str) -> list[Any]:
        found = await self._dbos.list_workflows_async(workflow_id_prefix=key)
        return sorted(found, key=lambda each: each.created_at)


def _named(step: Callable[[str], Awaitable[None]], name: str) -> Callable[[str], Awaitable[None]]:
    """A plain function around a bound method: DBOS registers functions by name."""

    async def run(about: str) -> None:
        await step(about)

    run.__qualname__ = run.__name__ = name
    return run
