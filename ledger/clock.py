"""The log's own time: asserted in ms since the epoch, and never falling.

One bad reading would poison every later time, for time cannot be taken back. So a clock that
falls is held at the last time written, and a clock that runs ahead of the machine's monotonic
clock is refused until a person accepts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import ClockError

JUMP_MS = 10_000
"""How far the clock may be ahead of the monotonic clock ..."""
DRIFT_PER_MILLION = 500
"""... and how much more for each ms since the log was opened: NTP slews a clock no faster."""


def monotonic_ms() -> int:
    """Milliseconds of a clock nobody sets; it counts suspended time where the system can."""
    source = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(source) // 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A time to write (`at`), and what the clock said. They differ while time is held."""

    at: int
    clock: int

    @property
    def held(self) -> bool:
        return self.clock < self.at


class Timeline:
    """Readings that never fall, from a clock that may. Used by one thread."""

    def __init__(
        self, clock: Callable[[], int], monotonic: Callable[[], int], *, last: int
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._last = last
        self.accept()

    def accept(self) -> None:
        """Take the clock as it stands now for the truth to measure jumps from."""
        self._clock_then = self._clock()
        self._monotonic_then = self._monotonic()

    def read(self) -> Reading:
        """The next time to write; raises ClockError when the clock has jumped ahead."""
        clock = self._clock()
        elapsed = self._monotonic() - self._monotonic_then
        ahead = clock - self._clock_then - elapsed
        if ahead > JUMP_MS + elapsed * DRIFT_PER_MILLION // 1_000_000:
            raise ClockError(
                f"the clock jumped {ahead / 1000:.1f} s ahead; nothing was recorded and everything "
                "recorded before is kept. Put the clock right; if the new time is the right "
                "one, stop the server and run `farseal ledger accept-clock` / "
                f"时钟突然快了 {ahead / 1000:.1f} 秒：没有记入任何东西。"
                "此前记入的都在。请校正时钟；如果新的时间才是对的，"
                "请停下服务器，运行 farseal ledger accept-clock"
            )
        self._last = max(self._last, clock)
        return Reading(self._last, clock)
