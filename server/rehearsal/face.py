"""Faces for a rehearsal: one public-domain portrait and one drawn head, brought to life.

An Actor bends its picture like a head that turns, nods, blinks and speaks. The animation is our own
and says nothing about how well the presence challenge holds against anybody who means harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

Image = Any  # numpy.ndarray, uint8, (height, width, 3), BGR
Action = Literal["idle", "talk", "turn_left", "turn_right", "nod", "blink", "open_mouth"]
_LEVEL = 0.38  # how far down the frame the face's middle is; hands and cards come below it
_FINGER = (122, 158, 212)
_REACH = 1.55  # how far beyond the face, in radii, the head and hair still turn
PORTRAIT = Path(__file__).resolve().parent / "portrait" / "astronaut.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """Where a face lies in its picture, in pixels: centre, half width and height, eyes, mouth."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    mouth: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One moment: yaw (positive to the person's left) and pitch in degrees, blink and mouth 0..1,
    sway in pixels of the portrait."""

    yaw: float = 0.0
    pitch: float = 0.0
    blink: float = 0.0
    mouth: float = 0.0
    sway: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A stretch of a scene: what the person does, for how many seconds, and what they hold up."""

    action: Action = "idle"
    seconds: float = 2.0
    held: Image | None = None


class Actor:
    """A picture that can be posed; frames are `size` (width, height), the face above the middle."""

    def __init__(
        self, picture: Image, anatomy: Anatomy, *, size: tuple[int, int] = (640, 480)
    ) -> None:
        self._anatomy = anatomy
        self._size = size
        width, height = size
        # A face not quite half as tall as the frame: somebody at arm's length from a telephone.
        self._scale = height * 0.42 / (2 * anatomy.radii[1])
        self._picture = picture
        # Only the head bends; its corner in the frame, and the portrait's pixels behind it.
        reach_x, reach_y = (_REACH * radius * self._scale for radius in anatomy.radii)
        self._left, self._top = (
            max(0, int(width / 2 - reach_x)),
            max(0, int(height * _LEVEL - reach_y)),
        )
        columns = np.arange(self._left, min(width, int(width / 2 + reach_x)), dtype=np.float32)
        rows = np.arange(self._top, min(height, int(height * _LEVEL + reach_y)), dtype=np.float32)
        x, y = np.meshgrid(columns, rows)
        self._x = (x - width / 2) / self._scale + anatomy.centre[0]
        self._y = (y - height * _LEVEL) / self._scale + anatomy.centre[1]
        noise = np.random.default_rng(7).normal(0, 2.2, (4, height, width))
        self._noise = np.repeat(np.rint(noise).astype(np.int8)[..., None], 3, axis=3)

    def frame(self, pose: Pose, number: int = 0) -> Image:
        """Draws one frame; `number` chooses the camera's noise."""
        width, height = self._size
        face, scale = self._anatomy, self._scale
        shift = (face.centre[0] - pose.sway[0], face.centre[1] - pose.sway[1])
        matrix = np.array(
            [
                [scale, 0, width / 2 - scale * shift[0]],
                [0, scale, height * _LEVEL - scale * shift[1]],
            ]
        )
        drawn = cv2.warpAffine(
            self._picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        x, y = self._x - np.float32(pose.sway[0]), self._y - np.float32(pose.sway[1])
        x, y = self._turned(x, y, pose)
        y, gap = self._spoken(x, y, pose.mouth) if pose.mouth else (y, None)
        y, lashes = self._blinked(x, y, pose.blink) if pose.blink else (y, None)
        head = cv2.remap(
            self._picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )  # fmt: skip
        if gap is not None:
            head = head + (np.array((30, 22, 48), np.float32) - head) * gap[..., None]
        if lashes is not None:
            head = head * (1 - 0.55 * lashes[..., None])
        bottom, right = self._top + head.shape[0], self._left + head.shape[1]
        drawn[self._top : bottom, self._left : right] = np.clip(head, 0, 255)
        noise = np.roll(self._noise[number % 4], 37 * number % width, axis=1)
        return cv2.add(drawn, noise, dtype=cv2.CV_8U)

    def _turned(self, x: Any, y: Any, pose: Pose) -> tuple[Any, Any]:
        """Shifts each point as one on a rounded head would, most in the middle, none outside."""
        face = self._anatomy
        u, v = (x - face.centre[0]) / face.radii[0], (y - face.centre[1]) / face.radii[1]
        depth = np.clip(1 - (u * u + v * v) / _REACH**2, 0, 1)
        depth *= np.sqrt(depth)
        yaw, pitch = np.deg2rad(pose.yaw), np.deg2rad(pose.pitch)
        # The person's left is the picture's right.
        return (
            x - depth * np.float32(np.sin(yaw) * face.radii[0] * 0.95),
            y - depth * np.float32(np.sin(pitch) * face.radii[1] * 0.85),
        )

    def _spoken(self, x: Any, y: Any, opened: float) -> tuple[Any, Any]:
        """Lowers the jaw; returns where the gap between the lips is, 0..1."""
        (mouth_x, mouth_y), (half, tall) = self._anatomy.mouth, self._anatomy.radii
        away = (x - mouth_x) / np.float32(0.36 * half)
        drop = np.exp(-((away * away) ** 2)) * np.float32(opened * 0.24 * tall)
        below = y - np.float32(mouth_y)
        gap = np.clip(below * 2, 0, 1) * np.clip((drop - below) * 2, 0, 1)
        fade = np.clip(1 - below / np.float32(0.9 * tall), 0, 1)
        return np.where(below > 0, y - np.minimum(drop, below) * fade, y), gap

    def _blinked(self, x: Any, y: Any, shut: float) -> tuple[Any, Any]:
        """Draws the upper lid's skin over each eye, with a line where the lashes meet."""
        half, tall = self._anatomy.radii
        lashes = np.zeros_like(x)
        for eye_x, eye_y in self._anatomy.eyes:
            u = (x - np.float32(eye_x)) / np.float32(0.34 * half)
            v = (y - np.float32(eye_y)) / np.float32(0.15 * tall)
            inside = 1 - (u * u + v * v)
            line = np.exp(-(((v - np.float32(0.35)) / np.float32(0.16)) ** 2))
            lashes = np.maximum(lashes, line * np.clip(1 - u * u, 0, 1) * np.float32(shut))
            y = y - np.clip(inside * 1.5, 0, 1) * np.float32(shut * 0.13 * tall)
        return y, lashes


def applicant(*, size: tuple[int, int] = (640, 480)) -> Actor:
    """The animated portrait. Raises FileNotFoundError when the build hook has not fetched it."""
    picture = cv2.imread(str(PORTRAIT))
    if picture is None:
        raise FileNotFoundError(PORTRAIT)
    anatomy = Anatomy(
        centre=(223, 116), radii=(50, 64), eyes=((200, 102), (247, 102.5)), mouth=(220, 144)
    )
    return Actor(picture, anatomy, size=size)


def document_portrait() -> Image:
    """The portrait as a card shows it: head and shoulders, 4 by 5."""
    picture = cv2.imread(str(PORTRAIT))
    if picture is None:
        raise FileNotFoundError(PORTRAIT)
    return np.ascontiguousarray(picture[0:300, 103:343])


def notary(*, size: tuple[int, int] = (640, 480)) -> Actor:
    """The drawn head: nobody, and nothing like the applicant."""
    anatomy = Anatomy(
        centre=(256, 230), radii=(92, 122), eyes=((216, 206), (296, 206)), mouth=(256, 292)
    )
    return Actor(drawn_head(), anatomy, size=size)


def drawn_head() -> Image:
    """Draws a head and shoulders, 512 x 512, shaded enough for a detector to take it for a face."""
    image = np.zeros((512, 512, 3), np.uint8)
    image[:] = np.linspace(178, 206, 512, dtype=np.uint8)[:, None, None]
    cv2.rectangle(image, (330, 40), (490, 250), (196, 190, 176), -1)
    skin, shade, hair, suit = (150, 182, 222), (118, 150, 196), (34, 36, 42), (92, 58, 40)
    cv2.ellipse(image, (256, 540), (220, 160), 0, 0, 360, suit, -1, cv2.LINE_AA)
    cv2.fillPoly(
        image, [np.array([(206, 396), (306, 396), (256, 512)])], (244, 244, 244), cv2.LINE_AA
    )
    cv2.fillPoly(image, [np.array([(246, 410), (266, 410), (274, 512), (238, 512)])], (70, 40, 140))
    cv2.rectangle(image, (212, 320), (300, 400), shade, -1)
    cv2.ellipse(image, (256, 206), (112, 138), 0, 180, 360, hair, -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.ellipse(image, (256 + side * 96, 232), (16, 30), 0, 0, 360, shade, -1, cv2.LINE_AA)
    cv2.ellipse(image, (256, 230), (92, 122), 0, 0, 360, skin, -1, cv2.LINE_AA)
    cv2.ellipse(image, (256, 120), (88, 44), 0, 180, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(image, (256, 132), (84, 26), 0, 180, 360, hair, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (256 + side * 40, 206)
        cv2.ellipse(image, eye, (25, 15), 0, 0, 360, shade, -1, cv2.LINE_AA)
        cv2.ellipse(image, eye, (20, 9), 0, 0, 360, (240, 240, 240), -1, cv2.LINE_AA)
        cv2.circle(image, eye, 9, (40, 52, 74), -1, cv2.LINE_AA)
        cv2.circle(image, eye, 4, (10, 10, 12), -1, cv2.LINE_AA)
        cv2.circle(image, (eye[0] - 3, eye[1] - 3), 2, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.ellipse(image, (eye[0], 204), (21, 11), 0, 190, 350, (40, 44, 60), 3, cv2.LINE_AA)
        cv2.ellipse(image, (eye[0], 186), (27, 10), 0, 195, 345, hair, 7, cv2.LINE_AA)
    cv2.line(image, (262, 212), (268, 250), shade, 5, cv2.LINE_AA)
    cv2.ellipse(image, (256, 256), (20, 9), 0, 10, 170, (96, 122, 170), 4, cv2.LINE_AA)
    cv2.ellipse(image, (256, 288), (34, 12), 0, 0, 180, (104, 104, 178), -1, cv2.LINE_AA)
    cv2.ellipse(image, (256, 290), (34, 8), 0, 180, 360, (90, 90, 168), -1, cv2.LINE_AA)
    cv2.line(image, (224, 290), (288, 290), (58, 56, 104), 2, cv2.LINE_AA)
    soft = cv2.GaussianBlur(image, (0, 0), 2.2).astype(np.float32)
    across = np.linspace(1.12, 0.84, 512, dtype=np.float32)[None, :, None]  # a window on one side
    return np.clip(soft * across, 0, 255).astype(np.uint8)


def pose(action: Action, moment: float, *, clock: float) -> Pose:
    """The pose `moment` (0..1) into an action; `clock` in seconds keeps sway and blinks going."""
    sway = (1.6 * np.sin(clock * 1.1), 1.2 * np.sin(clock * 1.7 + 1))
    rise = float(np.clip(1.6 * np.sin(np.pi * moment), 0, 1))
    blink = 1.0 if clock % 3.7 < 0.18 else 0.0
    yaw = 2.0 * np.sin(clock * 0.6)
    match action:
        case "turn_left":
            return Pose(yaw=34 * rise, sway=sway)
        case "turn_right":
            return Pose(yaw=-34 * rise, sway=sway)
        case "nod":
            return Pose(pitch=24 * rise, sway=sway)
        case "blink":
            return Pose(blink=1.0 if 0.35 < moment < 0.65 else 0.0, sway=sway)
        case "open_mouth":
            return Pose(mouth=rise, sway=sway)
        case "talk":
            syllable = 0.45 * abs(np.sin(clock * 9)) * (0.6 + 0.4 * np.sin(clock * 2.3))
            return Pose(yaw=yaw, blink=blink, mouth=float(syllable), sway=sway)
    return Pose(yaw=yaw, blink=blink, sway=sway)


def play(actor: Actor, shots: Sequence[Shot], *, fps: int = 15) -> Iterator[Image]:
    """Plays shots one after the other, frame by frame."""
    number = 0
    for shot in shots:
        count = max(1, round(shot.seconds * fps))
        for index in range(count):
            clock = number / fps
            frame = actor.frame(pose(shot.action, index / count, clock=clock), number)
            if shot.held is not None:
                frame = holding(frame, shot.held, clock=clock)
            yield frame
            number += 1


def holding(frame: Image, card: Image, *, clock: float = 0.0, share: float = 0.8) -> Image:
    """Puts a card into the picture as if held up to the camera: `share` of the frame's width, a
    little askew, never quite still, with two fingers at its edges."""
    height, width = frame.shape[:2]
    wide = width * share
    tall = wide * card.shape[0] / card.shape[1]
    if tall > 0.9 * height:
        wide, tall = wide * 0.9 * height / tall, 0.9 * height
    left = (width - wide) / 2 + 3 * np.sin(clock * 1.3)
    top = height - tall - 0.05 * height + 2 * np.sin(clock * 1.9)
    lean = 0.012 * wide
    corners = np.array(
        [(left + lean, top + lean), (left + wide, top), (left + wide - lean, top + tall),
         (left, top + tall - 0.6 * lean)], np.float32,
    )  # fmt: skip
    # Shrinking by area first: warping alone would drop the thin strokes of the text.
    small = cv2.resize(card, (round(wide), round(tall)), interpolation=cv2.INTER_AREA)
    size = np.array(
        [(0, 0), (small.shape[1], 0), (small.shape[1], small.shape[0]), (0, small.shape[0])],
        np.float32,
    )
    matrix = cv2.getPerspectiveTransform(size, corners)
    laid = cv2.warpPerspective(small, matrix, (width, height), flags=cv2.INTER_CUBIC)
    mask = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), matrix, (width, height))
    # Only what lies below the card's upper edge changes, and single precision is plenty for pixels.
    below = max(0, int(top) - 24)
    mask, laid = mask[below:], laid[below:]
    shadow = cv2.GaussianBlur(np.roll(mask, (4, 4), (0, 1)), (0, 0), 5)
    part = frame[below:] * (1 - shadow * np.float32(0.35 / 255))[..., None]
    part += (laid - part) * (mask * np.float32(1 / 255))[..., None]
    held = frame.copy()
    held[below:] = part
    for x in (corners[3][0] + 2, corners[2][0] - 2):
        at = (int(x), int(top + 0.62 * tall))
        cv2.ellipse(
            held, at, (round(0.022 * wide), round(0.05 * wide)), 0, 0, 360, _FINGER, -1, cv2.LINE_AA
        )
    return held


def write_mjpeg(path: Path, frames: Iterable[Image], *, fps: int, quality: int = 88) -> None:
    """Writes a file for Chromium's --use-file-for-fake-video-capture, which plays MJPEG at 30
    frames a second whatever was meant: frames are repeated, so `fps` should divide 30."""
    with path.open("wb") as file:
        for frame in frames:
            _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
            file.write(data.tobytes() * max(1, round(30 / fps)))


def write_y4m(path: Path, frames: Iterable[Image], *, fps: int) -> None:
    """Writes raw 4:2:0 video for the same option: exact rate, half a megabyte a frame."""
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            if number == 0:
                head = f"YUV4MPEG2 W{frame.shape[1]} H{frame.shape[0]} F{fps}:1 Ip A1:1 C420jpeg\n"
                file.write(head.encode())
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())
