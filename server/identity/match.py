"""The document's portrait against the person on screen: a similarity 相似度, never a verdict."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from server.identity import faces, picture, printed
from server.identity.errors import PictureRefused
from server.identity.findings import Band, Finding
from server.identity.models import Models

# Cosine of SFace vectors. OpenCV publishes 99.60 % on LFW at 0.363; the bands leave room around it.
SIMILAR = 0.45
NOT_SIMILAR = 0.28
BEST = 3


def band(cosine: float) -> Band:
    """Names the band a cosine falls into; between the two thresholds a person must compare."""
    return "similar" if cosine >= SIMILAR else "unclear" if cosine >= NOT_SIMILAR else "not_similar"


def compare(models: Models, portrait: bytes, frames: Sequence[bytes], *, at: int) -> Finding:
    """Compares by the median of the three most similar live frames.

    The finding carries both pictures. Its level is "info" when similar, else "attention": never
    more, for a low number has many innocent causes. "unavailable" when either face cannot be seen,
    or no live one but the portrait on a document held up: it would be compared with itself.
    """
    try:
        document = picture.decode(portrait)
        found = faces.detect(models, document)
    except PictureRefused:
        found = []
    if not found:
        return _none("face.unavailable.portrait", at)
    wanted = faces.embed(models, document, found[0])
    seen: list[tuple[float, bytes]] = []
    held_up = False
    for frame in frames:
        try:
            image = picture.decode(frame)
        except PictureRefused:
            continue
        every = faces.detect(models, image)
        documents = printed.documents(image) if every else ()
        live = [face for face in every if not printed.is_printed(face, documents)]
        held_up |= len(live) < len(every)
        if live:
            cosine = float(wanted @ faces.embed(models, image, live[0]))
            seen.append((cosine, picture.encode(faces.crop(image, live[0]))))
    if not seen:
        return _none(f"face.unavailable.{'printed' if held_up else 'live'}", at)
    best = sorted(seen, key=lambda item: -item[0])[:BEST]
    score = statistics.median(cosine for cosine, _ in best)
    where = band(score)
    return Finding(
        kind="face_comparison",
        level="info" if where == "similar" else "attention",
        text_key=f"face.{where}",
        at=at,
        score=round(score, 4),
        threshold=SIMILAR,
        detail={
            "band": where, "frames": len(frames), "frames_with_face": len(seen),
            "not_similar_below": NOT_SIMILAR, "score": f"{score:.2f}",
        },
        evidence={
            "portrait": picture.encode(faces.crop(document, found[0])),
            "live": best[len(best) // 2][1],
        },
    )  # fmt: skip


def _none(text_key: str, at: int) -> Finding:
    return Finding(kind="face_comparison", level="unavailable", text_key=text_key, at=at)
