"""How often one caller may ask: token buckets in memory, forgotten when full again."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from server.http.problems import Refusal


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` calls at once, then one more every `every_ms`."""

    burst: int
    every_ms: int


RATES: Mapping[str, Rate] = {
    "any": Rate(burst=600, every_ms=20),
    "code-address": Rate(burst=20, every_ms=15_000),  # one-time codes asked from one address
    "login": Rate(burst=20, every_ms=3_000),  # attempts of either kind from one address
    "verify": Rate(burst=30, every_ms=2_000),  # look-ups by number or code
    "verify-file": Rate(burst=6, every_ms=10_000),
    "upload": Rate(burst=30, every_ms=2_000),
}


class Limiter:
    """Counts calls by (rate, caller). Holds at most `capacity` callers, the least recent go first.

    Losing the counts at a restart is accepted: what guards credentials for good (ten wrong
    passwords, five wrong codes) is kept in the database by `accounts`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        rates: Mapping[str, Rate] = RATES,
        capacity: int = 50_000,
    ) -> None:
        self._clock = clock
        self._rates = rates
        self._capacity = capacity
        self._buckets: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def take(self, rate: str, caller: str) -> None:
        """Take one call. Raises Refusal `too-many-requests` with the seconds to wait."""
        rule, now = self._rates[rate], self._clock()
        level, at = self._buckets.pop((rate, caller), (float(rule.burst), now))
        level = min(rule.burst, level + max(0, now - at) / rule.every_ms)
        allowed = level >= 1
        self._buckets[(rate, caller)] = (level - 1 if allowed else level, now)
        while len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        if not allowed:
            seconds = max(1, math.ceil((1 - level) * rule.every_ms / 1000))
            raise Refusal("too-many-requests", retry_after=seconds, seconds=seconds)
