"""The writer's lock of a ledger's database: one process writes it, or repairs it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import LockedError, StoreError


def take(path: Path) -> int:
    """An exclusive lock on `<path>.lock`; two writers of one ledger would fork its history."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"the ledger's folder {path.parent} cannot be used: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise LockedError(
            f"another process writes the ledger {path}; nothing was changed. Stop it first"
        ) from error
    return handle


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep a ledger's writer's lock, and write nothing; raises LockedError, StoreError."""
    handle = take(path)
    try:
        yield
    finally:
        os.close(handle)
