"""What the server says about itself: structured log lines, never people's data, never secrets.

Log lines carry ids, codes, counts and durations. Names, numbers, phone codes and file contents do
not belong here; the processor below drops the keys that would carry them should one slip in.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

# The values of variables are people's data: a traceback names lines, never values.
_WITHOUT_LOCALS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_NEVER = frozenset({"password", "totp", "code", "token", "cookie", "secret", "passphrase", "phone"})


def configure(*, stream: TextIO | None = None, level: str = "INFO", plain: bool = False) -> None:
    """Send log lines to `stream` (stderr): readable on a terminal, JSON elsewhere or with
    `plain`."""
    stream = stream or sys.stderr
    readable = stream.isatty() and not plain
    target = cast("TextIO", Lines(stream))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_secrets,
            _keep if readable else _WITHOUT_LOCALS,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if readable
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=target, level=logging.WARNING, force=True)


class Lines:
    """A stream whose full disk is nobody's fault but its own.

    The log often lies beside the data. When that disk is full, what was to be said of it must not
    end what said it: the line is dropped, and the next one that can be written tells how many were.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dropped = 0

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            if self._dropped:
                self._stream.write(f"({self._dropped} lines could not be written)\n")
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._dropped += 1
        else:
            self._dropped = 0
        return len(text)

    def flush(self) -> None:
        """Every line is flushed as it is written."""


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
