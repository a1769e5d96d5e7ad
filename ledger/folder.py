"""A folder's files, read as strangers may have left them: never without end.

A mirror may come from anybody. A device, a pipe, a folder or a link to nowhere in the place of a
file is no file, and of a file longer than it can be no more is read than shows that.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_NO_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.ENOTDIR})


def read_file(path: Path, most: int) -> bytes:
    """A regular file's bytes, `most` and one more at the utmost.

    Raises FileNotFoundError where there is no regular file, OSError when it cannot be read.
    """
    try:  # without waiting for whoever might write into a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise FileNotFoundError(errno.ENOENT, "not a file", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a file", str(path))
        data = bytearray()
        while len(data) <= most:
            part = os.read(descriptor, most + 1 - len(data))
            if not part:
                break
            data += part
        return bytes(data)
    finally:
        os.close(descriptor)
