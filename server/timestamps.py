"""Other people's time stamping authorities, for the ledger's checkpoints and the opening words.

Where an office names some (`server.config`), they date its checkpoints in the place of its own
authority: in order of preference, one request in ten seconds on the whole. The office's own goes
on dating signatures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509

from ledger.sealing import Paced
from server.observe import logger
from signing.errors import TimestampError
from signing.tsa_client import Client

MOST_AUTHORITIES = 3
"""One after another must have had the time to fail, while a seal waits for a token."""
PACE_S = 10.0
AT_ONCE = 4
"""Requests in a row after a pause. One certificate asks three times: for the session's seal, the
intent, the completed act. Each would wait for the one before, and the applicant half a minute."""
DEADLINE_S = 3.0
"""How long each of them may take, seconds."""
FRESH_MS = 60_000
"""How old a token at hand may be before another is asked for, to draw words from."""

Post = Callable[[str, bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Authority:
    """An address that answers RFC 3161 requests, and the roots its tokens lead to."""

    url: str
    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Stamped:
    """A note, a token over its bytes, and the time the token tells (ms)."""

    note: str
    token: bytes
    at: int


class OutsideTime:
    """The authorities an office has named. `post` sends a request and returns the answer."""

    def __init__(
        self,
        authorities: Sequence[Authority],
        post: Post,
        *,
        clock: Callable[[], int],
        pace_s: float = PACE_S,
        at_once: int = AT_ONCE,
    ) -> None:
        self.roots = tuple(root for each in authorities for root in each.roots)
        self._client = Client(
            [each.url for each in authorities],
            self.roots,
            post,
            deadline_s=DEADLINE_S,
        )
        self._clock = clock
        self._newest: Stamped | None = None
        self.timestamp = Paced(self._timestamp, pace_s=pace_s, at_once=at_once)
        """Data to a token over it, for the ledger."""

    async def _timestamp(self, data: bytes) -> bytes:
        stamp = await self._client.timestamp(sha256(data).digest())
        self._newest = Stamped(data.decode(), stamp.token, stamp.says.at)
        return stamp.token

    async def over(self, note: str) -> Stamped | None:
        """A fresh token over this note, else the newest at hand over an earlier one, else None."""
        found = self._newest
        if found is not None and self._clock() - found.at < FRESH_MS:
            return found
        if self.timestamp.wait_s <= 0:
            try:
                async with asyncio.timeout(MOST_AUTHORITIES * DEADLINE_S):
                    await self.timestamp(note.encode())
            except (TimestampError, TimeoutError) as error:
                logger("ledger").warning("no outside token for opening words", why=str(error))
        return self._newest
