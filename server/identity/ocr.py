"""Reading text in a picture with rapidocr and the PP-OCRv6 models its wheel carries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.identity.errors import Unavailable
from server.identity.picture import Image


@dataclass(frozen=True, slots=True)
class Word:
    """One run of text: where its box stands (left, width, middle, height; px) and how sure."""

    text: str
    left: float
    width: float
    middle: float
    height: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one height, joined left to right without spaces; the least sure word counts."""

    text: str
    confidence: float
    words: tuple[Word, ...]


class Reader:
    """The text reader of one process. Raises Unavailable when the wheel's models are not there."""

    def __init__(self) -> None:
        import rapidocr

        folder = Path(rapidocr.__file__).parent / "models"
        det, rec = folder / "PP-OCRv6_det_small.onnx", folder / "PP-OCRv6_rec_small.onnx"
        # Paths are given outright: without them rapidocr would fetch what it misses from a hub.
        if not (det.is_file() and rec.is_file()):
            raise Unavailable(
                "unavailable.weights_missing", "rapidocr's models are not in its wheel"
            )
        self._engine: Any = rapidocr.RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.log_level": "error",
                "Global.max_side_len": 1600,
                "Det.model_path": str(det),
                "Rec.model_path": str(rec),
                "Det.limit_type": "max",
                "Det.limit_side_len": 960,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def lines(self, image: Image) -> list[Line]:
        """Reads every line of a picture (BGR), top to bottom."""
        result = self._engine(image)
        if result.boxes is None or result.txts is None:
            return []
        return into_lines(result.boxes, result.txts, result.scores)


def into_lines(boxes: Any, texts: Sequence[str], scores: Sequence[float]) -> list[Line]:
    """Puts boxes (n, 4, 2) into lines after turning the page upright by their median slope."""
    import numpy as np

    corners = np.asarray(boxes, np.float64)
    slopes = [
        np.arctan2(*(box[1] - box[0])[::-1])
        for box in corners
        if np.linalg.norm(box[1] - box[0]) > 60
    ]
    angle = -float(np.median(slopes)) if slopes else 0.0
    cosine, sine = np.cos(angle), np.sin(angle)
    words = []
    for box, text, score in zip(corners, texts, scores, strict=True):
        x, y = box.mean(axis=0)
        width = float(np.linalg.norm(box[1] - box[0]))
        words.append(
            Word(
                text=re.sub(r"\s+", "", text),
                left=float(cosine * x - sine * y) - width / 2,
                width=width,
                middle=float(sine * x + cosine * y),
                height=float(np.linalg.norm(box[3] - box[0])),
                confidence=float(score),
            )
        )
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.middle):
        if rows and abs(word.middle - rows[-1][0].middle) < 0.55 * max(
            word.height, rows[-1][0].height
        ):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [_line(row) for row in rows]


def _line(words: list[Word]) -> Line:
    ordered = tuple(sorted(words, key=lambda word: word.left))
    text = "".join(word.text for word in ordered)
    return Line(text, min(word.confidence for word in ordered), ordered)
