"""Between which times a session lies, and who says so: for the people who judge it.

The same report as a verifier's (`signing.session_times`), of what the ledger has by now: before the
session is sealed there is no "not after" yet.
"""

import asyncio
import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from ledger.entry import Leaf
from ledger.proof import TlogProof
from server.domain.case import Case
from server.domain.session import Session, SessionState
from server.observe import logger
from server.services.ledger_port import Ledger
from server.services.workplace import Workplace
from server.storage.outbox import WrittenEvent
from signing.ca import Office
from signing.proofs import SEAL
from signing.report import Failed
from signing.session_times import (
    OPENING,
    OPENING_TOKEN,
    SEALED,
    SEALED_TOKEN,
    Dated,
    session_times,
)
from signing.trust import Trust

_REMEMBERED = 500
"""How many sealed sessions' lines are kept at hand: under one trust.json they do not change."""

Json = dict[str, Any]


def opening_event(events: Sequence[WrittenEvent], session_id: str) -> WrittenEvent | None:
    """The event of a session's first opening words."""
    for event in events:
        told = json.loads(event.body)
        if event.session_id == session_id and told.get("evidence") == "opening_words_issued":
            return event
    return None


def opening_of(workplace: Workplace, event: WrittenEvent) -> tuple[str, bytes] | None:
    """The note the words were drawn from, and the outside token over it, if any."""
    facts = workplace.files.private(event)["facts"]
    if facts.get("checkpoint") is None:
        return None
    return str(facts["checkpoint"]), b64decode(facts.get("token", ""))


class SessionDates:
    """Reads them off the ledger."""

    def __init__(self, workplace: Workplace, *, ledger: Ledger, office: Office) -> None:
        self._workplace = workplace
        self._ledger = ledger
        self._office = office
        self._known: dict[str, tuple[Json, list[Dated]]] = {}

    async def of(self, case: Case, session: Session | None) -> list[Dated] | None:
        """The report's lines; None without a session, or where its evidence was destroyed."""
        if session is None or case.erased_at is not None:
            return None
        told = self._office.trust()
        known = self._known.get(session.id)
        if known is not None and known[0] == told:
            return known[1]
        leaves = [Leaf.parse(data) for _, data in await self._ledger.chain(case.id)]
        files, openings = await self._opening(case, session)
        sealed = session.state is SessionState.SEALED
        if sealed:
            files |= await self._seal(leaves, session)
        trust = Trust.parse(told)
        try:
            lines = await asyncio.to_thread(
                session_times,
                leaves,
                openings,
                session=session.id,
                files=files,
                trust=trust,
                keys=trust.log_keys,
            )
        except Failed as failure:
            why = {"session": session.id, "why": failure.reason}
            logger("ledger").error("a session cannot be dated", **why)
            return None
        if sealed:
            self._known[session.id] = told, lines
            for oldest in list(self._known)[:-_REMEMBERED]:
                del self._known[oldest]
        return lines

    async def _opening(self, case: Case, session: Session) -> tuple[dict[str, bytes], list[Json]]:
        event = opening_event(await self._workplace.outbox.of_case(case.id), session.id)
        opening = opening_of(self._workplace, event) if event else None
        if event is None or opening is None:
            return {}, []
        note, token = opening
        digest = self._workplace.files.private(event)["items"].get("checkpoint")
        files = {OPENING: note.encode()} | ({OPENING_TOKEN: token} if token else {})
        return files, [{"event": event.id, "name": "checkpoint", "sha256": digest}]

    async def _seal(self, leaves: Sequence[Leaf], session: Session) -> dict[str, bytes]:
        for leaf in leaves:
            if leaf.body.get("kind") == SEAL and leaf.body.get("session") == session.id:
                ended = await self._ledger.seal(leaf.index)
                proof = TlogProof(leaf.index, ended.inclusion, ended.checkpoint).text.encode()
                token = {SEALED_TOKEN: ended.timestamp} if ended.timestamp else {}
                return {SEALED: proof} | token
        return {}
