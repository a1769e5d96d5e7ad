"""One rehearsal for all who look at what it leaves, and cheap film for those who play on."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from server.rehearsal.footage import Footage
from server.rehearsal.peer import Clip, encode_clip

ROOT = Path(__file__).resolve().parents[2]
FARSEAL = ROOT / ".venv" / "bin" / "farseal"


def clip(seed: int) -> Clip:
    """One second of moving squares: no face, so the analysis has nothing to be sure of."""
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    picture = noise.repeat(20, 0).repeat(20, 1)
    return encode_clip([np.roll(picture, 7 * n, axis=1) for n in range(10)], fps=10)


@pytest.fixture(scope="session")
def footage() -> Footage:
    """Film that costs little: what the cameras show does not matter here."""
    card = io.BytesIO()
    Image.new("RGB", (640, 400), (200, 220, 230)).save(card, "JPEG")
    return Footage(
        notary=clip(1),
        face=clip(2),
        holding_front=clip(3),
        holding_back=clip(4),
        card_front=card.getvalue(),
    )
