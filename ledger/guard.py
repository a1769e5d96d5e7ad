"""The guard: the largest tree this log has ever signed, in a file of its own.

A database can be put back from an old backup, and would then sign a second history without
knowing. So the size and root are durable in the guard, best on another volume, *before* a
signature over them leaves the process, and a database that does not reach the guard is refused.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import GuardError

LONGEST = 4096
"""No guard is longer (characters)."""
_FORM = re.compile(r"(.+)\n(0|[1-9][0-9]{0,18})\n([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True)
class Mark:
    """A tree that was about to be signed: `size` leaves with this root, lowercase hex."""

    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Guard:
    """A text file of three lines: origin, size, root."""

    path: Path
    origin: str

    def read(self) -> Mark | None:
        """The mark, or None when there is no file; raises GuardError when it is not ours."""
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                found = _FORM.fullmatch(file.read(LONGEST))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise GuardError(f"the guard {self.path} cannot be read: {error}") from error
        if found is None:
            raise GuardError(f"the guard {self.path} is damaged: put it back from its volume")
        origin, size, root = found.groups()
        if origin != self.origin:
            raise GuardError(f"the guard {self.path} belongs to the log {origin!r}")
        return Mark(int(size), root)

    def raise_to(self, mark: Mark) -> None:
        """Make the mark durable; raises OSError, and then nothing may be signed."""
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(f"{self.origin}\n{mark.size}\n{mark.root}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
