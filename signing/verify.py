"""Verify whatever somebody hands over: a bundle or a certificate PDF.

report = verify(data, trust, ledger=register, at=now)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from signing.report import Check, Report
from signing.trust import Trust

if TYPE_CHECKING:
    from signing.register import Register


def verify(
    data: bytes,
    trust: Trust | None,
    *,
    ledger: Register | None,
    at: int,
    status: Mapping[str, Any] | None = None,
    max_age_ms: int | None = None,
) -> Report:
    """Check a file by what it begins with; what is neither bundle nor PDF is invalid.

    `ledger` serves bare PDFs; a bundle carries its own proofs. Never raises for what a file holds.
    Raises RuntimeError on the thread of a running event loop, which it would hold up and which
    pyHanko cannot share: call it by `asyncio.to_thread`.
    """
    if _in_event_loop():
        raise RuntimeError("verify blocks; in an event loop, call it by asyncio.to_thread")
    if data.startswith(b"PK\x03\x04"):
        from signing import verify_bundle

        return verify_bundle.verify(data, trust, at=at, status=status, max_age_ms=max_age_ms)
    if data.startswith(b"%PDF-"):
        from signing import verify_pdf

        return verify_pdf.verify(
            data, trust, ledger=ledger, at=at, status=status, max_age_ms=max_age_ms
        )
    failed = Check(1, "limits", "failed", {"size": len(data)}, reason="unknown-kind")
    return Report("unknown", (failed,), notes=trust.notes if trust else ())


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
