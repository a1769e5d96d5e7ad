"""Anchors 锚: what others said of the log, logged back into it, so that it dates what comes after.

    entries -> checkpoint -> a witness or an authority says when it saw it -> anchor -> entries

A token or a cosignature over a checkpoint shows that the entries under it are *not younger* than
its time. Its digest could not be known before it was made; so whatever stands behind an entry that
holds this digest is *not older* (`ledger.between`).

An anchor is never written for its own sake. What was said waits, of each party the newest, and
goes in front of the next entries that are recorded anyway, in the same commit and at most once in
ten seconds. So a log in which nothing happens comes to rest: nothing here asks for a checkpoint,
or for another token. Once a day the log's heartbeat has them written without an entry to date.

Anchors stand in a chain of their own, apart from what a log says of its keys and its clock.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from ledger.entry import MAX_INTEGER, Leaf, Submission
from ledger.errors import TokenError
from ledger.note import split_note

KIND = "anchor"
TIMESTAMP = "timestamp"
"""An RFC 3161 token over a checkpoint note's bytes."""
COSIGNATURE = "cosignature"
"""A witness's line under a checkpoint."""
FOLDER = "attest"
"""Where a log and its mirrors have what anchors name."""

PACE_MS = 10_000
"""How long after anchors the next ones may be written: by so much the log may grow for them."""
RECENT = 64
"""How many attestations are looked at, at a start, for some that were not logged back."""
BACK_MS = 10_000
"""How far a token may lie before the one before it: authorities state their accuracy in seconds."""
FAR_MS = 300_000
"""How far a token may lie from the log's own clock, as a witness may."""

_HASH = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(FOLDER + r"/(0|[1-9][0-9]{0,15})/([0-9a-f]{64})")
_log = logging.getLogger("ledger")


