"""The random presence challenge: a pure state machine over numbers, no pictures and no clock.

Three actions in random order. A challenge begins with a baseline of neutral frames, every threshold
is relative to it, and an action counts only as rest -> action -> rest, inside its time. What comes
out is a list of outcomes for the notary; an action that was not seen is not a failed person.

    baseline --8 neutral frames--> asked --rest--> armed --action--> seen --rest--> next | done
                                     '------- limit_ms -------> not_seen, next | done
"""

from __future__ import annotations

import hashlib
import statistics
from dataclasses import dataclass, replace
from typing import Literal

Action = Literal["turn_left", "turn_right", "nod", "blink", "open_mouth"]
Phase = Literal["baseline", "asked", "armed", "seen", "done"]
Result = Literal["seen", "not_seen", "too_few_frames", "confirmed_by_eye"]

ACTIONS: tuple[Action, ...] = ("turn_left", "turn_right", "nod", "blink", "open_mouth")
COUNT = 3
LIMIT_MS = 8_000
PATIENT_LIMIT_MS = 20_000  # for people who need longer; prompts are then spoken as well
BASELINE_FRAMES = 8
BLINK_INTERVAL_MS = 150  # a blink lasts 100-400 ms; 10 fps with some jitter

TURN_DEG, NOD_DEG = 12.0, 8.0
REST_TURN_DEG, REST_NOD_DEG = 6.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One frame in numbers: ms, degrees (yaw positive to the person's left), eye ratio, blink
    blendshape 0..1, mouth gap over face height."""

    at: int
    yaw: float
    pitch: float
    eyes: float
    blink: float
    mouth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one action went. `peak` is the measure at its extreme, in the action's own unit;
    `others` counts frames that showed another action than the one asked for."""

    action: Action
    result: Result
    asked_at: int
    seen_at: int | None = None
    peak: float | None = None
    others: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Where a challenge stands. Made by `begin`, moved on by `feed` and `confirm`."""

    nonce: str
    order: tuple[Action, ...]
    limit_ms: int = LIMIT_MS
    phase: Phase = "baseline"
    neutral: tuple[Measure, ...] = ()
    asked_at: int = 0
    seen_at: int | None = None
    peak: float = 0.0
    others: int = 0
    frames: int = 0
    last_at: int | None = None
    outcomes: tuple[Outcome, ...] = ()

    @property
    def asking(self) -> Action | None:
        """The action asked for now; None during the baseline and at the end."""
        if self.phase in ("baseline", "done"):
            return None
        return self.order[len(self.outcomes)]


def begin(nonce: bytes, session_id: str, *, patient: bool = False) -> Challenge:
    """Starts a challenge whose order follows from SHA-256(nonce || session id).

    The nonce is 16 random bytes drawn for this challenge and logged, so that the order can be shown
    afterwards to have been random rather than chosen.
    """
    digest = hashlib.sha256(nonce + session_id.encode()).digest()
    number, left, order = int.from_bytes(digest, "big"), list(ACTIONS), []
    for _ in range(COUNT):
        number, index = divmod(number, len(left))
        order.append(left.pop(index))
    limit = PATIENT_LIMIT_MS if patient else LIMIT_MS
    return Challenge(nonce=nonce.hex(), order=tuple(order), limit_ms=limit)


def feed(state: Challenge, measure: Measure) -> Challenge:
    """Takes the next frame. Frames that do not come later than the last are ignored."""
    if state.phase == "done" or (state.last_at is not None and measure.at <= state.last_at):
        return state
    state = replace(state, last_at=measure.at, frames=state.frames + 1)
    if state.phase == "baseline":
        neutral = (*state.neutral, measure)
        if len(neutral) < BASELINE_FRAMES:
            return replace(state, neutral=neutral)
        return _ask(replace(state, neutral=neutral), measure.at)
    if measure.at - state.asked_at > state.limit_ms:
        return _settle(state, _missed(state, measure.at), measure.at)
    return _follow(state, measure)


def confirm(state: Challenge, *, reason: str, at: int) -> Challenge:
    """Notes that the notary saw the action asked for with their own eyes, and why that was needed.

    Raises ValueError without a reason or when nothing is being asked.
    """
    if state.asking is None or not reason.strip():
        raise ValueError("a reason is needed while an action is being asked for")
    return _settle(state, "confirmed_by_eye", at, reason=reason.strip())


def passed(state: Challenge) -> bool:
    """Says whether every action was seen, by the machine or by the notary."""
    return state.phase == "done" and all(
        outcome.result in ("seen", "confirmed_by_eye") for outcome in state.outcomes
    )


def _follow(state: Challenge, measure: Measure) -> Challenge:
    asked = state.order[len(state.outcomes)]
    shown = _shown(state, measure)
    resting = _rests(state, measure)
    others = state.others + any(action != asked for action in shown)
    state = replace(state, others=others)
    if state.phase == "asked":
        return replace(state, phase="armed") if resting else state
    size = shown.get(asked)
    if state.phase == "armed":
        if size is None:
            return state
        return replace(state, phase="seen", seen_at=measure.at, peak=size)
    if size is not None and size > state.peak:
        state = replace(state, peak=size)
    return _settle(state, "seen", measure.at) if resting else state


def _shown(state: Challenge, measure: Measure) -> dict[Action, float]:
    """The actions a frame shows, with how far they go, relative to the baseline."""
    yaw = measure.yaw - _neutral(state, "yaw")
    pitch = abs(measure.pitch - _neutral(state, "pitch"))
    mouth = measure.mouth - _neutral(state, "mouth")
    eyes, wide = measure.eyes, _neutral(state, "eyes")
    shut = eyes < 0.6 * wide or measure.blink > max(0.45, _neutral(state, "blink") + 0.25)
    shown: dict[Action, float] = {}
    if yaw > TURN_DEG:
        shown["turn_left"] = yaw
    if yaw < -TURN_DEG:
        shown["turn_right"] = -yaw
    if pitch > NOD_DEG:
        shown["nod"] = pitch
    if shut:
        shown["blink"] = max(0.0, 1.0 - eyes / wide) if wide > 0 else measure.blink
    if mouth > 0.15:
        shown["open_mouth"] = mouth
    return shown


def _rests(state: Challenge, measure: Measure) -> bool:
    return (
        abs(measure.yaw - _neutral(state, "yaw")) < REST_TURN_DEG
        and abs(measure.pitch - _neutral(state, "pitch")) < REST_NOD_DEG
        and measure.eyes > 0.75 * _neutral(state, "eyes")
        and measure.mouth < _neutral(state, "mouth") + 0.12
    )


def _neutral(state: Challenge, name: str) -> float:
    return statistics.median(float(getattr(measure, name)) for measure in state.neutral)


def _missed(state: Challenge, at: int) -> Result:
    """A blink nobody could have caught at this frame rate is not one that was not made."""
    interval = (at - state.asked_at) / max(1, state.frames)
    blink = state.order[len(state.outcomes)] == "blink"
    return "too_few_frames" if blink and interval > BLINK_INTERVAL_MS else "not_seen"


def _ask(state: Challenge, at: int) -> Challenge:
    return replace(
        state, phase="asked", asked_at=at, seen_at=None, peak=0.0, others=0, frames=0
    )  # fmt: skip


def _settle(state: Challenge, result: Result, at: int, *, reason: str = "") -> Challenge:
    seen = state.seen_at is not None
    outcome = Outcome(
        action=state.order[len(state.outcomes)], result=result, asked_at=state.asked_at,
        seen_at=state.seen_at, peak=round(state.peak, 3) if seen else None, others=state.others,
        reason=reason,
    )  # fmt: skip
    state = replace(state, outcomes=(*state.outcomes, outcome))
    if len(state.outcomes) == len(state.order):
        return replace(state, phase="done")
    return _ask(state, at)
