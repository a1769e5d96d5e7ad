"""What the recorder tells while the call runs: takes, segments, gaps, the clock's offset.

A segment is told only once its ciphertext is durable; telling it again changes nothing, so a
recorder may repeat itself after a crash.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from server.domain.evidence import Gap, Segment
from server.domain.participant import Staff
from server.domain.session import SessionState, happened, mark, needed_now
from server.services.conduct import Conduct
from server.storage.cases import Change
from server.storage.cipher import Cipher
from server.storage.recordings import add_gap, add_segment, begin_take, end_take, knows_segment

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordingCipher(Cipher):
    """A cipher that, where `digest` is, digests what passes through it by a second algorithm.

    A recorder in another process makes one like it of `key` and `beside`, and has what it found
    noted here.
    """

    digest: Callable[[bytes], str] | None
    heard: dict[str, str]

    @property
    def beside(self) -> str | None:
        """The second algorithm's name."""
        return "sm3" if self.digest is not None else None

    def encrypt(self, plaintext: bytes, label: str) -> bytes:
        """As `Cipher`, digested before."""
        self._hear(plaintext)
        return Cipher.encrypt(self, plaintext, label)

    def decrypt(self, blob: bytes, label: str) -> bytes:
        """As `Cipher`, digested afterwards."""
        plaintext = Cipher.decrypt(self, blob, label)
        self._hear(plaintext)
        return plaintext

    def note(self, plaintext_sha256: str, digest: str) -> None:
        """A cluster was digested where it was encrypted."""
        self.heard[plaintext_sha256] = digest

    def _hear(self, plaintext: bytes) -> None:
        if self.digest is not None:
            self.note(sha256(plaintext).hexdigest(), self.digest(plaintext))


class Recordings:
    """The recorder's door; `participant` is the role."""

    def __init__(self, conduct: Conduct) -> None:
        self._conduct = conduct
        self._workplace = conduct.workplace
        self._heard: dict[str, str] = {}  # SHA-256 of a cluster -> its SM3, until it is told of

    async def cipher(self, sid: str) -> Cipher:
        """The evidence cipher of the session's case, for playing back."""
        session = await self._workplace.files.session(sid)
        return self._workplace.vault.cipher(session.case_id)

    async def recording_cipher(self, sid: str) -> RecordingCipher:
        """The same for the recorder, and for reading again what a dead one left.

        Where the rule pack asks, every cluster that passes through it is digested by SM3 there, on
        the thread that writes: the fact that follows names the cluster by its SHA-256.
        """
        case, _ = await self._workplace.files.both(sid)
        cipher = self._workplace.vault.cipher(case.id)
        beside = self._workplace.files.digests(case.matter).beside
        digest = beside.digest if beside is not None else None
        return RecordingCipher(cipher.key, cipher.random, digest, self._heard)

    async def take_started(self, sid: str, *, participant: str, take: int, at: int) -> None:
        """A participant's recording began."""
        async with self._workplace.files.change(session_id=sid) as change:
            if not await begin_take(
                change.connection, sid, participant=participant, take=take, at=at
            ):
                return
            public = {"participant": participant, "take": take}
            act = self._workplace.act("recorder", at=at)
            change.emit(happened(change.held, act, "take-started", public=public))

    async def take_ended(
        self, sid: str, *, participant: str, take: int, at: int, reason: str
    ) -> None:
        """A participant's recording ended."""
        async with self._workplace.files.change(session_id=sid) as change:
            await end_take(
                change.connection, sid, participant=participant, take=take, at=at, reason=reason
            )
            public = {"participant": participant, "take": take, "reason": reason}
            act = self._workplace.act("recorder", at=at)
            change.emit(happened(change.held, act, "take-ended", public=public))

    async def segment(self, segment: Segment) -> None:
        """A segment is durable; the first of a participant is evidence that recording runs."""
        self._conduct.failures.pop(segment.session_id, None)
        heard = self._heard.pop(segment.plaintext_sha256, None)
        async with self._workplace.files.change(session_id=segment.session_id) as change:
            if await knows_segment(change.connection, segment):
                return
            act = self._workplace.act("recorder")
            if heard is not None:
                change.digests.known[segment.plaintext_sha256] = heard
            await add_segment(change.connection, segment, event=act.event)
            public = {
                "participant": segment.participant,
                "take": segment.take,
                "number": segment.number,
                "start_at": segment.start_at,
                "end_at": segment.end_at,
                "frames": segment.frames,
                "keyframe": segment.keyframe,
            }
            items = {"segment": segment.plaintext_sha256, "chain": segment.chain}
            change.emit(happened(change.held, act, "segment", public=public, items=items))
            self._mark_once(change, f"recording_{segment.participant}")

    async def gap(self, gap: Gap) -> None:
        """Something the recording does not show, or shows badly."""
        async with self._workplace.files.change(session_id=gap.session_id) as change:
            act = self._workplace.act("recorder")
            await add_gap(change.connection, gap, event=act.event)
            public = {
                "participant": gap.participant,
                "take": gap.take,
                "gap": gap.kind,
                "start_at": gap.start_at,
                "end_at": gap.end_at,
            }
            facts = {"detail": {key: str(value) for key, value in gap.detail.items()}}
            change.emit(happened(change.held, act, "gap", public=public, facts=facts))

    async def clock_offset(self, sid: str, *, offset_ms: int, rtt_ms: int) -> None:
        """The applicant's clock beside ours, measured once at the opening."""
        async with self._workplace.files.change(session_id=sid) as change:
            public = {"offset_ms": offset_ms, "rtt_ms": rtt_ms}
            self._mark_once(change, "clock_offset", public=public)

    def failed(self, sid: str, reason: str) -> None:
        """The recorder cannot write; shown to both parties until a segment is durable again."""
        self._conduct.failures[sid] = reason

    async def allowed(self, staff: Staff, sid: str) -> str:
        """The case of a recording this person may see; the access is logged."""
        case = await self._conduct.look_into(staff, sid, what=f"recording {sid}")
        return case.id

    def _mark_once(self, change: Change, key: str, *, public: Json | None = None) -> None:
        session, pack = change.held, self._conduct.pack(change)
        if session.state is not SessionState.OPEN or session.marked(key):
            return
        if key not in {each.key for each in needed_now(session, pack)}:
            return
        act = self._workplace.act("recorder")
        change.session, events = mark(session, act, pack=pack, key=key, public=public)
        change.emit(events)
