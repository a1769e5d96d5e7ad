"""What the services ask of eyes: readings, comparisons, snapshots, the registry, in one value.

Here the identity room, the media rooms and the registry meet the services, which know them only as
callables. Whatever fails comes back as "unavailable" or nothing, never as an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from server.identity.analyst import Analyst
from server.identity.errors import IdentityError
from server.identity.findings import DocumentReading, Finding, Side
from server.identity.registry import PopulationRegistry, Query
from server.identity.texts import render
from server.media import Keyframe, KeyframeRefused, Sampler
from server.observe import logger
from server.services.identity import Analysis, Snapshot

_SIDES: Mapping[str, Side] = {"front": "front", "back": "back", "main": "passport"}


def analysis(
    analyst: Analyst,
    *,
    sampler: Sampler,
    registry: PopulationRegistry,
    keyframe: Callable[[str, str], Keyframe | None],
) -> Analysis:
    """Return the one value; `keyframe(sid, role)` is the studio's."""
    log = logger("analysis")

    async def read_document(image: bytes, side: str) -> DocumentReading:
        return await analyst.read_document(image, _SIDES.get(side, "front"))

    async def compare(portrait: bytes, frames: Sequence[bytes]) -> Finding:
        return await analyst.compare(portrait, frames)

    async def snapshot(sid: str, role: str) -> Snapshot | None:
        newest = keyframe(sid, role)
        if newest is None:
            return None
        try:
            picture = await sampler.decode_keyframe(newest.data)
        except KeyframeRefused as error:
            log.warning("a key frame did not decode", why=str(error))
            return None
        return Snapshot(at=newest.at, picture=picture, frame=newest.data)

    async def ask_registry(
        query_id: str, name: str, number: str, portrait: bytes
    ) -> Mapping[str, Any] | None:
        query = Query(query_id=query_id, name=name, number=number, portrait=portrait)
        try:
            answer = await registry.check(query)
        except IdentityError as error:
            log.warning("the registry gave no answer", why=str(error))
            return None
        return asdict(answer)

    return Analysis(
        read_document=read_document,
        compare=compare,
        snapshot=snapshot,
        ask_registry=ask_registry,
        say=lambda finding, language: render(finding.text_key, finding.detail, language=language),
    )
