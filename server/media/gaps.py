"""Silences measured: which track stopped, from when to when.

Audio and video both gone is a *stall* of the line; video alone a *freeze*; audio alone, or two
seconds of digital silence, a *mute*. A gap is told once, when it is over or its take ends.
"""

from collections.abc import Callable

from .evidence import GapKind

QUIET = 1.0  # seconds without a frame
SILENT = 2.0  # seconds of audio level 127, which a live microphone does not give
DIGITAL_SILENCE = 127  # -dBov, RFC 6464 3

Tell = Callable[[GapKind, float, float, dict[str, str | int]], None]
"""(kind, from, to, detail), times in seconds on the room's clock."""


class Silences:
    """Watches one recorded participant."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._heard: dict[str, float] = {}  # track -> when its last frame came
        self._open: dict[str, tuple[GapKind, float]] = {}  # track or "both" -> kind, since
        self._silent_since: float | None = None

    def frame(self, kind: str, now: float) -> None:
        """A frame of a track came."""
        if "both" in self._open:
            self._end("both", now)
            self._heard = dict.fromkeys(self._heard, now)  # the other track has its second too
        self._heard[kind] = now
        if self._open:
            self._end(kind, now)

    def level(self, dbov: int, now: float) -> None:
        """An audio packet's level, 0 (loud) to 127 (nothing at all)."""
        if dbov >= DIGITAL_SILENCE:
            if self._silent_since is None:
                self._silent_since = now
        elif self._silent_since is not None:
            self._end_silence(now)

    def tick(self, now: float) -> None:
        """Opens the gaps that have lasted long enough to be one."""
        quiet = {kind for kind, heard in self._heard.items() if now - heard >= QUIET}
        if not quiet or "both" in self._open:
            return
        if len(quiet) == len(self._heard):
            since = max(self._heard.values())
            for kind in list(self._open):
                self._end(kind, since)
            self._open["both"] = ("stall", since)
            return
        for kind in quiet - self._open.keys():
            self._open[kind] = ("freeze" if kind == "video" else "mute", self._heard[kind])

    def finish(self, now: float) -> None:
        """Tells what is still open."""
        for key in list(self._open):
            self._end(key, now)
        if self._silent_since is not None:
            self._end_silence(now)

    def _end(self, key: str, now: float) -> None:
        found = self._open.pop(key, None)
        if found is not None:
            kind, since = found
            self._tell(kind, since, now, {"track": key})

    def _end_silence(self, now: float) -> None:
        since, self._silent_since = self._silent_since, None
        if since is not None and now - since >= SILENT:
            self._tell("mute", since, now, {"track": "audio", "cause": "silence"})
