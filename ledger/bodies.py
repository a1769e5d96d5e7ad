"""Whether the bodies of leaves are canonical, told fast for those that look alike.

A log's bodies have few *shapes*: the same keys around other texts and numbers. The first body of
a shape is read in full; from it an expression is made that takes exactly the bodies which differ
from it in plain texts and small integers, and these are canonical as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json.encoder import encode_basestring

from ledger.entry import parse_canonical
from ledger.errors import EntryError

MAX_SHAPES = 1024
MAX_ALIKE = 4
"""A hostile log could bring a new shape with each entry: then each is read in full."""

Match = Callable[[bytes], object]

# Texts of these characters have one spelling (RFC 8785 3.2.2.2); 15 digits are below 2**53.
_TEXT = rb'"[ !#-\[\]-~]*"'
_NUMBER = rb"(?:0|-?[1-9][0-9]{0,14})"


class Bodies:
    """Reads bodies and remembers their shapes. Not for several threads."""

    def __init__(self) -> None:
        self._alike: dict[tuple[int, int], tuple[Match, ...]] = {}
        self._shapes = 0

    def require(self, body: bytes) -> None:
        """Require that these bytes may stand as `body` in a leaf. Raises EntryError."""
        key = body.count(b'"'), body.count(b",")
        alike = self._alike.get(key, ())
        for match in alike:
            if match(body):
                return
        # In its leaf it stands one level deeper than alone.
        whole = parse_canonical(b'{"body":%b}' % body)
        if tuple(whole) != ("body",):
            raise EntryError("not one body, but something after it")
        value = whole["body"]
        if self._shapes < MAX_SHAPES and len(alike) < MAX_ALIKE:
            match = re.compile(_shape(value)).fullmatch
            if match(body):  # else its texts are not plain, and the next one's will not be either
                self._shapes += 1
                self._alike[key] = (*alike, match)


def _shape(value: object) -> bytes:
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, dict):
        parts = [re.escape(encode_basestring(key).encode()) + b":" for key in value]
        items = map(_shape, value.values())
        return rb"\{" + b",".join(map(bytes.__add__, parts, items)) + rb"\}"
    if isinstance(value, list):
        return rb"\[" + b",".join(map(_shape, value)) + rb"\]"
    if value is None or isinstance(value, bool):
        return {None: b"null", True: b"true", False: b"false"}[value]
    return _NUMBER
