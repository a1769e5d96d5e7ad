"""Asking witnesses: the log's side of `ledger.witness`, with the network handed in.

After each checkpoint every witness of the policy is asked at once, each with one deadline; one
that fails is left alone for a while, longer each time. They are asked in rounds about one
checkpoint, so that a quorum meets on it. Nobody who appends waits for any of this.

A witness that has seen what the log has not, says that the log was rolled back or runs twice.
Its word alone keeps the log from starting. It stops a running log only with proof: a checkpoint
by the log's own key that contradicts the database. Else any witness could stop any office.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import HistoryError, LedgerError, NoteError, WitnessError
from ledger.note import Checkpoint, Signature, Verifier, open_note
from ledger.policy import Policy
from ledger.witness import (
    Answer,
    Cosigned,
    Disputed,
    Request,
    origin_hash,
    read_answer,
)

TIMEOUT_S = 2.0
RETRY_S = (0.1, 10.0)
"""The first and the longest wait before a failing witness is asked again."""
MOST_TURNS = 4
"""How often a witness may name a size and be asked again, within one deadline."""

Ask = Callable[[str, bytes | None], Awaitable[Answer]]
"""Sends a body (POST), or none (GET), to an address; raises OSError when nobody answers."""

Found = Callable[[tuple[Signature, ...]], Awaitable[None]]

_log = logging.getLogger("ledger")


class Tree(Protocol):
    """The log's own tree, as a proof to a witness needs it."""

    async def consistency(self, old: int, new: int) -> tuple[str, ...]:
        """The proof that the tree of `old` leaves is a prefix of that of `new`, lowercase hex."""
        ...

    async def root(self, size: int) -> bytes:
        """The root of the tree of `size` leaves, which are there."""
        ...


class Claim(WitnessError):
    """The witness says it has seen another history, and shows nothing the log has signed."""


@dataclass(slots=True)
class Peer:
    """A witness at one address. `size` is where it stands, as far as it has told us.

    cosigned: the size of the newest checkpoint it has signed in this process, -1 for none.
    at: the time of its last cosignature, s since epoch. trouble: why it was last of no use.
    failing_since: when it began to be, ms. answers: whether it does, though it does not sign.
    """

    url: str
    verifiers: tuple[Verifier, ...]
    size: int = 0
    cosigned: int = -1
    at: int | None = None
    trouble: str | None = None
    failing_since: int | None = None
    answers: bool = True
    wait_s: float = 0.0
    retry_at: float = 0.0


