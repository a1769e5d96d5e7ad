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

    @property
    def ratio(self) -> float | None:
        return self.ours / self.theirs if self.theirs else None
