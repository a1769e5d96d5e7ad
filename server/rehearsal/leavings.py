"""What a rehearsal leaves: the things a third party would be given, to check with any tools.

certificate.pdf   bundle.zip   trust.json   ledger/ (mirror, tlog-tiles)   timestamps/*.tsr
recordings/*.webm   copy.zip (the applicant's)   receipt.json
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

from ledger.note import Checkpoint
from ledger.tiles import ENTRIES, tile_path, tiles_of
from server.rehearsal.visitor import Json, Visitor


async def leave(out: Path, *, case: Json, applicant: Visitor, approver: Visitor) -> None:
    """Fetches everything of the delivered case and writes it below `out`."""
    path = f"/api/cases/{case['id']}"
    bundle = await applicant.download(f"{path}/bundle.zip")
    _write(out / "bundle.zip", bundle)
    _write(out / "certificate.pdf", await applicant.download(f"{path}/certificate.pdf"))
    _write(out / "copy.zip", await applicant.download(f"{path}/copy.zip"))
    _write(out / "receipt.json", await applicant.download(f"{path}/receipt.json"))
    _write(out / "trust.json", await applicant.download("/trust.json"))
    with zipfile.ZipFile(BytesIO(bundle)) as archive:
        for name in archive.namelist():
            if name.startswith("timestamps/"):
                _write(out / name, archive.read(name))
    review = await approver.get(f"/api/approvals/{case['id']}")
    for recording in review["recordings"]:
        name = f"{recording['role']}-{recording['take']}.webm"
        _write(out / "recordings" / name, await approver.download(recording["url"]))
    await mirror(applicant, out / "ledger")


async def mirror(visitor: Visitor, directory: Path) -> None:
    """Copies the office's public log into `directory`, the checkpoint last."""
    note = await visitor.download("/log/checkpoint")
    size = Checkpoint.unverified(note.decode()).size
    wanted = [tile_path(level, number, width) for level, number, width in tiles_of(size)]
    wanted += [
        tile_path(ENTRIES, number, width) for level, number, width in tiles_of(size) if level == 0
    ]
    for path in wanted:
        _write(directory / path, await visitor.download(f"/log/{path}"))
    _write(directory / "checkpoint", note)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
