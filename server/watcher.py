"""The watcher: looks at the applicant's picture while a session runs, and tells the notary hints.

About once a second the newest key frame is decoded and measured in other processes. A hint is said
once, when it has lasted; it never decides anything. A frame that cannot be looked at is tried once
more with a newer one; then the notary is told, once, that nobody watches just now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from server.domain.errors import DomainError
from server.identity.analyst import Analyst, unavailable
from server.identity.findings import Finding
from server.identity.hints import Watch
from server.media import KeyframeRefused, Sampler
from server.observe import logger
from server.studio import Studio

_TRIES = 2
_WATCHED = "applicant"


class Watcher:
    """One for all sessions; `tell(sid, finding)` is the identity service's."""

    def __init__(
        self,
        studio: Studio,
        analyst: Analyst,
        sampler: Sampler,
        *,
        tell: Callable[[str, Finding], Awaitable[None]],
        pace_s: float = 1.0,
    ) -> None:
        self._studio = studio
        self._analyst = analyst
        self._sampler = sampler
        self._tell = tell
        self._pace_s = pace_s
        self._log = logger("watcher")

    async def run(self, sid: str) -> None:
        """Watch one session until its room is closed; each take is remembered by itself."""
        memory, take = Watch(), None
        while self._studio.is_open(sid):
            await asyncio.sleep(self._pace_s)
            if (current := self._studio.take(sid, _WATCHED)) != take:
                memory, take = Watch(), current
            try:
                for finding in await self._look(sid, memory):
                    await self._tell(sid, finding)
            except DomainError as refused:
                self._log.info("a hint came too late", session=sid, why=refused.code)

    async def _look(self, sid: str, memory: Watch) -> Sequence[Finding]:
        """The hints that the newest key frame makes due; each carries the frame's own time."""
        refused = None
        for _ in range(_TRIES):
            newest = await self._studio.keyframe(sid, _WATCHED)
            if newest is None:
                return ()  # a lasting freeze is the recorder's to tell
            try:
                picture = await self._sampler.decode_keyframe(newest.data)
            except KeyframeRefused as error:
                refused = unavailable("watch", at=newest.at)
                self._log.info("a key frame did not decode", session=sid, why=str(error))
            else:
                return await self._analyst.watch(picture, memory=memory, at=newest.at)
        return memory.missed(refused) if refused is not None else ()
