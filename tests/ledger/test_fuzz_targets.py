"""What `make fuzz` calls takes its seeds as they are, and changed a little, and raises nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import NAMES
from tests.fuzz.targets import TARGETS


def test_every_target_is_run() -> None:
    assert tuple(TARGETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_target_takes_seeds_and_what_is_made_of_them(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(TARGETS[name].seeds))
    at = data.draw(st.integers(0, len(seed)))
    cut = data.draw(st.integers(0, 3))
    piece = data.draw(st.binary(max_size=4) | st.sampled_from([b"", b"\n", b"\n\n", b"0", seed]))
    TARGETS[name].call(seed[:at] + piece + seed[at + cut :])
