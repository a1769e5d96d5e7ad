"""immudb's embedded store as a peer: our own small program in Go, built once where Go is at hand.

`immudb/main.go` says how it appends: as immudb's documentation shows it, with its own defaults, a
transaction for each entry. The program is kept in .bench/ and built anew when its source changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent / "immudb"
BUILT = Path(__file__).parents[2] / ".bench"
BUILD_S = 600.0


def build() -> tuple[Path | None, str]:
    """The program, or why there is none."""
    digest = sha256(b"".join((HERE / name).read_bytes() for name in ("main.go", "go.sum")))
    program = BUILT / f"immudb-{digest.hexdigest()[:16]}"
    if program.exists():
        return program, ""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        return None, "Go is not at hand"
    BUILT.mkdir(exist_ok=True)
    command = [go, "build", "-mod=readonly", "-o", str(program), "."]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=BUILD_S)
    except subprocess.TimeoutExpired:
        return None, f"it was not built within {BUILD_S:.0f} s"
    return (None, done.stderr.strip()[-200:]) if done.returncode else (program, "")


def run(
    program: Path, directory: Path, callers: int, seconds: float, leaf: int
) -> tuple[int, float]:
    """Appends that came back, and the seconds they took."""
    arguments = [str(directory), str(callers), str(seconds), str(leaf)]
    done = subprocess.run(
        [str(program), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LOG_LEVEL": "error"},
    )
    said = json.loads(done.stdout.splitlines()[-1])
    return int(said["appends"]), float(said["seconds"])
