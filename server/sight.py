"""Whether the recording still shows somebody: sound alone is no session.

A line that is gone is told by the media rooms. This is the other case: segments go on coming, and
no frame of video is in them. The segments are what is kept, so they are what is asked, not a page
that says its camera runs.
"""

from __future__ import annotations

from server.media import SegmentClosed

UNSEEN_MS = 5_000
"""How long video may be missing, ms: what a slow line or another camera takes, and no longer."""


class Sight:
    """Of one session, by role; times in ms UTC."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._blind: set[str] = set()

    def begins(self, role: str, at: int) -> None:
        """A take begins: the video has its time to come."""
        self._seen[role] = at
        self._blind.discard(role)

    def segment(self, closed: SegmentClosed) -> int | None:
        """Return since when no video is in the segments, once that is too long.

        It is said again each time it has lasted that long once more: a session that was resumed
        without a picture stands still again.
        """
        role = closed.participant
        if closed.frames:
            self._seen[role] = closed.end_at
            self._blind.discard(role)
            return None
        since = self._seen.setdefault(role, closed.start_at)
        if closed.end_at - since < UNSEEN_MS:
            return None
        self._blind.add(role)
        self._seen[role] = closed.end_at
        return since

    def shows(self, role: str) -> bool:
        """Whether video of a role comes, as far as it is known."""
        return role not in self._blind
