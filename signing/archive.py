"""One zip for one content: the canonical archive of an evidence bundle (docs/bundle-format.md).

Every entry is STORED; headers have one spelling; no extra fields, comments, data descriptors or
gaps. `unpack` takes an archive apart, packs the parts again and refuses what is not the same byte
for byte. So a changed byte is found wherever it stands, and no two readers see two archives.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

from signing.errors import BundleError

FIRST = "mimetype"

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
# 1.0 is all that STORED needs; the date is the first a zip can state, for content has no date.
_VERSION, _TIME, _DATE = 10, 0, 0x0021
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a reader takes in, in bytes and entries; beyond it nothing is looked at."""

    archive_bytes: int = 100_000_000
    entries: int = 500


def order(name: str) -> tuple[bool, bytes]:
    """The sort key of an entry: `mimetype` first, the rest by the bytes of their names."""
    return name != FIRST, name.encode()


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one archive of these files. Raises BundleError for a name that has no place in it."""
    body, directory, offset = [], [], 0
    for name in sorted(files, key=order):
        if not _NAME.fullmatch(name):
            raise BundleError(f"no entry of a bundle may be called {name[:80]!r}")
        data, raw = files[name], name.encode()
        sizes = (crc32(data), len(data), len(data))
        local = _LOCAL.pack(_LOCAL_MAGIC, _VERSION, 0, 0, _TIME, _DATE, *sizes, len(raw), 0) + raw
        directory.append(
            _CENTRAL.pack(
                *(_CENTRAL_MAGIC, _VERSION, _VERSION, 0, 0, _TIME, _DATE),
                *(*sizes, len(raw), 0, 0, 0, 0, 0, offset),
            )
            + raw
        )
        body += [local, data]
        offset += len(local) + len(data)
    central = b"".join(directory)
    count = len(directory)
    end = _END.pack(_END_MAGIC, 0, 0, count, count, len(central), offset, 0)
    return b"".join([*body, central, end])


def unpack(archive: bytes, limits: Limits) -> dict[str, bytes]:
    """The files of a canonical archive, in its order.

    Raises BundleError for anything else: other orders, flags, dates, methods, doubled names, bytes
    before, between or after, a check sum that is off. Nothing is decompressed, so nothing swells.
    """
    if len(archive) > limits.archive_bytes:
        raise BundleError("the archive is larger than a bundle may be")
    files: dict[str, bytes] = {}
    at = 0
    while archive.startswith(_LOCAL_MAGIC, at):
        if len(files) >= limits.entries:
            raise BundleError("the archive has more entries than a bundle may have")
        if at + _LOCAL.size > len(archive):
            raise BundleError("the archive is cut short")
        *_, size, _stored, name_length, _extra = _LOCAL.unpack_from(archive, at)
        start = at + _LOCAL.size + name_length
        name = archive[at + _LOCAL.size : start].decode("ascii", "replace")
        if name in files:
            raise BundleError("the archive has two entries of one name")
        if start + size > len(archive):
            raise BundleError("the archive is cut short")
        files[name] = archive[start : start + size]
        at = start + size
    if not files:
        raise BundleError("this is no archive, or it is empty")
    # The proof of everything above: there is one archive of these files, and this is it.
    if pack(files) != archive:
        raise BundleError("the archive is not in its one canonical form: something was changed")
    return files
