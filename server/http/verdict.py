"""The verifier on a stranger's file. Runs in the sandbox's child.

Standard input is one line of JSON, what the child cannot fetch itself (trust, the register's leaves
under a checkpoint, a status list, the time), and then the file. The answer is the report's record.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from ledger.errors import LedgerError
from server.http.sandbox import answer, read_input, shut_in
from signing import verify_bundle, verify_pdf
from signing.errors import SigningError
from signing.register import Register, open_register, with_former
from signing.report import Report
from signing.trust import Trust
from signing.verify import verify

_PARTS = (verify_bundle, verify_pdf)  # imported before the door is shut


def check(data: bytes, context: dict[str, Any]) -> Report:
    """Return the report about a file, by this office's own anchors."""
    trust = Trust.parse(context["trust"])
    return verify(
        data,
        trust,
        ledger=_register(context, trust),
        at=int(context["at"]),
        status=context.get("status"),
    )


def _register(context: dict[str, Any], trust: Trust) -> Register | None:
    told = [*context.get("former", ()), context]
    try:
        found = [_opened(each, trust) for each in told if each["leaves"] or each is context]
    except (LedgerError, SigningError):
        return None  # the report then says that no register was at hand
    return with_former(found[-1], [each for each in found[:-1] if each is not None])


def _opened(told: dict[str, Any], trust: Trust) -> Register | None:
    leaves = [base64.b64decode(leaf) for leaf in told["leaves"]]
    if not leaves:
        return None
    return open_register(told["note"], leaves, register=told["register"], keys=trust.log_keys)


def main() -> None:
    """Read context and file, give the report."""
    shut_in(megabytes=1_500, cpu_seconds=15)
    context, _, data = read_input().partition(b"\n")
    answer(check(data, json.loads(context)).record())


if __name__ == "__main__":
    main()
