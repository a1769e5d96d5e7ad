"""A child process for strangers' files: no network, little memory, little time.

The parent starts `python -I -m MODULE` with the file on standard input and reads one JSON object
from its standard output. Before the child touches a byte it calls `shut_in`:

- RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE (no file grows) and RLIMIT_CORE bound what it may use;
- a new network name space without interfaces where the kernel lets us, and in any case an audit
hook
  that ends the process at the first way out: a network socket, a process, a file to write.

A child that dies, by a limit or by a parser's fault, gives `Broken`: the caller refuses the file.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, Protocol

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "os.remove",
    "os.rename",
)


class Broken(Exception):
    """The child died before it had an answer: `too-long` or `crashed`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RunsChildren(Protocol):
    """What runs a module's child on a file. `Sandbox` is one."""

    async def run(
        self, module: str, data: bytes, arguments: Sequence[str] = ()
    ) -> dict[str, Any]: ...


class Sandbox:
    """Runs at most `children` at once; each has `seconds` of wall clock."""

    def __init__(self, *, children: int = 2, seconds: float = 20.0) -> None:
        self._seats = asyncio.Semaphore(children)
        self._seconds = seconds

    async def run(self, module: str, data: bytes, arguments: Sequence[str] = ()) -> dict[str, Any]:
        """Return the child's answer about `data`. Raises Broken when it gives none."""
        async with self._seats:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IB",
                "-m",
                module,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd="/",
                env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            )
            try:
                async with asyncio.timeout(self._seconds):
                    answer, _ = await child.communicate(data)
            except TimeoutError as error:
                raise Broken("too-long") from error
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode != 0:
            stopped = child.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
            raise Broken("too-long" if stopped else "crashed")
        try:
            parsed = json.loads(answer)
        except ValueError as error:
            raise Broken("crashed") from error
        if not isinstance(parsed, dict):
            raise Broken("crashed")
        return parsed


def shut_in(*, megabytes: int, cpu_seconds: int) -> None:
    """Give up rights that reading one file does not need. Called in the child, once, first."""
    for limit, value in (
        (resource.RLIMIT_AS, megabytes * 1_000_000),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_NEW_USER | _NEW_NET)  # refused inside some containers: the hook below stands
    sys.addaudithook(_end_on_forbidden)


def read_input() -> bytes:
    """Return the file the parent handed in."""
    return sys.stdin.buffer.read()


def answer(value: dict[str, Any]) -> None:
    """Hand the verdict to the parent."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()


def _end_on_forbidden(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.__new__" and arguments[1] == socket.AF_UNIX:
        return  # an event loop's own pair of ends; it can be connected to nothing
    writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writing or event.startswith(_FORBIDDEN):
        os._exit(70)
