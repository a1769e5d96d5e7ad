"""The analyst: the server's only way into this room while a session runs.

Every picture is looked at in one of two worker processes (one reads documents, one looks at faces),
each with a deadline. Whatever fails, is late, or cannot be loaded comes back as a Finding of level
"unavailable"; nothing here raises for a picture's sake, and nothing is ever shown green by default.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from server.identity.findings import DocumentReading, Finding, Side
from server.identity.hints import FrameReading, Watch
from server.identity.process import Closed, Crowded, ImageProcess, Late

_LOG = logging.getLogger(__name__)
_SHANGHAI = timezone(timedelta(hours=8))


class Analyst:
    """Front of the image workers. `async with Analyst(clock=...) as analyst: ...`

    `clock` gives ms since the epoch; `weights` overrides the weights directory; `deadline_s` bounds
    one answer. At most `waiting` jobs queue per worker: beyond that the oldest queued job is
    answered "unavailable", so the newest frame is never the one dropped.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        weights: Path | None = None,
        deadline_s: float = 20.0,
        waiting: int = 8,
    ) -> None:
        self._clock = clock
        self._deadline_s = deadline_s
        self._documents = ImageProcess(weights, waiting=waiting)
        self._faces = ImageProcess(weights, waiting=waiting)
        self._closed = False

    async def __aenter__(self) -> Analyst:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def warm(self) -> tuple[Finding, ...]:
        """Starts both workers, loads their networks; returns what is unavailable, for the log.

        Nothing is, of an analyst that was closed meanwhile.
        """
        wait = self._deadline_s
        answers = await asyncio.gather(
            self._ask(self._documents, "warm", {"what": "documents"}, "document", wait),
            self._ask(self._faces, "warm", {"what": "faces"}, "watch", wait),
        )
        if self._closed:
            return ()
        return tuple(answer for answer in answers if isinstance(answer, Finding))

    async def read_document(
        self, image: bytes, side: Side, *, at: int | None = None
    ) -> DocumentReading:
        """Finds and reads one side of a document in an upload or a frame (JPEG, PNG, WebP bytes).

        "passport" reads any machine readable travel document. The reading of a picture without a
        document has no fields and a finding that says what to do.
        """
        at = self._clock() if at is None else at
        today = datetime.fromtimestamp(at / 1000, _SHANGHAI).date().isoformat()
        job = {"image": image, "side": side, "at": at, "today": today}
        answer = await self._ask(
            self._documents, "read_document", job, "document", self._deadline_s
        )
        if isinstance(answer, DocumentReading):
            return answer
        return DocumentReading(
            kind="unknown", side=side, fields={}, portrait=None, crop=None, quality=None,
            findings=(answer,),
        )  # fmt: skip

    async def compare(
        self, portrait: bytes, frames: Sequence[bytes], *, at: int | None = None
    ) -> Finding:
        """Compares a document's portrait with live frames of one person; see match.compare."""
        job = {"portrait": portrait, "frames": tuple(frames)[-8:], "at": at or self._clock()}
        answer = await self._ask(self._faces, "compare", job, "face_comparison", self._deadline_s)
        return self._a_finding(answer, "face_comparison")

    async def look(self, frame: bytes, *, at: int | None = None) -> FrameReading | Finding:
        """Measures one live frame (faces, light, sharpness); a Finding says "unavailable"."""
        job = {"frame": frame, "at": self._clock() if at is None else at}
        answer = await self._ask(self._faces, "look", job, "watch", min(5.0, self._deadline_s))
        if isinstance(answer, FrameReading):
            return answer
        return self._a_finding(answer, "watch")

    async def watch(
        self, frame: bytes, *, memory: Watch, at: int | None = None
    ) -> tuple[Finding, ...]:
        """Looks at one live frame and tells `memory`; returns the hints that became due.

        One Watch per participant and take; call it about twice a second.
        """
        reading = await self.look(frame, at=at)
        if isinstance(reading, Finding):
            return memory.missed(reading)
        return memory.feed(reading, picture=frame)

    async def close(self) -> None:
        """Ends both workers; safe to call twice."""
        self._closed = True
        await self._documents.stop()
        await self._faces.stop()

    def _a_finding(self, answer: object, kind: str) -> Finding:
        return answer if isinstance(answer, Finding) else unavailable(kind, at=self._clock())

    async def _ask(
        self,
        worker: ImageProcess,
        name: str,
        job: Mapping[str, object],
        kind: str,
        deadline_s: float,
    ) -> Any:
        taken = job.get("at")  # what is said of a picture is said of its time, not of the answer's
        at = taken if isinstance(taken, int) else self._clock()
        try:
            return await worker.ask({"do": name, **job}, deadline_s=deadline_s)
        except Late:
            return unavailable(kind, at=at, text_key="unavailable.late")
        except Crowded:
            return unavailable(kind, at=at, text_key="unavailable.busy")
        except Closed:  # the server stops: true, and no trouble to tell the operator of
            return unavailable(kind, at=at)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("image worker: %s failed: %r", name, error)
            return unavailable(kind, at=at)


def unavailable(kind: str, *, at: int, text_key: str = "unavailable.failed") -> Finding:
    """The finding that says an analysis did not happen."""
    return Finding(kind=kind, level="unavailable", text_key=text_key, at=at)
