"""Camera time: intervals, breaks, and clocks that are set."""

from __future__ import annotations

import math

import pytest

from edgeagent.errors import DataError
from edgeagent.track.camera_clock import CameraClock


def intervals(*times: float) -> list[float | None]:
    clock = CameraClock(2.0)
    return [clock.advance(time_s) for time_s in times]


def test_the_first_frame_has_no_interval() -> None:
    assert intervals(17.0, 17.5) == [None, 0.5]


def test_a_long_gap_is_a_break() -> None:
    assert intervals(0, 0.1, 0.2, 10, 10.25) == [None, pytest.approx(0.1), pytest.approx(0.1), None, 0.25]


def test_a_clock_that_is_set_back_is_a_break() -> None:
    assert intervals(100, 100.5, 3, 3.5) == [None, 0.5, None, 0.5]


def test_frames_in_the_wrong_order_are_of_one_time() -> None:
    assert intervals(1.0, 1.5, 1.45, 2.0) == [None, 0.5, 0.0, 0.5]


def test_frames_that_always_come_slowly_are_followed() -> None:
    assert intervals(0, 5, 10, 15, 20) == [None, None, 5, 5, 5]


def test_one_break_does_not_make_the_next_one_usual() -> None:
    assert intervals(0, 0.5, 3600, 3600.5, 7200)[-1] is None


@pytest.mark.parametrize("time_s", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_refused(time_s: float) -> None:
    with pytest.raises(DataError, match="seconds"):
        intervals(1.0, time_s)
