"""What a rehearsal leaves: the things a third party would be given, to check with any tools.

certificate.pdf   bundle.zip   trust.json   ledger/ (mirror, tlog-tiles)   timestamps/*.tsr
recordings/*.webm   copy.zip (the applicant's)   receipt.json
"""

from __future__ import annotations

import asyncio
import zipfile
from io import BytesIO
from pathlib import Path

from ledger.errors import NotFoundError
from ledger.mirror import mirror
from server.rehearsal.visitor import Json, RefusedError, Visitor
from signing.trust import Trust


async def leave(out: Path, *, case: Json, applicant: Visitor, approver: Visitor) -> None:
    """Fetches everything of the delivered case and writes it below `out`."""
    path = f"/api/cases/{case['id']}"
    bundle = await applicant.download(f"{path}/bundle.zip")
    _write(out / "bundle.zip", bundle)
    _write(out / "certificate.pdf", await applicant.download(f"{path}/certificate.pdf"))
    _write(out / "copy.zip", await applicant.download(f"{path}/copy.zip"))
    _write(out / "receipt.json", await applicant.download(f"{path}/receipt.json"))
    trust = await applicant.download("/trust.json")
    _write(out / "trust.json", trust)
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        for name in archive.namelist():
            if name.startswith("timestamps/"):
                _write(out / name, archive.read(name))
    review = await approver.get(f"/api/approvals/{case['id']}")
    for recording in review["recordings"]:
        name = f"{recording['role']}-{recording['take']}.webm"
        _write(out / "recordings" / name, await approver.download(recording["url"]))
    await _mirror(applicant, out / "ledger", Trust.load(trust))


async def _mirror(visitor: Visitor, directory: Path, trust: Trust) -> None:
    """Mirrors the office's public log as anybody would, by the keys it was given on paper."""
    loop = asyncio.get_running_loop()

    def fetch(path: str, most: int) -> bytes:
        asked = asyncio.run_coroutine_threadsafe(visitor.download(f"/log/{path}"), loop)
        try:
            return asked.result()
        except RefusedError as refused:
            raise NotFoundError(path) from refused

    await asyncio.to_thread(mirror, fetch, directory, trust.log_keys)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
