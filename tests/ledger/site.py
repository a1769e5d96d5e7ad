"""A log's folder on the web, and a hand on every request."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Answer = tuple[int, dict[str, str], bytes]
Meddle = Callable[[str, int], Answer | None]
"""(path below /log/, number of the request) -> another answer, or None for the file."""


@contextmanager
def serve(directory: Path, meddle: Meddle = lambda path, number: None) -> Iterator[str]:
    """The log's address on the loopback."""
    lock, count = threading.Lock(), 0

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal count
            with lock:
                count, number = count + 1, count
            path = self.path.removeprefix("/log/")
            status, headers, body = meddle(path, number) or self._file(path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _file(self, path: str) -> Answer:
            file = directory / path
            return (200, {}, file.read_bytes()) if file.is_file() else (404, {}, b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/log/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
