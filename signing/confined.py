"""Verify a stranger's file in a child process, under limits of time and memory.

A parser may be made to loop, to swell, or to crash its interpreter; then the child dies and the
report says "could not be checked", which is invalid. The request goes to the child as one JSON line
(paths, texts and numbers) followed by the bytes of the file; the report comes back on standard
output. `python -m signing.confined` is the child.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signing.report import Check, Report, Unavailable

if TYPE_CHECKING:
    from signing.register import Register
    from signing.trust import Trust

CPU_SECONDS = 30
MEMORY_BYTES = 1024 * 1024 * 1024
_URL_SECONDS = 20
_LARGEST_ANSWER = 4_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to check a file against. `trust` and `status` are the contents of JSON files.

    `ledger`: a mirror's directory or URL. `at`: now, ms since the epoch.
    """

    at: int
    trust: str | None = None
    ledger: str | None = None
    status: str | None = None
    max_age_ms: int | None = None


def verify_confined(data: bytes, request: Request, *, seconds: float = 120) -> Report:
    """Check a file in a child. Never raises for what the file holds or does to the child."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "signing.confined"],
            input=json.dumps(asdict(request)).encode() + b"\n" + data,
            capture_output=True,
            timeout=seconds,
        )
        return Report.parse(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return _could_not("time")
    except (ValueError, KeyError, TypeError):
        return _could_not("crashed")


def _could_not(reason: str) -> Report:
    return Report("unknown", (Check(1, "limits", "failed", reason=reason),))


def check(data: bytes, request: Request) -> Report:
    """What the child does: read what to believe, then verify."""
    from signing.trust import Trust
    from signing.verify import verify

    trust = None if request.trust is None else Trust.load(request.trust.encode())
    # A bundle carries its own proofs; a mirror is read for a bare PDF only.
    ledger = None
    if request.ledger is not None and trust is not None and data.startswith(b"%PDF-"):
        ledger = _register(request.ledger, trust)
    status = None if request.status is None else json.loads(request.status)
    return verify(
        data, trust, ledger=ledger, at=request.at, status=status, max_age_ms=request.max_age_ms
    )


def _register(ledger: str, trust: Trust) -> Register | Unavailable:
    """What the mirror has registered, or why it cannot be asked: that says nothing of the file."""
    from ledger.errors import LedgerError, NotFoundError
    from ledger.tiles import Mirror
    from signing.register import read_mirror

    try:
        return read_mirror(Mirror(_fetcher(ledger)), trust.log_keys)
    except NotFoundError as missing:
        return Unavailable("no-mirror", error=str(missing))
    except LedgerError as failure:
        return Unavailable("mirror", error=str(failure))


def _fetcher(ledger: str) -> Callable[[str], bytes]:
    if not ledger.startswith(("http://", "https://")):
        return lambda path: (Path(ledger) / path).read_bytes()

    def fetch(path: str) -> bytes:
        import http.client
        from urllib.request import urlopen

        try:
            # The reader named this address; the scheme was checked above.
            with urlopen(f"{ledger.rstrip('/')}/{path}", timeout=_URL_SECONDS) as answer:  # noqa: S310
                content: bytes = answer.read(_LARGEST_ANSWER)
                return content
        except http.client.HTTPException as failure:
            raise OSError(str(failure)) from failure

    return fetch


def main() -> None:
    """Read a request and a file, print the report's record."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    head, _, data = sys.stdin.buffer.read().partition(b"\n")
    record: dict[str, Any] = check(data, Request(**json.loads(head))).record()
    sys.stdout.write(json.dumps(record))


if __name__ == "__main__":
    main()
