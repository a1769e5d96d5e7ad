"""The watcher: looks at the applicant's picture while a session runs, and tells the notary hints.

About once a second the newest key frame is decoded and measured in other processes. A hint is said
once, when it has lasted; it never decides anything, and a watcher that fails leaves the session as
it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from server.domain.errors import DomainError
from server.identity.analyst import Analyst
from server.identity.findings import Finding
from server.identity.hints import Watch
from server.media import KeyframeRefused, Sampler
from server.observe import logger
from server.studio import Studio

_PACE_S = 1.0
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
    ) -> None:
        self._studio = studio
        self._analyst = analyst
        self._sampler = sampler
        self._tell = tell
        self._log = logger("watcher")

    async def run(self, sid: str) -> None:
        """Watch one session until its room is closed; each take is remembered by itself."""
        memory, take = Watch(), None
        while self._studio.is_open(sid):
            await asyncio.sleep(_PACE_S)
            if (current := self._studio.take(sid, _WATCHED)) != take:
                memory, take = Watch(), current
            newest = self._studio.keyframe(sid, _WATCHED)
            if newest is None:
                continue
            try:
                picture = await self._sampler.decode_keyframe(newest.data)
                for finding in await self._analyst.watch(picture, memory=memory, at=newest.at):
                    await self._tell(sid, finding)
            except KeyframeRefused:
                continue  # the next one may decode; a lasting freeze is the recorder's to tell
            except DomainError as refused:
                self._log.info("a hint came too late", session=sid, why=refused.code)