class Witnesses:
    """The witnesses of one log and where each stands. For one event loop.

    clock: ms since epoch. log_keys: what the log signs with.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        ask: Ask,
        log_keys: Sequence[Verifier],
        clock: Callable[[], int],
        timeout_s: float = TIMEOUT_S,
        retry_s: tuple[float, float] = RETRY_S,
    ) -> None:
        """Raises PolicyError when the policy could never be met."""
        policy.require_reachable()
        self.policy = policy
        by_url = policy.by_url().items()
        self.peers = [Peer(url.rstrip("/"), verifiers) for url, verifiers in by_url]
        self._ask = ask
        self._log_keys = log_keys
        self._clock = clock
        self._timeout_s = timeout_s
        self._retry_s = retry_s

    def pause(self, size: int) -> float | None:
        """Seconds until somebody is to be asked about the checkpoint of this size.

        None when everybody has signed it.
        """
        now = asyncio.get_running_loop().time()
        waits = [max(0.0, peer.retry_at - now) for peer in self.peers if peer.cosigned < size]
        return min(waits, default=None)

    def rest(self) -> None:
        """This process asks nobody any more: what it knew of who fails is out of date."""
        for peer in self.peers:
            peer.trouble, peer.failing_since, peer.answers = None, None, True
            peer.wait_s = peer.retry_at = 0.0

    async def round(self, note: str, tree: Tree, found: Found) -> None:
        """Ask everybody who is due about one checkpoint; `found` is given what each has signed.

        Returns when all have answered or their time is up. Raises HistoryError, with proof.
        """
        checkpoint = Checkpoint.unverified(note)
        now = asyncio.get_running_loop().time()
        due = [p for p in self.peers if p.cosigned < checkpoint.size and p.retry_at <= now]
        for error in await self._ask_all(due, note, tree, found):
            if isinstance(error, HistoryError):
                raise error

    async def require_known(self, note: str, tree: Tree, found: Found) -> None:
        """Before anything is signed: raise HistoryError if a witness knows of another history.

        note: the newest checkpoint there is. One who does not answer is not waited for.
        """
        for error in await self._ask_all(self.peers, note, tree, found):
            if isinstance(error, HistoryError):
                raise error
            if isinstance(error, Claim):
                raise HistoryError(
                    f"{error}. Nothing was signed. If this database is an old copy, restore the "
                    "newest; if the witness is wrong, take it out of the policy file"
                )

    async def _ask_all(
        self, peers: Sequence[Peer], note: str, tree: Tree, found: Found
    ) -> list[Exception | None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask_one(peer, note, tree, found)) for peer in peers]
        return [task.result() for task in tasks]

    async def _ask_one(self, peer: Peer, note: str, tree: Tree, found: Found) -> Exception | None:
        """Ask one witness and keep what it signed; what went wrong, if anything did."""
        try:
            async with asyncio.timeout(self._timeout_s):
                signatures = await self._exchange(peer, note, tree)
            await found(signatures)
        except Exception as error:  # noqa: BLE001 - a witness may fail in any way
            first, longest = self._retry_s
            peer.wait_s = min(peer.wait_s * 2 or first, longest)
            peer.retry_at = asyncio.get_running_loop().time() + peer.wait_s
            trouble = str(error) or "no answer in time"
            if trouble != peer.trouble:  # an outage is told once, not every ten seconds
                _log.warning(
                    "the witness %s has not signed, and is asked again: %s", peer.url, trouble
                )
            peer.trouble = trouble
            peer.failing_since = peer.failing_since or self._clock()
            peer.answers = not isinstance(error, OSError)  # a TimeoutError is one, too
            return error
        peer.cosigned = Checkpoint.unverified(note).size
        peer.at = max(each.time or 0 for each in signatures)
        if peer.trouble is not None:
            _log.warning("the witness %s signs again", peer.url)
        peer.trouble, peer.wait_s, peer.retry_at = None, 0.0, 0.0
        peer.failing_since, peer.answers = None, True
        return None

    async def _exchange(self, peer: Peer, note: str, tree: Tree) -> tuple[Signature, ...]:
        checkpoint = Checkpoint.unverified(note)
        for _ in range(MOST_TURNS):
            proof = await tree.consistency(peer.size, checkpoint.size) if peer.size else ()
            request = Request(peer.size, tuple(map(bytes.fromhex, proof)), note)
            answer = await self._ask(f"{peer.url}/add-checkpoint", request.text.encode())
            try:
                said = read_answer(
                    answer, text=checkpoint.text, verifiers=peer.verifiers, at=self._clock()
                )
            except Disputed as dispute:
                raise await self._weigh(peer, str(dispute), checkpoint, tree) from dispute
            if isinstance(said, Cosigned):
                peer.size = checkpoint.size
                return said.signatures
            if said.size > checkpoint.size:
                claim = f"it has cosigned {said.size} entries, and there are {checkpoint.size}"
                raise await self._weigh(peer, claim, checkpoint, tree)
            if said.size < peer.cosigned:  # what it has forgotten it could contradict
                raise WitnessError(f"it has forgotten what it cosigned, and stands at {said.size}")
            if said.size == peer.size:
                raise WitnessError(f"it refuses the size it stands at, {said.size}")
            peer.size = said.size
        raise WitnessError("it names one size after another")

    async def _weigh(
        self, peer: Peer, claim: str, checkpoint: Checkpoint, tree: Tree
    ) -> LedgerError:
        """Whether a witness can show what it says: a checkpoint of ours that is not of our tree."""
        address = f"{peer.url}/{origin_hash(checkpoint.origin)}/checkpoint"
        answer = await self._ask(address, None)
        try:
            # One of the log's keys is enough: whoever has signed this has signed two histories.
            shown = Checkpoint.parse(open_note(answer.body.decode(), self._log_keys).text)
        except (NoteError, UnicodeDecodeError):
            return Claim(f"the witness {peer.url} says {claim}, but shows no proof")
        known = shown.origin == checkpoint.origin and shown.size <= checkpoint.size
        if known and await tree.root(shown.size) == shown.root:
            return Claim(f"the witness {peer.url} says {claim}, but shows a checkpoint we have")
        return HistoryError(
            f"the witness {peer.url} shows a checkpoint of {shown.size} entries that this log's "
            f"key has signed and this database does not have ({checkpoint.size} entries): it is "
            "an old copy, or another process writes this log. Nothing more is signed. Stop the "
            f"other, or restore the newest copy. The proof:\n{answer.body.decode()}"
        )
