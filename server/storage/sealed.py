"""Sealed entries: for an event, everything a third party needs to check its entry offline."""

import base64
import json
from typing import Any

from sqlalchemy import insert, select

from server.storage import models
from server.storage.database import Database

_S = models.sealed


class SealedEntries:
    """Kept as JSON {index, leaf, inclusion, tree_size, checkpoint, timestamp}; first one stands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self,
        event: str,
        *,
        case_id: str,
        index: int,
        leaf: bytes,
        inclusion: tuple[str, ...],
        tree_size: int,
        checkpoint: str,
        timestamp: bytes | None,
    ) -> None:
        """Keep the proof of an event's entry."""
        proof = {
            "index": index,
            "leaf": leaf.decode(),
            "inclusion": list(inclusion),
            "tree_size": tree_size,
            "checkpoint": checkpoint,
            "timestamp": base64.b64encode(timestamp).decode() if timestamp else None,
        }
        async with self._database.write() as connection:
            known = await connection.scalar(select(_S.c.event).where(_S.c.event == event))
            if known is None:
                await connection.execute(
                    insert(_S).values(event=event, case_id=case_id, proof=json.dumps(proof))
                )

    async def of(self, event: str) -> dict[str, Any] | None:
        """The proof of an event's entry, if it is sealed."""
        async with self._database.read() as connection:
            proof = await connection.scalar(select(_S.c.proof).where(_S.c.event == event))
        return json.loads(proof) if proof else None
