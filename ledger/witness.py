"""The witness protocol, both sides, without a network (C2SP tlog-witness).

A log sends its newest checkpoint and the proof that it has only grown since the size the witness
saw last. The witness checks that, replaces its one row for the log's origin, and only then
answers with its cosignature. So it never vouches for two histories: whoever wants to show another
one needs another witness, and this one holds the proof.

    log      Request.text  ->  POST <prefix>/add-checkpoint
    witness  judge         ->  row replaced (compare-and-set, durable)  ->  Answer
    log      read_answer   ->  lines to put under the checkpoint, or the size to begin from

What either side is sent is hostile until it has gone through here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from ledger.errors import NoteError, ProofError, WitnessError
from ledger.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from ledger.note import (
    Checkpoint,
    Cosigner,
    Signature,
    Verifier,
    from_base64,
    open_note,
    parse_size,
    split_note,
)

MAX_PROOF = 63
MAX_REQUEST_BYTES = 300_000
MAX_ANSWER_BYTES = 256_000
"""Sixteen lines by keys nobody knows, each of the longest kind there is, and ours."""
SKEW_S = 300
"""How far a fresh cosignature's time may lie from our clock, either way."""
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain"
_FIRST = re.compile(r"old (.*)")


@dataclass(frozen=True, slots=True)
class Request:
    """An add-checkpoint request: `note` is the checkpoint, `proof` leads from size `old` to it."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        lines = [f"old {self.old}", *(b64encode(hash_).decode() for hash_ in self.proof)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Read a request's form; nothing in it is verified. Raises NoteError."""
        if len(body) > MAX_REQUEST_BYTES:
            raise NoteError("the request is too long")
        try:
            head, separator, note = body.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise NoteError("the request is not UTF-8") from error
        first, *lines = head.split("\n")
        old = _FIRST.fullmatch(first)
        if not separator or old is None or len(lines) > MAX_PROOF:
            raise NoteError("the request is not an old size, a proof and a checkpoint")
        proof = tuple(from_base64(line) for line in lines)
        if any(len(hash_) != HASH_BYTES for hash_ in proof):
            raise NoteError("a hash in the proof is not 32 bytes long")
        return cls(parse_size(old[1]), proof, note)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over the wire, or came back over it."""

    status: int
    body: bytes
    media_type: str = TEXT_TYPE


# -- the witness ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """All a witness remembers of a log: the largest tree it cosigned.

    time: of its last cosignature, s since epoch. note: the checkpoint with the log's lines that
    were verified and the witness's own.
    """

    size: int
    root: bytes
    time: int
    note: str


NEVER = Row(0, EMPTY_ROOT, 0, "")
"""Before the first: the empty tree, with which every tree is consistent."""


class Rows(Protocol):
    """One row for each origin. `ledger.witness_store` has one in SQLite."""

    def read(self, origin: str) -> Row | None:
        """The row of an origin."""
        ...

    def replace(self, origin: str, *, before: Row | None, after: Row) -> bool:
        """Put `after` in the place of `before`, durably; False, and nothing done, if it moved."""
        ...

    def by_hash(self, origin_hash: str) -> Row | None:
        """The row of the origin with this SHA-256, lowercase hex."""
        ...

    def keep_evidence(self, origin: str, body: bytes) -> None:
        """Keep a request that the log has signed and that contradicts what it signed before."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A request that holds: what to cosign, and the row it was held against."""

    checkpoint: Checkpoint
    text: str
    lines: str
    before: Row | None


class Refused(Exception):
    """A request that is turned down. `proven`: the log signed it, so it is evidence."""

    def __init__(self, answer: Answer, *, proven: str | None = None) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer
        self.proven = proven


def judge(
    body: bytes,
    *,
    logs: Mapping[str, Sequence[Verifier]],
    row: Callable[[str], Row | None],
) -> Judged:
    """Hold a request against the keys of the logs and the row of its origin; raises Refused.

    The order is the specification's: form 400, origin 404, signature 403, sizes 400, the size
    seen last 409, the proof 422. At least one key of the origin must have signed.
    """
    try:
        request = Request.parse(body)
        text, _ = split_note(request.note)
        checkpoint = Checkpoint.parse(text, extensions=True)
    except NoteError as error:
        raise _refused(400, str(error)) from error
    origin = checkpoint.origin
    if origin not in logs:
        raise _refused(404, "this witness does not watch that log")
    try:
        signed = open_note(request.note, logs[origin])
    except NoteError as error:
        raise _refused(403, str(error)) from error
    if request.old > checkpoint.size:
        raise _refused(400, "the old size is larger than the checkpoint's")
    before = row(origin)
    seen = before or NEVER
    if request.old != seen.size:
        forked = checkpoint.size == seen.size and checkpoint.root != seen.root
        raise Refused(conflict(seen.size), proven=origin if forked else None)
    try:
        _require_growth(seen, checkpoint, request.proof)
    except ProofError as error:
        raise _refused(422, str(error), proven=origin) from error
    lines = "".join(signature.line for signature in signed.signatures)
    return Judged(checkpoint, text, lines, before)


