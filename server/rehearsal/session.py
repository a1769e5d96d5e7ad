"""The nine steps, scene by scene. Each scene begins from nothing but what the office shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from server.rehearsal.cast import ANSWERS, STROKES
from server.rehearsal.logins import StaffLogin
from server.rehearsal.stage import Stage
from server.rehearsal.visitor import RefusedError

Now = Callable[[str], None]
"""Told the name of each act as it begins."""


async def opening(stage: Stage) -> None:
    await stage.confirm("opening_words_heard", "四个词已听清")
    await stage.confirm("recording_consent", "同意全程录音录像")


async def identity(stage: Stage) -> None:
    """The applicant holds the card to the camera, front and back, then looks into it."""
    footage = stage.footage
    for side, clip in (("front", footage.holding_front), ("back", footage.holding_back)):
        stage.applicant_camera.show(clip)
        await seen(stage, seconds=1)
        await capture(stage, f"document-{side}")
    stage.applicant_camera.show(footage.face)
    await seen(stage, seconds=1)
    await capture(stage, "face")
    await stage.as_notary("registry")
    await stage.as_notary(
        "identity-decision",
        {"accepted": True, "reason": "证件照片与本人画面脸型、眉眼一致，号码校验相符。"},
    )


async def capture(stage: Stage, what: str, *, tries: int = 20) -> None:
    """Takes a picture; when it cannot be had just now, waits for the next key frame and asks again,
    as the notary is told to."""
    for attempt in range(1, tries + 1):
        try:
            await stage.as_notary("captures", {"what": what})
            return
        except RefusedError as refused:
            if refused.code != "picture-unavailable" or attempt == tries:
                raise
            await seen(stage, seconds=1)


async def seen(stage: Stage, *, seconds: float) -> None:
    """Waits until the notary has seen so much more of the applicant's picture."""
    frames = round(stage.footage.face.fps * seconds)
    camera = stage.notary_camera
    await camera.received(video=camera.frames["video"] + frames)


async def environment(stage: Stage) -> None:
    await stage.confirm("room_shown", "已看到整个房间")
    await stage.confirm("location_stated", "在外地的家中")
    await stage.confirm("alone_stated", "说只有自己一人")


async def explanation(stage: Stage) -> None:
    await stage.as_applicant("understood")


async def questions(stage: Stage) -> None:
    for question, answer in ANSWERS.items():
        await stage.as_notary("record", {"key": question, "who": "applicant", "text": answer})


async def reading(stage: Stage) -> None:
    """The notary turns each page; both screens say that they show it."""
    await stage.desk.until(lambda: bool(stage.desk.view["document"]), what="the document")
    for page in range(1, stage.desk.view["document"]["pages"] + 1):
        await stage.as_notary("page", {"n": page})
        await stage.desk.send({"type": "page", "n": page})
        await stage.phone.send({"type": "page", "n": page})


async def signing(stage: Stage) -> None:
    await stage.sign("document", strokes=STROKES)


async def confirming(stage: Stage) -> None:
    await stage.sign("record")


async def closing(stage: Stage) -> None:
    await stage.sign("manifest")


SCENES: tuple[tuple[str, Callable[[Stage], Awaitable[None]]], ...] = (
    ("open", opening),
    ("identity", identity),
    ("environment", environment),
    ("explain", explanation),
    ("question", questions),
    ("read", reading),
    ("sign", signing),
    ("confirm", confirming),
    ("close", closing),
)
"""What happens in each step, by the act's name, in the order of the rule pack."""
LAST = len(SCENES)


async def hold_session(stage: Stage, login: StaffLogin, now: Now) -> None:
    """Plays what is left of the session, and closes it as the notary with a code of `login`."""
    await play_until(stage, LAST, now)
    name, scene = SCENES[LAST - 1]
    now(name)
    while await stage.step() == LAST:
        try:
            await scene(stage)
            await stage.as_notary("close", {"totp": login.code()})
            return
        except RefusedError as refused:
            await go_on(stage, refused)


async def play_until(stage: Stage, step: int, now: Now = lambda _: None) -> None:
    """Plays from the step the session is in until it is in `step` (1 to 9)."""
    told = 0
    while (number := await stage.step()) < step:
        name, scene = SCENES[number - 1]
        if number > told:
            now(name)
            told = number
        try:
            await scene(stage)
            await stage.finish(number)
        except RefusedError as refused:
            await go_on(stage, refused)


async def go_on(stage: Stage, refused: RefusedError) -> None:
    """A machine too busy to carry the call breaks it: both dial again, and the step is repeated."""
    if refused.code != "session-state":
        raise refused
    await stage.dial_again()