def anchor_case(origin: str) -> str:
    """The case in which a log records what others said of it."""
    return sha256(b"ledger/anchors/v1\0" + origin.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Attestation:
    """What somebody said of a checkpoint, as it is kept.

    who: as the store names it. note: the checkpoint's, with those cosignatures a token is over.
    at: when it arrived, ms by the log's clock.
    """

    size: int
    kind: str
    who: str
    body: bytes
    at: int
    note: str


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a token says: its time, ms since epoch, and the authority's name."""

    at: int
    who: str


ReadToken = Callable[[bytes, bytes], Stamped]
"""(token, the bytes it must be over) -> what it says. Raises an Exception for any other token."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One anchor entry.

    of: TIMESTAMP or COSIGNATURE. size: of the tree it is over. time: ms, what it says of itself.
    who: an authority's name, or the name and id of a witness's key. sha256: of the token, or of
    the line with its newline. note: SHA-256 of the note a token is over; empty for a line.
    """

    of: str
    size: int
    time: int
    who: str
    sha256: str
    note: str = ""

    @property
    def body(self) -> dict[str, object]:
        """What the entry says."""
        told: dict[str, object] = {
            "kind": KIND,
            "of": self.of,
            "sha256": self.sha256,
            "size": self.size,
            "time": self.time,
            "who": self.who,
        }
        return told | ({"note": self.note} if self.note else {})

    @property
    def paths(self) -> tuple[str, ...]:
        """Where a log shows what it names: the token and its note, or the line."""
        digests = filter(None, (self.sha256, self.note))
        return tuple(attest_path(self.size, digest) for digest in digests)

    def submission(self, case: str) -> Submission:
        """Of one attestation there is one anchor, however often it is submitted."""
        said = f"{case} {self.size} {self.of} {self.sha256}"
        event = sha256(said.encode()).hexdigest()[:32]
        return Submission("ledger", event, case, self.body)


def read_anchor(leaf: Leaf) -> Anchor | None:
    """The anchor that an entry of the anchors' chain is; None for what is not one."""
    body = leaf.body
    if body.get("kind") != KIND:
        return None
    texts = [body.get(name) for name in ("of", "who", "sha256")]
    size, time, note = body.get("size"), body.get("time"), body.get("note", "")
    if not all(isinstance(text, str) for text in (*texts, note)):
        return None
    if not all(type(number) is int and 0 <= number <= MAX_INTEGER for number in (size, time)):
        return None
    of, who, digest = texts
    sound = _HASH.fullmatch(str(digest)) and (of == COSIGNATURE or _HASH.fullmatch(str(note)))
    if of not in (TIMESTAMP, COSIGNATURE) or not sound:
        return None
    return Anchor(str(of), int(str(size)), int(str(time)), str(who), str(digest), str(note))


def attest_path(size: int, digest: str) -> str:
    """The path of what somebody said of the checkpoint of this size, by its SHA-256."""
    return f"{FOLDER}/{size}/{digest}"


def parse_attest_path(path: str) -> tuple[int, str] | None:
    """Size and digest, or None for another path."""
    match = _PATH.fullmatch(path)
    return None if match is None else (int(match[1]), match[2])


def cosigned_at(line: str) -> int:
    """The time in a witness's line, ms: unverified, for it was verified when it was kept."""
    _, ((_, _, signature),) = split_note(f"-\n\n{line}")
    return int.from_bytes(signature[:8], "big") * 1000


def witness_times(note: str) -> dict[str, int]:
    """The earliest time of each witness under a note of the log's own keeping, ms, by name.

    Unverified: for whoever kept the lines, and verified them then.
    """
    text, lines = split_note(note)
    origin, times = text.partition("\n")[0], dict[str, int]()
    for name, _, signature in lines:
        if name != origin:
            at = int.from_bytes(signature[:8], "big") * 1000
            times[name] = min(at, times.get(name, at))
    return times


class _Kept(Protocol):
    """The part of a store that anchors need."""

    def newest_attestations(self, limit: int) -> list[Attestation]: ...

    def find(self, keys: list[bytes]) -> Mapping[bytes, object]: ...


class Anchoring:
    """What waits to be logged back. Used by the one writer.

    heard_at, timed_at: when the newest attestation, and the newest token, arrived, ms.
    timed: the size the newest token is over; last: the latest time a token has told.
    """

    def __init__(self, origin: str, read_token: ReadToken | None) -> None:
        self.case = anchor_case(origin)
        self._read_token = read_token
        self._waiting: dict[tuple[str, str], Submission] = {}
        self._written_at = -PACE_MS
        self.heard_at: int | None = None
        self.timed_at: int | None = None
        self.timed = 0
        self.last = 0

    def load(self, store: _Kept) -> None:
        """Believe the database: whatever has no anchor yet, of each party the newest, waits."""
        self._waiting.clear()
        for each in reversed(store.newest_attestations(RECENT)):
            self.heard(each)
        keys = [submission.key for submission in self._waiting.values()]
        known = store.find(keys) if keys else {}
        self._waiting = {w: s for w, s in self._waiting.items() if s.key not in known}

    def heard(self, said: Attestation) -> None:
        """Somebody has said something; what the same party said before is overtaken."""
        self.heard_at = max(self.heard_at or 0, said.at)
        anchor = None
        try:
            if said.kind == COSIGNATURE:
                digest = sha256(said.body).hexdigest()
                time = cosigned_at(said.body.decode())
                anchor = Anchor(COSIGNATURE, said.size, time, said.who, digest)
            elif said.kind == TIMESTAMP:
                self.timed_at = max(self.timed_at or 0, said.at)
                self.timed = max(self.timed, said.size)
                anchor = self._token(said)
        except Exception as error:  # noqa: BLE001 - a token's reader may fail in any way
            _log.warning("what was said of checkpoint %d is not logged back: %s", said.size, error)
        if anchor is not None:
            self._waiting[anchor.of, anchor.who] = anchor.submission(self.case)

    def _token(self, said: Attestation) -> Anchor | None:
        if self._read_token is None:
            return None
        note = said.note.encode()
        stamped = self._read_token(said.body, note)
        self.last = max(self.last, stamped.at)
        digests = sha256(said.body).hexdigest(), sha256(note).hexdigest()
        return Anchor(TIMESTAMP, said.size, stamped.at, stamped.who, *digests)

    def require_credible(self, token: bytes, note: bytes, *, clock: int) -> None:
        """Refuse a token that is not over the note, or whose time cannot be. `clock`: now, ms.

        Raises TokenError, or what the token's reader raises.
        """
        if self._read_token is None:
            return
        at = self._read_token(token, note).at
        if at < self.last - BACK_MS:
            before = (self.last - at) / 1000
            raise TokenError(f"its time is {before:.0f} s before that of the token before it")
        if abs(at - clock) > FAR_MS:
            raise TokenError(f"its time is {(at - clock) / 1000:+.0f} s from this log's clock")

    # -- for the writer -----------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def due(self, at: int) -> Iterable[Submission]:
        """What to write in front of the next entries; `at`: the log's time, ms."""
        if not self._waiting or at - self._written_at < PACE_MS:
            return ()
        return tuple(self._waiting.values())

    def written(self, submissions: Iterable[Submission], at: int) -> None:
        """These are durable."""
        done = {submission.key for submission in submissions}
        if done:
            self._written_at = at
            self._waiting = {w: s for w, s in self._waiting.items() if s.key not in done}


def anchors_of(origin: str, leaves: Iterable[Leaf]) -> list[tuple[int, Anchor]]:
    """Index and anchor of each entry of a log's anchors' chain that is one."""
    case = anchor_case(origin)
    found = ((leaf.index, read_anchor(leaf)) for leaf in leaves if leaf.case == case)
    return [(index, anchor) for index, anchor in found if anchor is not None]
