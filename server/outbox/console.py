"""The console outbox: a stand-in that prints what a real office would send by SMS or mail."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `to` is a phone number or a login, `kind` says which template it came from."""

    at: int
    to: str
    kind: str
    text: str
    code: str | None = None
    link: str | None = None


class ConsoleOutbox:
    """Appends each message to a file (0600, one JSON object a line) and prints it.

    A message is on disk before `send` returns; printing may fail without losing it.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], int], print_line: Callable[[str], None]
    ) -> None:
        self._path = path
        self._clock = clock
        self._print = print_line

    async def send(
        self, *, to: str, kind: str, text: str, code: str | None = None, link: str | None = None
    ) -> None:
        """Keep and show one message. Raises OSError when the file cannot be written."""
        message = Message(self._clock(), to, kind, text, code, link)
        filled = {key: value for key, value in asdict(message).items() if value is not None}
        line = json.dumps(filled, ensure_ascii=False) + "\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
        self._print(f"outbox 模拟发件箱 -> {to}: {text}")

    def messages(self) -> tuple[Message, ...]:
        """Return everything sent so far, oldest first."""
        if not self._path.exists():
            return ()
        lines = self._path.read_text().splitlines()
        return tuple(Message(**json.loads(line)) for line in lines)
