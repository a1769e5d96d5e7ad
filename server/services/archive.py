"""After a crash: what was live is interrupted, what was recorded is kept. Clusters at rest."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from server.domain import course
from server.domain.errors import DomainError
from server.domain.evidence import Gap, Segment
from server.domain.session import Session
from server.services.conduct import Conduct
from server.services.recordings import Recordings
from server.services.sealing import Sealing
from server.storage.cipher import Cipher

Json = dict[str, Any]
RecoverTakes = Callable[[str, Cipher], Awaitable[Sequence[Segment]]]
"""(session id, cipher) -> every whole segment of the session's takes on disk."""


class Archive:
    """Run `recover` once at start, before anybody is let in."""

    def __init__(
        self,
        conduct: Conduct,
        recordings: Recordings,
        sealing: Sealing,
        *,
        recover_takes: RecoverTakes,
    ) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._recordings = recordings
        self._sealing = sealing
        self._recover_takes = recover_takes

    async def recover(self) -> tuple[str, ...]:
        """Interrupt the sessions a dead process left open; tell segments, end takes, write gaps.

        The interruption began when the last thing was heard of the session, so the grace has been
        running since then. Returns the ids of the sessions.
        """
        found = await self._workplace.files.sessions_in("OPEN", "INTERRUPTED", "CLOSED")
        interrupted = []
        for session in found:
            if session.seal_event is not None:
                continue  # its entries are counted; the sealing goes on as a job
            cipher = self._workplace.vault.cipher(session.case_id)
            for segment in await self._recover_takes(session.id, cipher):
                await self._recordings.segment(segment)
            await self._end_takes(session)
            if session.state.value == "OPEN":
                await self._interrupt(session)
                interrupted.append(session.id)
        return tuple(interrupted)

    async def keep(
        self, sid: str, *, participant: str, take: int, clusters: Iterable[bytes]
    ) -> int:
        """Move a finished take's clusters (plaintext, in order) into objects; how many."""
        session = await self._workplace.files.session(sid)
        names: dict[int, str] = {}
        for number, cluster in enumerate(clusters):
            label = _label(sid, participant, take, number)
            stored = await self._workplace.put(session.case_id, cluster, label=label)
            names[number] = stored.name
        await self._workplace.recordings.kept(sid, participant, take, names)
        return len(names)

    async def clusters(self, sid: str, participant: str, take: int) -> AsyncIterator[bytes]:
        """The clusters of a take that lie in objects; refuses `recording-unknown` if none do."""
        session = await self._workplace.files.session(sid)
        rows = [
            row
            for row in await self._workplace.recordings.segments(sid)
            if row.segment.participant == participant and row.segment.take == take
        ]
        if not rows or any(row.object is None for row in rows):
            raise DomainError("recording-unknown")
        for row in rows:
            label = _label(sid, participant, take, row.segment.number)
            yield await self._workplace.get(session.case_id, row.object or "", label=label)

    async def _end_takes(self, session: Session) -> None:
        heard = await self._workplace.recordings.last_heard(session.id)
        open_takes = [
            each
            for each in await self._workplace.recordings.takes(session.id)
            if each.ended_at is None
        ]
        await self._sealing.end_open_takes(session.id)
        now = self._workplace.clock()
        for take in open_takes:
            since = heard or take.started_at
            if now > since:
                await self._recordings.gap(
                    Gap(
                        session_id=session.id,
                        participant=take.participant,
                        take=take.take,
                        kind="stall",
                        start_at=since,
                        end_at=now,
                        detail={"reason": "the server stopped"},
                    )
                )

    async def _interrupt(self, session: Session) -> None:
        events = await self._workplace.outbox.of_session(session.id)
        machine = {"gap", "take-ended"}  # written just now, by this recovery
        heard = [event.at for event in events if event.kind not in machine]
        last = await self._workplace.recordings.last_heard(session.id)
        since = max([session.opened_at, *heard, *([last] if last else [])])
        async with self._workplace.files.change(session_id=session.id) as change:
            change.session, told = course.interrupt(
                change.held,
                self._workplace.act("system"),
                pack=self._conduct.pack(change),
                reason="the server stopped",
                since=since,
            )
            change.emit(told)


def _label(sid: str, participant: str, take: int, number: int) -> str:
    return f"cluster/{sid}/{participant}/{take}/{number}"
