"""A log on the web, read with the standard library: bounded, patient, and only over http(s)."""

from __future__ import annotations

import http.client
import io
import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from ledger.errors import MirrorError, NotFoundError

QUIET_S = 20
"""How long a server may say nothing."""
FILE_S = 120
"""How long one file may take."""
TRIES = 8
LONGEST_PAUSE_S = 60.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16


class _Hurried(io.RawIOBase):
    """A socket's bytes until a deadline: whoever sends one now and then holds nobody for ever."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase, end: float) -> None:
        self._connection, self._raw, self._end = connection, raw, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        self._connection.settimeout(min(QUIET_S, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _response(file_s: float) -> type[http.client.HTTPResponse]:
    """The class of an answer that has to be whole, headers too, within `file_s` seconds."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            hurried = _Hurried(sock, self.fp.detach(), time.monotonic() + file_s)
            self.fp = io.BufferedReader(hurried)

    return Response


class _Http(urllib.request.HTTPHandler):
    def __init__(self, response: type[http.client.HTTPResponse]) -> None:
        super().__init__()

        class Connection(http.client.HTTPConnection):
            response_class = response

        self._connection = Connection

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, response: type[http.client.HTTPResponse]) -> None:
        super().__init__()

        class Connection(http.client.HTTPSConnection):
            response_class = response

        self._connection = Connection

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A log that has moved is for a person to see: the address is part of what they trust."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None


class LogSite:
    """Gives the bytes of a path below an address; may be called from several threads.

    Connection loss and answers that say "later" are tried again, with growing pauses. `pause` is
    called with seconds. Raises ValueError for an address that is not http(s).
    """

    def __init__(
        self,
        url: str,
        *,
        pause: Callable[[float], None] = time.sleep,
        file_s: float = FILE_S,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) address: {url[:200]}")
        self.url = url.rstrip("/")
        self._pause = pause
        response = _response(file_s)
        # Put together by hand: the usual opener also reads file: and ftp: addresses.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Http(response),
            _Https(response),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _NoRedirects(),
        ):
            self._opener.add_handler(handler)
        self._opener.addheaders = [("User-Agent", "farseal-mirror/1")]

    def __call__(self, path: str, most: int) -> bytes:
        """Read a file of at most `most` bytes.

        Raises NotFoundError, MirrorError for a longer one, OSError when it cannot be had.
        """
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            wait = min(LONGEST_PAUSE_S, 0.5 * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311
            try:
                return self._read(path, most)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in (404, 410):
                    raise NotFoundError(f"{self.url}/{path}: there is no such file") from error
                if error.code not in _AGAIN or last:
                    moved = error.headers.get("Location", "")
                    hint = f" (moved to {moved[:200]})" if moved else ""
                    raise OSError(f"{self.url}/{path}: HTTP {error.code}{hint}") from error
                asked = error.headers.get("Retry-After", "")
                if asked.isdecimal():
                    wait += min(LONGEST_PAUSE_S, int(asked[:6]))
            except (OSError, http.client.HTTPException) as error:
                if last:
                    raise OSError(f"{self.url}/{path}: {error or type(error).__name__}") from error
            self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def _read(self, path: str, most: int) -> bytes:
        with self._opener.open(f"{self.url}/{path}", timeout=QUIET_S) as answer:
            data = bytearray()
            while chunk := answer.read(_CHUNK):
                data += chunk
                if len(data) > most:
                    raise MirrorError(f"{self.url}/{path} is longer than it can be")
            # http.client does not mind a connection that is lost half-way.
            promised = answer.headers.get("Content-Length")
            if promised is not None and promised != str(len(data)):
                raise ConnectionError("the connection was lost half-way")
            return bytes(data)
