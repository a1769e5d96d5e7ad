"""The population registry: who asks, what comes back, and a stand-in that says it is one.

The real registry is reached through an adapter with this contract, one per supplier:

    POST <address>   Content-Type: application/json; mutual TLS
    {"query_id": 32 hex, "name": str, "number": str, "portrait_jpeg_base64": str}
    200 {"answer_id": str, "verdict": "match"|"mismatch"|"not_found"|"portrait_unsure",
         "portrait_score": number 0..1 | null}
    anything else, or no answer in time: Unavailable("registry.unavailable")

The caller hashes the query and the answer into the case (`canonical` gives the bytes of each). A
verdict is a hint: the notary decides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from server.identity import cn_id

Verdict = Literal["match", "mismatch", "not_found", "portrait_unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question; the portrait is JPEG bytes and stands in the record by its digest."""

    query_id: str
    name: str
    number: str
    portrait: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `simulated` must be shown beside the verdict wherever it is shown."""

    answer_id: str
    verdict: Verdict
    portrait_score: float | None
    simulated: bool
    source: str


class PopulationRegistry(Protocol):
    """Whoever can answer whether name, number and portrait belong together."""

    @property
    def announcement(self) -> str | None:
        """A warning to print at start-up and show beside answers; None for the real registry."""

    async def check(self, query: Query) -> Answer:
        """Asks once. Raises Unavailable("registry.unavailable")."""


class SimulatedRegistry:
    """A stand-in for development: it knows nobody and only looks at the check character.

    `known` maps numbers to names, so that a mismatch and an unknown number can be played.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known) if known is not None else None

    @property
    def announcement(self) -> str | None:
        return (
            "模拟应答，不作依据 / "
            "Simulated population registry: its answers are made up and prove nothing."
        )

    async def check(self, query: Query) -> Answer:
        """Answers from `known`, else from the check character alone; never Unavailable."""
        verdict: Verdict
        if not cn_id.adds_up(query.number):
            verdict = "not_found"
        elif self._known is None:
            verdict = "match"
        elif query.number not in self._known:
            verdict = "not_found"
        else:
            verdict = "match" if self._known[query.number] == query.name else "mismatch"
        return Answer(
            answer_id=hashlib.sha256(b"simulated:" + query.query_id.encode()).hexdigest()[:32],
            verdict=verdict,
            portrait_score=None,
            simulated=True,
            source="simulated",
        )


def canonical(value: Query | Answer) -> bytes:
    """The bytes to hash into the case: sorted JSON, the portrait replaced by its SHA-256."""
    if isinstance(value, Query):
        content: dict[str, object] = {
            "name": value.name,
            "number": value.number,
            "portrait_sha256": hashlib.sha256(value.portrait).hexdigest(),
            "query_id": value.query_id,
        }
    else:
        score = value.portrait_score
        content = {
            "answer_id": value.answer_id,
            "portrait_score": None if score is None else f"{score:.4f}",
            "simulated": value.simulated,
            "source": value.source,
            "verdict": value.verdict,
        }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
