"""A voice for a rehearsal: a tone with the rhythm of speech, saying nothing."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np


def speech(seconds: float, *, rate: int = 48_000, pitch_hz: float = 170.0) -> Any:
    """Makes `seconds` of mono samples, int16: voiced syllables, four a second, with pauses."""
    t = np.arange(round(seconds * rate)) / rate
    pitch = pitch_hz * (1 + 0.08 * np.sin(2 * np.pi * 0.7 * t) + 0.03 * np.sin(2 * np.pi * 5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    # Harmonics weighted by two formants that wander as vowels do.
    first, second = (
        550 + 200 * np.sin(2 * np.pi * 1.9 * t),
        1500 + 500 * np.sin(2 * np.pi * 1.3 * t),
    )
    voiced = np.zeros_like(t)
    for harmonic in range(1, 16):
        near = [np.exp(-(((harmonic * pitch - f) / 180) ** 2)) for f in (first, second)]
        voiced += (0.06 + near[0] + 0.5 * near[1]) * np.sin(harmonic * phase) / harmonic**0.5
    syllables = np.clip(np.sin(2 * np.pi * 4 * t), 0, 1) ** 0.6
    phrases = np.clip(3 * np.sin(2 * np.pi * 0.31 * t) + 2, 0, 1)
    sound = voiced * syllables * phrases
    return (sound / max(1e-9, float(np.abs(sound).max())) * 12_000).astype(np.int16)


def write_wav(path: Path, seconds: float, *, rate: int = 48_000, pitch_hz: float = 170.0) -> None:
    """Writes speech() to a file for Chromium's --use-file-for-fake-audio-capture."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(speech(seconds, rate=rate, pitch_hz=pitch_hz).tobytes())
