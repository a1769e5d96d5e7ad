"""RTP timestamps to one clock: a line per track, all lines of a take on the sender's clock.

Each sender report says what the sender's clock (NTP, RFC 3550 6.4.1) read at an RTP timestamp.
Sound cards and timers drift, so each report moves its line towards the sender's clock, at most 250
ms at a time. One lost report changes nothing: the line runs on by the track's own rate. Before both
tracks have reported, a line stands where its quickest packet says: the first, a key frame, is slow.
"""

from .rtp import delta32

MAX_STEP = 0.25  # seconds one report may move a line
NTP_UNIT = 1 << 32


class Line:
    """One track's timestamps as seconds on the room's monotonic clock."""

    __slots__ = ("_base", "_last", "_quickest", "_units", "rate", "report")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.report: tuple[int, int] | None = None  # NTP, RTP timestamp
        self._base = 0.0
        self._quickest = 0.0  # the earliest the line could begin, by any packet so far
        self._last: int | None = None
        self._units = 0

    @property
    def begun(self) -> bool:
        """Whether a packet has been seen."""
        return self._last is not None

    def seconds(self, ts: int, now: float) -> float:
        """When the sample at `ts` was, given that it came at `now`."""
        if self._last is None:
            self._base = self._quickest = now
        else:
            self._units += delta32(ts, self._last)
            self._quickest = min(self._quickest, now - self._units / self.rate)
        self._last = ts
        return self._base + self._units / self.rate

    def shift(self, seconds: float) -> None:
        """Moves the line."""
        self._base += seconds

    def settle(self) -> float:
        """Puts the line where its quickest packet says; returns the shift, 0 or less."""
        shift = self._quickest - self._base
        self._base = self._quickest
        return shift

    def sender_zero(self) -> float | None:
        """What the sender's clock read when this line read 0; None before report and packet."""
        if self.report is None or self._last is None:
            return None
        ntp, ts = self.report
        at = self._base + (self._units + delta32(ts, self._last)) / self.rate
        return ntp / NTP_UNIT - at


class Timeline:
    """The lines of one take, kept together by the sender's clock."""

    def __init__(self) -> None:
        self.lines = {"audio": Line(48000), "video": Line(90000)}
        self._zero: float | None = None

    @property
    def aligned(self) -> bool:
        """Whether both tracks stand on the sender's clock."""
        return self._zero is not None

    def seconds(self, kind: str, ts: int, now: float) -> float:
        """When the sample at `ts` of a track was, in seconds on the room's clock."""
        return self.lines[kind].seconds(ts, now)

    def on_report(self, kind: str, ntp: int, ts: int) -> float:
        """Takes a sender report; returns by how many seconds it moved the track's line."""
        line = self.lines[kind]
        line.report = (ntp, ts)
        if self._zero is None:
            return 0.0
        zero = line.sender_zero()
        if zero is None:
            return 0.0
        step = max(-MAX_STEP, min(MAX_STEP, zero - self._zero))
        line.shift(step)
        return step

    def settle(self) -> dict[str, float]:
        """Does without reports what can be done; returns by how much each line moved."""
        if self._zero is not None:
            return {}
        return {kind: line.settle() for kind, line in self.lines.items() if line.begun}

    def align(self) -> float | None:
        """Puts video on audio's line once, when both have reported; returns the shift of video.

        Audio leads: a device's sound clock is the steadier, and audio packets wait in no encoder.
        """
        if self._zero is not None:
            return None
        audio, video = self.lines["audio"].sender_zero(), self.lines["video"].sender_zero()
        if audio is None or video is None:
            return None
        self._zero = audio
        self.lines["video"].shift(video - audio)
        return video - audio
