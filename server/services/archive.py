"""After a crash: what was live is interrupted, what was recorded is kept. Clusters at rest.

A take is one file while it runs. When its session is sealed, or broken off and all of it anchored,
every cluster becomes an object: the same ciphertext, named by its digest. A take file is removed
only after all its clusters are objects, were read back with the plaintext the ledger's entry
commits to, and are recorded in the database. Every step may be repeated: the same bytes have the
same name.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Protocol

from ledger.entry import Leaf, commitment, commitment_sm3, derive_salt, sm3
from server.domain import course
from server.domain.errors import DomainError
from server.domain.evidence import Gap, Segment
from server.domain.session import Session, SessionState
from server.services.conduct import Conduct
from server.services.ledger_port import Ledger
from server.services.recordings import Recordings
from server.services.sealing import Job, Passed, Sealing
from server.storage.cipher import Cipher
from server.storage.recordings import SegmentRow

_log = logging.getLogger("farseal.archive")
_SERVER_STOPPED = "the server stopped"

Json = dict[str, Any]
RecoverTakes = Callable[[str, Cipher], Awaitable[Sequence[Segment]]]
"""(session id, cipher) -> the whole segments of the session's takes on disk that were not told."""


class Takes(Protocol):
    """The take files on disk: `server.takes.TakeFiles` is one."""

    def sessions(self) -> Sequence[str]:
        """The sessions that have take files."""
        ...

    def of_session(self, sid: str) -> Sequence[tuple[str, int]]:
        """(participant, take) of every take file of a session."""
        ...

    def label(self, sid: str, participant: str, take: int, number: int) -> str:
        """What a cluster's ciphertext is bound to."""
        ...

    def read(self, sid: str, participant: str, take: int) -> AsyncGenerator[bytes]:
        """The ciphertexts of a take's whole clusters. Raises FileNotFoundError."""
        ...

    async def remove(self, sid: str, participant: str, take: int) -> None:
        """Delete a take file."""
        ...