def _require_growth(seen: Row, checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise ProofError("the empty tree has one root, and it is not this")
    if seen.size == 0:
        if proof:
            raise ProofError("a proof from the empty tree is empty")
        return
    verify_consistency(
        old=seen.size,
        new=checkpoint.size,
        old_root=seen.root,
        new_root=checkpoint.root,
        proof=proof,
    )


def _refused(status: int, why: str, *, proven: str | None = None) -> Refused:
    return Refused(Answer(status, f"{why}\n".encode()), proven=proven)


def conflict(size: int) -> Answer:
    """The answer that names the size seen last."""
    return Answer(409, f"{size}\n".encode(), SIZE_TYPE)


class Witness:
    """Cosigns the growth of the logs it was given keys for. Its methods block: use a thread."""

    def __init__(
        self,
        keys: Cosigner,
        *,
        logs: Mapping[str, Sequence[Verifier]],
        rows: Rows,
        clock: Callable[[], int],
    ) -> None:
        """clock: ms since epoch."""
        self._keys = keys
        self._logs = logs
        self._rows = rows
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request. A cosignature is returned only when the new row is durable."""
        try:
            judged = judge(body, logs=self._logs, row=self._rows.read)
        except Refused as refused:
            if refused.proven is not None:
                self._rows.keep_evidence(refused.proven, body)
            return refused.answer
        at, before = self._clock(), judged.before
        if before is not None and at // 1000 < before.time:
            return Answer(503, b"the witness's clock is behind its own last cosignature\n")
        try:
            lines = self._keys.cosign(judged.text, at=at)
        except NoteError as error:
            return Answer(503, f"{error}\n".encode())
        origin, checkpoint = judged.checkpoint.origin, judged.checkpoint
        after = Row(
            checkpoint.size,
            checkpoint.root,
            at // 1000,
            f"{judged.text}\n{judged.lines}{lines}",
        )
        if not self._rows.replace(origin, before=before, after=after):
            return conflict((self._rows.read(origin) or NEVER).size)
        return Answer(200, lines.encode())

    def checkpoint(self, origin_hash: str) -> Answer:
        """The newest note cosigned for an origin, by its SHA-256 (lowercase hex)."""
        row = self._rows.by_hash(origin_hash)
        if row is None:
            return Answer(404, b"this witness has cosigned nothing of that log\n")
        return Answer(200, row.note.encode())


def origin_hash(origin: str) -> str:
    """What names a log in a witness's address: the SHA-256 of its origin, lowercase hex."""
    return sha256(origin.encode()).hexdigest()


# -- the log --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a witness's keys have signed, each verified."""

    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Stands:
    """The witness has cosigned another size last: begin the proof there."""

    size: int


class Disputed(WitnessError):
    """The witness says that our checkpoint contradicts what it has cosigned (422)."""


def read_answer(
    answer: Answer, *, text: str, verifiers: Sequence[Verifier], at: int
) -> Cosigned | Stands:
    """What a witness's answer is worth; `text` is the checkpoint's, `at` is now, in ms.

    Every line by one of `verifiers` must verify and be fresh, one at least must be there, and lines
    by others are ignored. Raises WitnessError, and Disputed for a 422.
    """
    if len(answer.body) > MAX_ANSWER_BYTES:
        raise WitnessError("the answer is too long to be one")
    if answer.status == 409:
        return Stands(_read_size(answer))
    if answer.status == 422:
        raise Disputed(f"it disputes our history: {_said(answer)}")
    if answer.status != 200:
        raise WitnessError(f"it answered {answer.status}: {_said(answer)}")
    try:
        signatures = open_note(f"{text}\n{answer.body.decode()}", verifiers).signatures
    except (NoteError, UnicodeDecodeError) as error:
        raise WitnessError(f"its cosignature is of no use: {error}") from error
    for signature in signatures:
        if not signature.time or abs(signature.time - at / 1000) > SKEW_S:
            raise WitnessError(f"its cosignature's time, {signature.time}, is not now")
    return Cosigned(tuple({each.verifier: each for each in signatures}.values()))


def _read_size(answer: Answer) -> int:
    try:
        text = answer.body.decode("ascii")
        if answer.media_type != SIZE_TYPE or not text.endswith("\n"):
            raise NoteError(f"no size as {SIZE_TYPE}")
        return parse_size(text[:-1])
    except (NoteError, UnicodeDecodeError) as error:
        raise WitnessError(f"it named no size it stands at: {error}") from error


def _said(answer: Answer) -> str:
    """The beginning of an answer for a log line: printable, one line, whatever was sent."""
    return ascii(answer.body[:200].decode("utf-8", "replace").strip())[1:-1]
