"""The weights: found, digest-checked, loaded once per worker process.

`weights.lock` beside this file names each file and its SHA-256; the build hook fetches them. A file
that is missing or differs makes what needs it unavailable, never the call.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.identity.errors import Unavailable

HERE = Path(__file__).resolve().parent
YUNET = "face_detection_yunet_2023mar.onnx"
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"


@dataclass(frozen=True, slots=True)
class Models:
    """The face networks, ready: `detector` is cv2.FaceDetectorYN, `recogniser` FaceRecognizerSF."""

    detector: Any
    recogniser: Any


def weights_directory(environment: Mapping[str, str]) -> Path:
    """Names the directory: FARSEAL_WEIGHTS_DIR when set, else the one in the package."""
    chosen = environment.get("FARSEAL_WEIGHTS_DIR")
    return Path(chosen) if chosen else HERE / "weights"


def expected_digests() -> dict[str, str]:
    """Reads file name -> SHA-256 for the files weights.lock puts into this room."""
    entries = tomllib.loads((HERE / "weights.lock").read_text())["file"]
    return {
        Path(entry["target"]).name: entry["sha256"]
        for entry in entries
        if entry["target"].startswith("server/identity/weights/")
    }


def checked(directory: Path, name: str) -> bytes:
    """Reads one weight file whose digest is the lock's. Raises Unavailable otherwise."""
    try:
        content = (directory / name).read_bytes()
    except OSError as error:
        raise Unavailable("unavailable.weights_missing", f"{name}: {error}") from error
    if hashlib.sha256(content).hexdigest() != expected_digests()[name]:
        raise Unavailable("unavailable.weights_wrong", f"{name} is not the file the lock names")
    return content


def load(directory: Path | None = None) -> Models:
    """Loads both face networks from `directory` (default: weights_directory of the environment).

    The bytes that were digested are the bytes that are loaded. Raises Unavailable.
    """
    directory = directory or weights_directory(os.environ)
    import cv2
    import numpy as np

    yunet = np.frombuffer(checked(directory, YUNET), np.uint8)
    sface = np.frombuffer(checked(directory, SFACE), np.uint8)
    nothing = np.empty(0, np.uint8)
    try:
        cv2.setNumThreads(1)
        detector = cv2.FaceDetectorYN.create("onnx", yunet, nothing, (320, 320), 0.7, 0.3, 50)
        recogniser = cv2.FaceRecognizerSF.create("onnx", sface, nothing)
    except cv2.error as error:
        raise Unavailable("unavailable.weights_wrong", str(error)) from error
    return Models(detector, recogniser)
