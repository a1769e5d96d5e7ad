"""What the ledger's page shows beside the ledger itself, in plain values: nothing of any case."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from server.domain.calendar import Calendar
from server.open_ledger import OpenLedger
from server.scrubbing import Scrubber
from signing.verify import STALE_MS

MOST_NAMED = 100


def tell_standing(
    ledger: OpenLedger, scrubber: Scrubber, *, now: int, calendar: Calendar
) -> dict[str, Any]:
    """Everything at `now`, ms since epoch; it reads the disk. Raises StoreError.

    Days of the plot begin at the office's midnight.
    From `stale_ms` on a checkpoint is called old, here as by `farseal verify`.
    Of what has changed at most a hundred are named; `damaged` counts them all.
    """
    zone_ms = calendar.utc_offset_minutes * 60_000
    standing = ledger.survey.standing(now=now, zone_ms=zone_ms)
    return {
        "now": now,
        "size": standing.size,
        "stale_ms": STALE_MS,
        "policy": standing.policy,
        "witnesses": [asdict(each) for each in standing.followers],
        "growth": asdict(standing.growth) if standing.growth else None,
        "seals": {"waiting": standing.seals_waiting, "for": ledger.pending},
        "scrub": {
            "at": scrubber.scrubbed_at,
            "entries": scrubber.scrubbed,
            "damaged": len(scrubber.damaged),
            "named": scrubber.damaged[:MOST_NAMED],
        },
    }
