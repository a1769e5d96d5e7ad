"""Ledgers of this office that have ended: mirrors on its disk, shown to everybody as they lie.

former/1/    the first ledger, as `farseal ledger mirror` would have kept it; then 2, ...
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from ledger.read import Response, respond
from ledger.tiles import Mirror
from signing.register import read_mirror, register_of
from signing.trust import Trust

FOLDER = "former"
_NUMBER = re.compile("[1-9][0-9]?")


class FormerLedgers:
    """Reads what `farseal ledger succeed` has kept; nothing here changes any more."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._registers: list[dict[str, Any]] | None = None

    def respond(self, number: str, path: str) -> Response:
        """Answer for a path of one of them, as the log itself did. It reads the disk."""
        folder = self._directory / number
        if not _NUMBER.fullmatch(number) or not (folder / "checkpoint").is_file():
            return Response(404, {"Access-Control-Allow-Origin": "*"}, b"no such ledger\n")
        return respond(Mirror.at(folder), path)

    def registers(self, trust: dict[str, Any]) -> list[dict[str, Any]]:
        """Each one's register, for the verifier's child: note, chain and leaves (base64).

        Every entry is read and checked the first time. Raises LedgerError.
        """
        if self._registers is None:
            keys, found = Trust.parse(trust).log_keys, []
            for number in range(1, len(keys.logs)):
                mirror = Mirror.at(self._directory / str(number))
                read = read_mirror(mirror, keys)
                leaves = [base64.b64encode(leaf.data).decode() for leaf in read.entries]
                chain = register_of(read.origin)
                found.append({"note": mirror.note(), "register": chain, "leaves": leaves})
            self._registers = found
        return self._registers
