"""What the services ask of eyes: readings, comparisons, snapshots, the registry, in one value.

Here the identity room, the media rooms and the registry meet the services, which know them only as
callables. Whatever fails comes back as "unavailable" or nothing, never as an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from server.identity.analyst import Analyst
from server.identity.errors import IdentityError
from server.identity.findings import DocumentReading, Finding, Side
from server.identity.registry import PopulationRegistry, Query
from server.identity.texts import render
from server.media import Keyframe, KeyframeRefused, Sampler
from server.media.sampler import DEADLINE
from server.observe import logger
from server.services.identity import Analysis, Snapshot

_TRIES = 3
_SIDES: Mapping[str, Side] = {"front": "front", "back": "back", "passport": "passport"}


def analysis(
    analyst: Analyst,
    *,
    sampler: Sampler,
    registry: PopulationRegistry,
    keyframe: Callable[[str, str], Awaitable[Keyframe | None]],
) -> Analysis:
    """Return the one value; `keyframe(sid, role)` is the studio's."""
    log = logger("analysis")

    async def read_document(image: bytes, side: str, at: int) -> DocumentReading:
        return await analyst.read_document(image, _SIDES[side], at=at)

    async def compare(portrait: bytes, frames: Sequence[bytes], at: int) -> Finding:
        return await analyst.compare(portrait, frames, at=at)

    async def snapshot(sid: str, role: str) -> Snapshot | None:
        for _ in range(_TRIES):  # a decoder that died or was late has been replaced by then
            newest = await keyframe(sid, role)
            if newest is None:
                return None
            try:
                picture = await sampler.decode_keyframe(newest.data)
            except KeyframeRefused as error:
                log.warning("a key frame did not decode", why=str(error))
            else:
                return Snapshot(at=newest.at, picture=picture, frame=newest.data)
        return None

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
        say=lambda text_key, detail, language: render(text_key, detail, language=language),
    )


async def warm_sampler(sampler: Sampler) -> None:
    """Start the decoding process before a notary waits for a picture: it takes seconds.

    Whether this picture decodes is the decoder's affair: what counts is that there was an answer.
    """
    nothing = b"\x10\x02\x00\x9d\x01\x2a\x10\x00\x10\x00" + bytes(20)  # a key frame's head, 16x16
    for _ in range(_TRIES):
        began = asyncio.get_running_loop().time()
        try:
            await sampler.decode_keyframe(nothing)
        except KeyframeRefused:
            if asyncio.get_running_loop().time() - began >= DEADLINE:
                continue  # it was given up waiting for
        return
