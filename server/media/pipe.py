"""Messages between the server and a media worker: JSON, each after its length, over one socket.

The socket is a pair without a name that only the two processes hold: nobody else can open it, and
the end of one of them is the end of the other's reading. No pickle: what comes in is data.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Self

from .evidence import MediaError

LENGTH = struct.Struct("!I")
LONGEST = 8 << 20  # bytes; a key frame of the largest size in base64 is less

Message = dict[str, Any]


class PipeBroken(MediaError):
    """What came over the pipe is not a message."""


class Pipe:
    """One end. Made and used on one running event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """The pipe over one end of a pair, which it owns from now on."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends one message, after all before it; to a dead reader, nothing."""
        data = json.dumps(message, separators=(",", ":")).encode()
        if len(data) > LONGEST:
            raise PipeBroken(f"a message of {len(data)} bytes")
        if not self._writer.is_closing():
            self._writer.write(LENGTH.pack(len(data)) + data)

    async def read(self) -> Message | None:
        """The next message; None at the end of the other side. Raises PipeBroken."""
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if length > LONGEST:
                raise PipeBroken(f"a message of {length} bytes")
            message = json.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except ValueError as error:
            raise PipeBroken("a message that is not JSON") from error
        if not isinstance(message, dict):
            raise PipeBroken("a message that is not an object")
        return message

    async def close(self) -> None:
        """Sends what waits and closes."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return  # the other side was gone first
