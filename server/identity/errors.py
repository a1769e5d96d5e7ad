"""The errors of the identity room.

IdentityError
|-- Unavailable      an analysis cannot run here and now (weights missing or wrong, a worker killed)
`-- PictureRefused   the bytes are no picture this room will decode

`reason` is a key of texts.TEXTS, for people; the message is for the log. Neither error leaves
analyst.Analyst: both become a Finding of level "unavailable" there.
"""

from __future__ import annotations


class IdentityError(Exception):
    """Anything this room gives up on; `reason` is a text key."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


class Unavailable(IdentityError):
    """An analysis that cannot be done; the call goes on without it."""


class PictureRefused(IdentityError):
    """Bytes that will not be decoded: wrong type, too many pixels, damaged."""
