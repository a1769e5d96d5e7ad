"""SM3 beside SHA-256: what a matter that asks for it knows of its contents by both.

Everywhere else a content goes by its SHA-256. Where the rule pack asks, its SM3 is computed in the
moment the content is at hand, and kept here until an event commits to it: of the event's own
transaction in a `Digests`, of stored blobs in the table `digest`. A row names the content by a
keyed digest and holds the SM3 encrypted, both under the case's evidence key, and so goes with it.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import models
from server.storage.cipher import Cipher

_T = models.digest
Committer = Callable[[bytes, str, str], str]
"""(key, label, content digest hex) -> commitment: `ledger.entry`'s, handed in from above."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The second algorithm: which matters ask for it, its digest (hex), its commitment."""

    asks: Callable[[str], bool]
    digest: Callable[[bytes], str]
    commit_to: Committer


@dataclass(slots=True)
class Digests:
    """What one transaction knows of contents: SHA-256 -> SM3. Without `beside`, nothing."""

    beside: Beside | None = None
    known: dict[str, str] = field(default_factory=dict)

    def note(self, content: bytes) -> None:
        """An event of this transaction names this content."""
        if self.beside is not None:
            self.known[sha256(content).hexdigest()] = self.beside.digest(content)

    async def of(
        self,
        connection: AsyncConnection,
        case_id: str,
        items: Mapping[str, str],
        *,
        cipher: Callable[[str], Cipher],
    ) -> dict[str, str]:
        """The SM3 of every item (name -> SHA-256) whose content was at hand since the matter asks.

        `cipher` gives that of the case's evidence.
        """
        found: dict[str, str] = {}
        if self.beside is None:
            return found
        for name, content in items.items():
            second = self.known.get(content) or await find(
                connection, case_id, content, cipher=cipher(case_id)
            )
            if second is not None:
                found[name] = second
        return found

    def commitment(self, key: bytes, label: str, second: str | None) -> dict[str, str]:
        """What an item of a leaf has besides its first commitment."""
        if self.beside is None or second is None:
            return {}
        return {"sm3": self.beside.commit_to(key, label, second)}


async def keep(
    connection: AsyncConnection, case_id: str, content: bytes, *, beside: Beside, cipher: Cipher
) -> None:
    """Remember a stored content for the events that will name it; a repeat changes nothing."""
    content_sha256 = sha256(content).hexdigest()
    mark = _mark(cipher, content_sha256)
    known = select(_T.c.mark).where(_T.c.case_id == case_id, _T.c.mark == mark)
    if await connection.scalar(known) is None:
        digest = await asyncio.to_thread(beside.digest, content)
        sealed = cipher.encrypt(bytes.fromhex(digest), _label(mark))
        await connection.execute(insert(_T).values(case_id=case_id, mark=mark, sm3=sealed))


async def find(
    connection: AsyncConnection, case_id: str, content_sha256: str, *, cipher: Cipher
) -> str | None:
    """The SM3 of a stored content, hex; None for one from before the matter asked."""
    mark = _mark(cipher, content_sha256)
    query = select(_T.c.sm3).where(_T.c.case_id == case_id, _T.c.mark == mark)
    sealed = await connection.scalar(query)
    return None if sealed is None else cipher.decrypt(sealed, _label(mark)).hex()


def _mark(cipher: Cipher, content_sha256: str) -> str:
    """The content's name in the table: without the key nobody can try guesses against it."""
    return hmac.digest(cipher.key, f"digest/{content_sha256}".encode(), "sha256").hex()


def _label(mark: str) -> str:
    return f"digest/{mark}"
