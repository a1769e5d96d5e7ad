"""The data directory belongs to one process at a time: a server, or a command beside none.

A server's media workers inherit the lock: the directory is taken until the last of them is dead.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


class DirectoryBusyError(Exception):
    """Another process uses the data directory."""


@contextmanager
def locked(path: Path) -> Iterator[TextIO]:
    """Hold the data directory by its lock file. Raises DirectoryBusyError, OSError."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise DirectoryBusyError(
                f"another server (process {file.read().strip() or 'unknown'}) uses "
                f"{path.parent}; stop it or give another directory with --data"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file
