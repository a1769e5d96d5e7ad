"""Figures, as ratios beside a peer measured in the same run. `python -m tests.bench`.

Each module beside this one has a TITLE and `rows()`, which yields `Row`s as they are measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside a peer's. Ratios mean something; the machine is shared."""

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    floor: float | None = None
    """The ratio ours / theirs may not fall below (or, for costs, is only shown)."""

    promise: float | None = None
    """What ours must reach (a rate, unit "/s") or not exceed (a cost), whatever the peer does."""

    @property
    def kept(self) -> bool:
        """Whether the floor and the promise hold."""
        if self.floor and self.ratio and self.ratio < self.floor:
            return False
        if self.promise is None:
            return True
        return self.ours >= self.promise if self.unit == "/s" else self.ours <= self.promise

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None
