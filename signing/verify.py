"""Verify whatever somebody hands over: a bundle or a certificate PDF.

report = verify(data, trust, ledger=register, at=now)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from signing.report import Check, Report, Unavailable
from signing.trust import Trust

if TYPE_CHECKING:
    from signing.register import Register


STALE_MS = 86_400_000
"""How old a standing may be without a word. An office that is asked makes a new status list every
twelve hours, and a ledger that has grown is timestamped each hour."""


def verify(
    data: bytes,
    trust: Trust | None,
    *,
    ledger: Register | Unavailable | None,
    at: int,
    status: Mapping[str, Any] | None = None,
    max_age_ms: int | None = None,
) -> Report:
    """Check a file by what it begins with; what is neither bundle nor PDF is invalid.

    `ledger` (or why the one named is not at hand) serves bare PDFs; a bundle has its own proofs.
    Never raises for what a file holds.
    Raises RuntimeError on the thread of a running event loop, which it would hold up and which
    pyHanko cannot share: call it by `asyncio.to_thread`.
    """
    if _in_event_loop():
        raise RuntimeError("verify blocks; in an event loop, call it by asyncio.to_thread")
    if data.startswith(b"PK\x03\x04"):
        from signing import verify_bundle

        found = verify_bundle.verify(data, trust, at=at, status=status, max_age_ms=max_age_ms)
        return _aged(found, at=at)
    if data.startswith(b"%PDF-"):
        from signing import verify_pdf

        found = verify_pdf.verify(
            data, trust, ledger=ledger, at=at, status=status, max_age_ms=max_age_ms
        )
        return _aged(found, at=at)
    failed = Check(1, "limits", "failed", {"size": len(data)}, reason="unknown-kind")
    return Report("unknown", (failed,), notes=trust.notes if trust else ())


def _aged(report: Report, *, at: int) -> Report:
    """With a word of warning where the standing it tells is not today's."""
    if report.as_of is None or at - report.as_of <= STALE_MS:
        return report
    return replace(report, notes=(*report.notes, "status-old"))


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
