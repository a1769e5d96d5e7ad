"""What the cameras of the rehearsal show: filmed before the case begins, sent without encoding."""

from __future__ import annotations

from dataclasses import dataclass

from server.rehearsal import face, specimen, voice
from server.rehearsal.cast import APPLICANT
from server.rehearsal.peer import Clip, encode_clip

FPS = 10
CARD_BITRATE = 1_500_000  # small print survives the encoder
FACE_BITRATE = 500_000


@dataclass(frozen=True, slots=True)
class Footage:
    """Clips of both people, and the card as a photograph (JPEG)."""

    face: Clip
    holding_front: Clip
    holding_back: Clip
    notary: Clip
    card_front: bytes


def film(*, size: tuple[int, int] = (960, 540)) -> Footage:
    """Animates two faces and draws a specimen card. Takes seconds of CPU: use a thread."""
    applicant, notary = face.applicant(size=size), face.notary(size=(640, 480))
    front = specimen.front(APPLICANT, face.document_portrait())
    back = specimen.back(APPLICANT)

    def clip(actor: face.Actor, *shots: face.Shot, bitrate: int, pitch_hz: float) -> Clip:
        seconds = sum(shot.seconds for shot in shots)
        frames = (frame[..., ::-1] for frame in face.play(actor, shots, fps=FPS))
        sound = voice.speech(seconds, pitch_hz=pitch_hz)
        return encode_clip(frames, sound, fps=FPS, bitrate=bitrate)

    def held(card: face.Image) -> Clip:
        shot = face.Shot(action="idle", seconds=0.8, held=card)
        return clip(applicant, shot, bitrate=CARD_BITRATE, pitch_hz=220)

    return Footage(
        face=clip(
            applicant,
            face.Shot(action="talk", seconds=1),
            face.Shot(action="blink", seconds=0.5),
            bitrate=FACE_BITRATE,
            pitch_hz=220,
        ),
        holding_front=held(front),
        holding_back=held(back),
        notary=clip(
            notary, face.Shot(action="talk", seconds=1), bitrate=FACE_BITRATE, pitch_hz=130
        ),
        card_front=specimen.jpeg(front),
    )
