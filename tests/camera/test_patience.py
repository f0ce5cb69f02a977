"""Read time-out adapted to the interval of frames."""

from __future__ import annotations

import pytest

from edgeagent.camera.patience import LONGEST_S, Patience


def after(configured: float, *times: float) -> Patience:
    patience = Patience(configured)
    for time in times:
        patience.frame(time)
    return patience


def test_a_fast_stream_keeps_the_configured_time_out_through_a_pause() -> None:
    assert Patience(5.0).seconds == 5.0
    assert after(5.0, *(number / 25 for number in range(100)), 8.0).seconds == 5.0


def test_one_frame_in_four_seconds_is_given_three_intervals() -> None:
    patience = after(5.0, 0.0, 4.0, 8.0)
    assert patience.seconds == 12.0
    patience.lost(20.0)
    assert patience.seconds == 12.0


def test_a_stream_slower_than_the_time_out_is_learned_from_its_loss() -> None:
    patience = after(5.0, 0.0)
    patience.lost(5.0)
    assert patience.seconds == 15.0


def test_a_loss_without_a_frame_teaches_nothing() -> None:
    patience = Patience(5.0)
    patience.lost(100.0)
    assert patience.seconds == 5.0


@pytest.mark.parametrize(("configured", "expected"), [(5.0, LONGEST_S), (90.0, 90.0)])
def test_there_is_a_longest_time_out(configured: float, expected: float) -> None:
    assert after(configured, 0.0, 500.0, 1000.0).seconds == expected
