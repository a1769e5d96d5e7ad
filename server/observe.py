"""What the server says about itself: structured log lines, never people's data, never secrets.

Log lines carry ids, codes, counts and durations. Names, numbers, phone codes and file contents do
not belong here; the processor below drops the keys that would carry them should one slip in.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_NEVER = frozenset({"password", "totp", "code", "token", "cookie", "secret", "passphrase", "phone"})


def configure(*, stream: TextIO | None = None, level: str = "INFO", plain: bool = False) -> None:
    """Send log lines to `stream` (stderr): readable on a terminal, JSON elsewhere or with
    `plain`."""
    target = stream or sys.stderr
    readable = target.isatty() and not plain
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_secrets,
            structlog.processors.dict_tracebacks if not readable else _keep,
            structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=target, level=logging.WARNING, force=True)


def logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """Return the log of one room of the house."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=room)
    return bound


def drop_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values under keys that would carry a credential or a person's number."""
    for key in _NEVER & event.keys():
        event[key] = "(kept back)"
    return event


def _keep(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event
