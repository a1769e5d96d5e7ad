"""What the cameras and microphones of the tests' browsers are fed: files made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server.rehearsal import face, specimen, voice
from server.rehearsal.cast import APPLICANT

FPS = 10  # two browsers encode in software on two cores; faces need no more
SIZE = (960, 540)
SHOT_S = 3.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A looping film (Y4M) and a looping voice (WAV)."""

    film: Path
    voice: Path

    @property
    def flags(self) -> list[str]:
        """How Chromium is told to use them."""
        return [
            f"--use-file-for-fake-video-capture={self.film}",
            f"--use-file-for-fake-audio-capture={self.voice}",
        ]


@dataclass(frozen=True, slots=True)
class Films:
    """The applicant shows a face, then the card's front, then its back, again and again."""

    applicant: Camera
    notary: Camera
    card: bytes
    passport: bytes


def shoot(folder: Path) -> Films:
    """Draws both people and the card into `folder`; some 80 MB."""
    actor = face.applicant(size=SIZE)
    front = specimen.front(APPLICANT, face.document_portrait())
    shots = [
        face.Shot(action="talk", seconds=SHOT_S),
        face.Shot(seconds=SHOT_S, held=front),
        face.Shot(seconds=SHOT_S, held=specimen.back(APPLICANT)),
    ]
    applicant = Camera(folder / "applicant.y4m", folder / "applicant.wav")
    face.write_y4m(applicant.film, face.play(actor, shots, fps=FPS), fps=FPS)
    voice.write_wav(applicant.voice, 6, pitch_hz=220)
    notary = Camera(folder / "notary.y4m", folder / "notary.wav")
    talking = [face.Shot(action="talk", seconds=SHOT_S)]
    face.write_y4m(notary.film, face.play(face.notary(), talking, fps=FPS), fps=FPS)
    voice.write_wav(notary.voice, 6, pitch_hz=130)
    passport = specimen.passport(APPLICANT, face.document_portrait())
    return Films(applicant, notary, specimen.jpeg(front), specimen.jpeg(passport))
