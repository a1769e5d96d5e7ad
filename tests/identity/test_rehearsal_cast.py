"""The rehearsal's cameras and voice: files a browser takes, faces the models take."""

from __future__ import annotations

import wave
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from server.identity import cn_id, faces, models, mrz
from server.rehearsal import face, specimen, voice


def test_the_specimen_is_nobody_and_adds_up() -> None:
    person = specimen.Person()
    assert cn_id.adds_up(person.number)
    assert person.number.startswith(specimen.REGION)
    assert not cn_id.adds_up(specimen.with_wrong_check(person.number))
    assert [len(line) for line in specimen.zone(person)] == [44, 44]
    zone = mrz.parse([(line, 1.0) for line in specimen.zone(person)], today=person.valid_from)
    assert zone is not None
    assert zone.fields["composite"].check == "ok"


@pytest.mark.parametrize("action", ["idle", "talk", "turn_left", "turn_right", "nod", "blink"])
def test_every_pose_is_a_face_the_detector_finds(action: Any, networks: models.Models) -> None:
    for actor in (face.applicant(), face.notary(size=(1280, 720))):
        frame = actor.frame(face.pose(action, 0.5, clock=1.0))
        assert len(faces.detect(networks, frame)) == 1


def test_turning_left_moves_the_face_to_the_pictures_right(networks: models.Models) -> None:
    actor = face.applicant()

    def nose(action: Any) -> float:
        frame = actor.frame(face.pose(action, 0.5, clock=0.0))
        return float(faces.detect(networks, frame)[0].row[8])

    assert nose("turn_left") > nose("idle") + 10 > nose("turn_right") + 20


def test_a_scene_is_never_still_and_has_the_length_asked_for() -> None:
    frames = list(
        face.play(face.applicant(), [face.Shot(seconds=1), face.Shot(action="nod")], fps=5)
    )
    assert len(frames) == 15
    assert {frame.shape for frame in frames} == {(480, 640, 3)}
    assert all(np.any(a != b) for a, b in pairwise(frames))


@pytest.mark.parametrize("kind", ["y4m", "mjpeg"])
def test_camera_files_decode(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"camera.{kind}"
    frames = face.play(face.notary(), [face.Shot(seconds=0.4)], fps=15)
    write = face.write_y4m if kind == "y4m" else face.write_mjpeg
    write(path, frames, fps=15)
    with av.open(str(path), format="yuv4mpegpipe" if kind == "y4m" else "mjpeg") as file:
        decoded = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    assert len(decoded) == (6 if kind == "y4m" else 12)
    assert decoded[0].shape == (480, 640, 3)


def test_the_voice_has_syllables_and_pauses(tmp_path: Path) -> None:
    voice.write_wav(tmp_path / "voice.wav", 2.0)
    with wave.open(str(tmp_path / "voice.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 48_000, 96_000)
        samples = np.frombuffer(file.readframes(96_000), np.int16).astype(float)
    loudness = np.sqrt((samples.reshape(-1, 960) ** 2).mean(axis=1))
    assert loudness.max() > 1_000
    assert loudness.min() < 0.05 * loudness.max()
