"""The presence challenge: what passes, what does not, and that nothing else ever happens."""

from __future__ import annotations

import collections
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identity import challenge
from server.identity.challenge import Action, Challenge, Measure

SESSION = "ab" * 16
NEUTRAL = {"yaw": 1.0, "pitch": -2.0, "eyes": 0.30, "blink": 0.1, "mouth": 0.01}
SHOWING: dict[Action, dict[str, float]] = {
    "turn_left": {"yaw": 20.0},
    "turn_right": {"yaw": -20.0},
    "nod": {"pitch": 12.0},
    "blink": {"eyes": 0.1, "blink": 0.8},
    "open_mouth": {"mouth": 0.3},
}


def measure(at: int, action: Action | None = None) -> Measure:
    return Measure(at=at, **{**NEUTRAL, **(SHOWING[action] if action else {})})


def fed(state: Challenge, actions: list[Action | None], *, start: int = 0) -> Challenge:
    for index, action in enumerate(actions):
        state = challenge.feed(state, measure(start + 100 * index, action))
    return state


def baseline(nonce: bytes = b"n" * 16, *, patient: bool = False) -> Challenge:
    return fed(challenge.begin(nonce, SESSION, patient=patient), [None] * 8)


def obedient(state: Challenge) -> list[Action | None]:
    return [frame for action in state.order for frame in (None, action, action, None, None)]


def test_who_does_what_is_asked_passes() -> None:
    state = baseline()
    state = fed(state, obedient(state), start=1_000)
    assert state.phase == "done"
    assert [outcome.action for outcome in state.outcomes] == list(state.order)
    assert {outcome.result for outcome in state.outcomes} == {"seen"}
    assert all(outcome.others == 0 and outcome.peak for outcome in state.outcomes)
    assert challenge.passed(state)


@given(st.binary(min_size=16, max_size=16))
def test_the_order_is_three_different_actions_and_follows_from_the_nonce(nonce: bytes) -> None:
    state = challenge.begin(nonce, SESSION)
    assert len(set(state.order)) == 3
    assert state.order == challenge.begin(nonce, SESSION).order
    assert state.nonce == nonce.hex()


def test_every_order_comes_up_about_equally_often() -> None:
    orders = collections.Counter(
        challenge.begin(number.to_bytes(16, "big"), SESSION).order for number in range(6_000)
    )
    assert len(orders) == 60
    assert min(orders.values()) > 50  # 100 are expected; 50 is five deviations away


def test_a_still_picture_passes_nothing_and_runs_out_of_time() -> None:
    state = fed(baseline(), [None] * 260, start=1_000)
    assert state.phase == "done"
    assert {outcome.result for outcome in state.outcomes} == {"not_seen"}
    assert not challenge.passed(state)


def test_a_held_pose_is_not_an_action() -> None:
    state = baseline()
    held = fed(state, [state.order[0]] * 60, start=1_000)
    assert (held.phase, held.outcomes) == ("asked", ())  # no rest before it
    held = fed(state, [None, *([state.order[0]] * 60)], start=1_000)
    assert (held.phase, held.outcomes) == ("seen", ())  # no rest after it


def test_doing_everything_at_once_is_counted() -> None:
    state = baseline()
    wrong = next(action for action in challenge.ACTIONS if action not in state.order)
    asked = state.order[0]
    state = fed(state, [None, wrong, wrong, None, asked, None], start=1_000)
    assert [(o.result, o.others) for o in state.outcomes] == [("seen", 2)]


def test_too_late_is_not_seen_and_the_next_is_asked() -> None:
    state = baseline()
    state = challenge.feed(state, measure(1_000))
    state = challenge.feed(state, measure(1_000 + challenge.LIMIT_MS, state.order[0]))
    assert state.outcomes[0].result in ("not_seen", "too_few_frames")
    assert state.phase == "asked"


def test_people_who_need_longer_get_longer() -> None:
    state = baseline(patient=True)
    state = challenge.feed(state, measure(1_000))
    state = challenge.feed(state, measure(15_000, state.order[0]))
    state = challenge.feed(state, measure(15_100))
    assert [outcome.result for outcome in state.outcomes] == ["seen"]


def test_a_blink_between_slow_frames_is_not_blamed_on_the_person() -> None:
    nonce = next(
        number.to_bytes(16, "big")
        for number in range(99)
        if challenge.begin(number.to_bytes(16, "big"), SESSION).order[0] == "blink"
    )
    state = baseline(nonce)
    for at in range(1_000, 10_000, 500):
        state = challenge.feed(state, measure(at))
    assert state.outcomes[0].result == "too_few_frames"


def test_the_notary_confirms_by_eye_only_with_a_reason() -> None:
    state = baseline()
    for bad in ("", "  "):
        with pytest.raises(ValueError):
            challenge.confirm(state, reason=bad, at=2_000)
    while state.phase != "done":
        state = challenge.confirm(state, reason="画面卡顿，我看到了", at=2_000)
    assert {o.result for o in state.outcomes} == {"confirmed_by_eye"}
    assert challenge.passed(state)
    with pytest.raises(ValueError):
        challenge.confirm(state, reason="once more", at=3_000)


FRAMES = st.builds(
    Measure,
    at=st.integers(0, 60_000),
    yaw=st.floats(-90, 90),
    pitch=st.floats(-90, 90),
    eyes=st.floats(0, 0.6),
    blink=st.floats(0, 1),
    mouth=st.floats(0, 1),
)


def states(frames: list[Measure]) -> Iterator[Challenge]:
    state = challenge.begin(b"x" * 16, SESSION)
    for frame in frames:
        state = challenge.feed(state, frame)
        yield state


@given(st.lists(FRAMES, max_size=80))
def test_it_only_ever_moves_on(frames: list[Measure]) -> None:
    before = challenge.begin(b"x" * 16, SESSION)
    for state in states(frames):
        assert state.outcomes[: len(before.outcomes)] == before.outcomes
        assert len(state.outcomes) <= 3
        assert (state.phase == "done") == (len(state.outcomes) == 3)
        assert before.last_at is None or state.last_at is None or state.last_at >= before.last_at
        before = state


@given(st.lists(FRAMES, max_size=60), st.integers(0, 59))
def test_frames_out_of_order_change_nothing(frames: list[Measure], again: int) -> None:
    *_, state = (challenge.begin(b"x" * 16, SESSION), *states(frames))
    if again < len(frames) and state.last_at is not None and frames[again].at <= state.last_at:
        assert challenge.feed(state, frames[again]) == state


@given(st.floats(-5.9, 5.9), st.floats(-4.9, 4.9), st.floats(0, 0.11))
def test_small_movements_are_rest(yaw: float, pitch: float, mouth: float) -> None:
    state = baseline()
    moved = Measure(
        at=2_000, yaw=1 + yaw, pitch=-2 + pitch, eyes=0.3, blink=0.1, mouth=0.01 + mouth
    )
    state = challenge.feed(state, moved)
    assert (state.phase, state.others) == ("armed", 0)