class Archive:
    """Run `recover` once at start, before anybody is let in."""

    def __init__(
        self,
        conduct: Conduct,
        recordings: Recordings,
        sealing: Sealing,
        *,
        recover_takes: RecoverTakes,
        takes: Takes,
        ledger: Ledger,
        passed: Passed = lambda _name: None,
    ) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._recordings = recordings
        self._sealing = sealing
        self._recover_takes = recover_takes
        self._takes = takes
        self._ledger = ledger
        self._passed = passed
        self._locks: dict[str, asyncio.Lock] = {}

    async def recover(self) -> tuple[str, ...]:
        """Interrupt the sessions a dead process left open; tell segments, end takes, write gaps.

        The interruption began when the last thing was heard of the session, so the grace has been
        running since then. Returns the ids of the sessions. Of sessions broken off only those are
        looked at whose takes nobody had ended yet.
        """
        found = await self._workplace.files.sessions_in("OPEN", "INTERRUPTED", "CLOSED")
        interrupted = []
        for session in (*found, *await self._broken_off()):
            if await self._take_up(session, _SERVER_STOPPED):
                interrupted.append(session.id)
        return tuple(interrupted)

    async def take_up(self, sid: str, reason: str) -> None:
        """Whatever recorded this session is dead: tell what it left, and interrupt the session.

        Nobody may write its take files any more. May be repeated.
        """
        await self._take_up(await self._workplace.files.session(sid), reason)

    async def _take_up(self, session: Session, reason: str) -> bool:
        """Tell segments, end takes, write gaps; whether the session was interrupted by it."""
        if session.seal_event is not None:
            return False  # its entries are counted; the sealing goes on as a job
        before = await self._heard(session)
        cipher = await self._recordings.recording_cipher(session.id)
        for segment in await self._recover_takes(session.id, cipher):
            await self._recordings.segment(segment)
        await self._end_takes(session, reason)
        if session.state is not SessionState.OPEN:
            return False
        last = await self._workplace.recordings.last_heard(session.id)
        await self._interrupt(session, reason, since=max(before, last or 0))
        return True

    async def pending(self) -> tuple[Job, ...]:
        """The sessions at rest that still have take files."""
        found = await self._with_files()
        return tuple([Job("keep", each.id) for each in found if await self._at_rest(each)])

    async def keep(self, sid: str) -> None:
        """Move the takes of a session at rest into objects; what cannot be moved stays, and is
        logged."""
        async with self._locks.setdefault(sid, asyncio.Lock()):
            session = await self._workplace.files.session(sid)
            if not await self._at_rest(session):
                return
            for participant, take in self._takes.of_session(sid):
                trouble = await self._keep_take(session, participant, take)
                if trouble is None:
                    self._passed("take-recorded")
                    await self._takes.remove(sid, participant, take)
                else:
                    _log.error("take %s-%s-%d stays a file: %s", sid, participant, take, trouble)
            for participant, take in await self._lost(sid):
                _log.error("take %s-%s-%d is neither a file nor objects", sid, participant, take)

    async def stream(self, sid: str, participant: str, take: int) -> AsyncGenerator[bytes]:
        """The clusters of a take, decrypted; joined they are a WebM file.

        From the objects when the take was kept, else from its file. Refuses `recording-unknown`.
        """
        rows = await self._rows(sid, participant, take)
        if not _kept(rows):
            number = 0
            try:
                async with aclosing(self._from_file(sid, participant, take)) as clusters:
                    async for plaintext in clusters:
                        yield plaintext
                        number += 1
            except FileNotFoundError:
                if number:
                    raise
            else:
                return
            # kept in this very moment, or never there
            rows = await self._rows(sid, participant, take)
        if not _kept(rows):
            raise DomainError("recording-unknown")
        session = await self._workplace.files.session(sid)
        for row in rows:
            label = self._takes.label(sid, participant, take, row.segment.number)
            yield await self._workplace.get(session.case_id, row.object or "", label=label)

    async def _from_file(self, sid: str, participant: str, take: int) -> AsyncGenerator[bytes]:
        number, cipher = 0, None
        async with aclosing(self._takes.read(sid, participant, take)) as ciphertexts:
            async for ciphertext in ciphertexts:
                cipher = cipher or await self._recordings.cipher(sid)
                label = self._takes.label(sid, participant, take, number)
                try:
                    plaintext = cipher.decrypt(ciphertext, label)
                except DomainError:
                    return  # what is whole up to here plays
                yield plaintext
                number += 1

    async def _with_files(self) -> list[Session]:
        """The sessions that have take files."""
        found = []
        for sid in self._takes.sessions():
            try:
                found.append(await self._workplace.files.session(sid))
            except DomainError:
                continue  # never ours, or erased: nobody can open it any more
        return found

    async def _broken_off(self) -> list[Session]:
        """The aborted sessions whose recorder died before it had ended their takes."""
        return [
            session
            for session in await self._with_files()
            if session.state is SessionState.ABORTED
            and any(
                take.ended_at is None for take in await self._workplace.recordings.takes(session.id)
            )
        ]

    async def _at_rest(self, session: Session) -> bool:
        """Whether nothing more will be recorded, and the ledger has all that was.

        The seal says so. A session broken off has none: its takes are ended and its events anchored
        some time after the abort.
        """
        if session.state is not SessionState.ABORTED:
            return session.state is SessionState.SEALED
        takes = await self._workplace.recordings.takes(session.id)
        anchors = await self._workplace.outbox.state(session_id=session.id)
        return anchors.pending == 0 and all(take.ended_at is not None for take in takes)

    async def _lost(self, sid: str) -> list[tuple[str, int]]:
        rows = await self._workplace.recordings.segments(sid)
        wanted = {(row.segment.participant, row.segment.take) for row in rows if not row.object}
        return sorted(wanted - set(self._takes.of_session(sid)))

    async def _rows(self, sid: str, participant: str, take: int) -> list[SegmentRow]:
        return [
            row
            for row in await self._workplace.recordings.segments(sid)
            if row.segment.participant == participant and row.segment.take == take
        ]

    async def _keep_take(self, session: Session, participant: str, take: int) -> str | None:
        """Make objects of a take's clusters; why that is not possible, if it is not."""
        rows = await self._rows(session.id, participant, take)
        names: dict[int, str] = {}
        trouble = None
        async with aclosing(self._takes.read(session.id, participant, take)) as ciphertexts:
            async for ciphertext in ciphertexts:
                number = len(names)
                if number >= len(rows) or rows[number].segment.number != number:
                    trouble = f"the ledger does not know cluster {number}"
                else:
                    trouble = await self._move(session.case_id, rows[number], ciphertext)
                if trouble is not None:
                    break
                names[number] = rows[number].segment.ciphertext_sha256
                self._passed("cluster-moved")
        await self._workplace.recordings.kept(session.id, participant, take, names)
        if trouble is None and len(names) < len(rows):
            trouble = f"cluster {len(names)} of {len(rows)} is torn or gone"
        return trouble

    async def _move(self, case_id: str, row: SegmentRow, ciphertext: bytes) -> str | None:
        """Make an object of a cluster and read it back; what is wrong with it, if anything."""
        segment = row.segment
        if sha256(ciphertext).hexdigest() != segment.ciphertext_sha256:
            return f"cluster {segment.number} was changed"
        name = await self._workplace.objects.keep(ciphertext, place=case_id)
        label = self._takes.label(
            segment.session_id, segment.participant, segment.take, segment.number
        )
        try:
            plaintext = await self._workplace.get(case_id, name, label=label)
        except DomainError:
            return f"cluster {segment.number} does not open"
        if not await self._committed(case_id, row.event, plaintext):
            return f"cluster {segment.number} is not what the ledger's entry commits to"
        return None

    async def _committed(self, case_id: str, event: str, plaintext: bytes) -> bool:
        """Whether the ledger's entry of a segment commits to this plaintext."""
        written = await self._workplace.outbox.event(event)
        if written is None or written.index is None:
            return False
        leaf = Leaf.parse(await self._ledger.leaf(written.index))
        salt = derive_salt(self._workplace.vault.cipher(case_id).key, f"{event}/segment")
        expected = {"name": "segment", "sha256": commitment(salt, sha256(plaintext).digest())}
        items = leaf.body["items"]
        assert isinstance(items, Sequence)  # `storage.cases` writes them
        if any(each["name"] == "segment" and "sm3" in each for each in items):
            expected["sm3"] = commitment_sm3(salt, sm3(plaintext))
        return leaf.event == event and expected in items

    async def _end_takes(self, session: Session, reason: str) -> None:
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
                        detail={"reason": reason},
                    )
                )

    async def _heard(self, session: Session) -> int:
        """When anything was last heard of a session, but for segments, which have their own times.

        Asked before a recovery writes anything: what it tells happened long before.
        """
        events = await self._workplace.outbox.of_session(session.id)
        machine = {"gap", "take-ended", "segment"}  # a recovery broken off may have written them
        return max([session.opened_at, *(e.at for e in events if e.kind not in machine)])

    async def _interrupt(self, session: Session, reason: str, *, since: int) -> None:
        async with self._workplace.files.change(session_id=session.id) as change:
            change.session, told = course.interrupt(
                change.held,
                self._workplace.act("system"),
                pack=self._conduct.pack(change),
                reason=reason,
                since=since,
            )
            change.emit(told)


def _kept(rows: Sequence[SegmentRow]) -> bool:
    return bool(rows) and all(row.object is not None for row in rows)
