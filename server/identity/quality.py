"""How well a face or a document can be seen: sharp, lit, large enough."""

from __future__ import annotations

from server.identity.faces import Detection
from server.identity.findings import Quality
from server.identity.picture import Image

# Chosen on a few dozen pictures; they steer advice to people and decide nothing.
FACE_LIGHT = 80.0  # 90th percentile of luma; the mean would call dark skin dark
FACE_SHARPNESS = 12.0
FACE_WIDTH = 64
CARD_LIGHT = 70.0
CARD_SHARPNESS = 180.0
FRAME_SHARPNESS = 60.0  # of a whole picture
CARD_WIDTH = 260  # below this the number's digits are some 7 px high


def measure(image: Image) -> Quality:
    """Measures a region (BGR): variance of the Laplacian at 160 px height, light, size in px."""
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    if height < 8 or width < 8:
        return Quality(sharpness=0.0, light=0.0, width=width, height=height)
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    light = float(np.percentile(luma, 90))
    wanted = (max(8, round(width * 160 / height)), 160)
    same = cv2.resize(luma, wanted, interpolation=cv2.INTER_AREA)
    # Contrast is taken out, or every dark picture would be called blurred as well.
    spread = max(8.0, float(same.std()))
    edges = cv2.Laplacian(same.astype(np.float32) * (48.0 / spread), cv2.CV_32F)
    return Quality(sharpness=float(edges.var()), light=light, width=width, height=height)


def of_face(image: Image, face: Detection) -> Quality:
    """Measures the face itself, without hair and background."""
    x, y, w, h = (int(value) for value in face.box)
    region = image[max(0, y) : y + h, max(0, x) : x + w]
    return measure(region)
