"""The child process that decodes pictures: reads a job per line, answers with a line.

Bounded before the first picture: address space, no core dumps, no child processes' worth of files.
One set of networks per process, loaded when first needed. Everything that can go wrong with a
picture becomes a Finding here; what still escapes ends the process, and process.py starts another.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any, BinaryIO

from server.identity import card, hints, models, ocr, wire
from server.identity import match as matching
from server.identity.errors import IdentityError
from server.identity.findings import Finding

MEMORY_BYTES = 3 * 1024**3  # networks about 1 GB of address space, the largest picture 0.4 GB


class _Room:
    """The networks of one process and the four things it can be asked."""

    @cached_property
    def faces(self) -> models.Models:
        return models.load()

    @cached_property
    def reader(self) -> ocr.Reader:
        return ocr.Reader()

    def answer(self, job: Mapping[str, Any]) -> object:
        kinds = {"read_document": "document", "compare": "face_comparison"}
        kind = kinds.get(job["do"], "watch")
        try:
            return self._do(job)
        except IdentityError as error:
            return _unavailable(kind, job, error.reason)
        except MemoryError:
            return _unavailable(kind, job, "picture.too_large")
        except Exception as error:  # noqa: BLE001 - the last border before "unavailable"
            print(f"image worker: {error!r}", file=sys.stderr)
            return _unavailable(kind, job, "unavailable.failed")

    def _do(self, job: Mapping[str, Any]) -> object:
        match job["do"]:
            case "warm":
                _ = self.reader if job["what"] == "documents" else None
                return {"ready": self.faces is not None}
            case "read_document":
                return card.read_document(
                    self.reader,
                    self._faces_or_none(),
                    job["image"],
                    job["side"],
                    at=job["at"],
                    today=date.fromisoformat(job["today"]),
                )
            case "compare":
                return matching.compare(self.faces, job["portrait"], job["frames"], at=job["at"])
            case "look":
                return hints.read(self.faces, job["frame"], at=job["at"])
        raise ValueError(f"no such job: {job['do']}")

    def _faces_or_none(self) -> models.Models | None:
        try:
            return self.faces
        except IdentityError:
            return None


def _unavailable(kind: str, job: Mapping[str, Any], text_key: str) -> Finding:
    return Finding(kind=kind, level="unavailable", text_key=text_key, at=job.get("at", 0))


def limit_resources() -> None:
    """Bounds this process: address space, and no core file that would hold people's pictures."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answers each line of `jobs` until there is none."""
    room = _Room()
    for line in jobs:
        answers.write(wire.dump(room.answer(wire.load(line))))
        answers.flush()


def main() -> None:
    """Serves on standard input and output; whatever else prints goes to standard error."""
    limit_resources()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
