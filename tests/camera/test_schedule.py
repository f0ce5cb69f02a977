"""Time arithmetic: pace of a file and frame rate."""

from __future__ import annotations

import pytest

from edgeagent.camera.pace import Pacer
from edgeagent.camera.rate import FrameRate

SECOND = 1_000_000_000


def test_frames_are_due_by_their_time_stamps_however_late_they_are_read() -> None:
    pacer = Pacer(fps=25)
    positions = [0.0, 0.04, 0.10, 0.11]
    read_at = [100.0, 100.01, 100.3, 100.31]
    due = [pacer.due(position, now) for position, now in zip(positions, read_at, strict=True)]
    assert due == pytest.approx([100.0, 100.04, 100.10, 100.11])


@pytest.mark.parametrize("position", [None, 0.0, -5.0])
def test_without_time_stamps_frames_are_due_by_the_nominal_rate(position: float | None) -> None:
    pacer = Pacer(fps=10)
    assert [pacer.due(position, 50.0) for _ in range(3)] == pytest.approx([50.0, 50.1, 50.2])


@pytest.mark.parametrize("jump", [0.0, 1e9])
def test_a_jump_of_the_time_stamps_costs_one_frame_period(jump: float) -> None:
    pacer = Pacer(fps=25)
    pacer.due(3.0, 10.0)
    assert pacer.due(jump, 10.0) == pytest.approx(10.04)
    assert pacer.due(jump + 0.02, 10.0) == pytest.approx(10.06)


def test_a_schedule_that_is_more_than_a_second_late_starts_anew() -> None:
    pacer = Pacer(fps=25)
    pacer.due(0.0, 10.0)
    assert pacer.due(0.04, 60.0) == 60.0
    assert pacer.due(0.08, 60.0) == pytest.approx(60.04)


def test_an_unknown_rate_counts_as_25() -> None:
    pacer = Pacer(fps=None)
    pacer.due(None, 1.0)
    assert pacer.due(None, 1.0) == pytest.approx(1.04)


@pytest.mark.parametrize("fps", [0.2, 1, 25, 30, 240])
def test_a_steady_stream_reads_its_rate(fps: float) -> None:
    rate = FrameRate(window=2.0)
    period = round(SECOND / fps)
    for frame in range(1000):
        rate.add(frame * period)
    last = 999 * period
    assert rate.per_second(last) == pytest.approx(fps)
    assert rate.per_second(last + period // 2) == pytest.approx(fps, rel=0.3)


def test_the_rate_sinks_when_frames_stay_out_and_forgets_the_past() -> None:
    rate = FrameRate(window=2.0)
    for frame in range(100):
        rate.add(frame * SECOND // 25)
    last = 99 * SECOND // 25
    readings = [rate.per_second(last + seconds * SECOND) for seconds in (0, 1, 4, 40)]
    assert readings == sorted(readings, reverse=True)
    assert readings[-1] < 0.1
    rate.reset()
    assert rate.per_second(last) == 0.0


def test_one_frame_is_no_rate() -> None:
    rate = FrameRate()
    assert rate.per_second(0) == 0.0
    rate.add(0)
    assert rate.per_second(SECOND) == 0.0


def test_frames_at_one_instant_do_not_divide_by_zero() -> None:
    rate = FrameRate()
    rate.add(5)
    rate.add(5)
    assert rate.per_second(5) == 0.0
