"""Stalls of parts, by the time that the one who looks has counted."""

from __future__ import annotations

from edgeagent.timing.progress import UNLIMITED_S, Progress, ProgressSample, StallCheck


def test_a_part_that_goes_on_has_not_stalled() -> None:
    progress, check = Progress("part"), StallCheck(60.0, 10.0)
    for _ in range(100):
        progress.expect(0.0, "working")
        assert check.stalled_s(progress.sample(), 5.0) is None


def test_a_part_without_a_step_stalls_after_the_announced_time_and_the_margin() -> None:
    progress, check = Progress("part"), StallCheck(60.0, 10.0)
    progress.expect(30.0, "starting")
    found = [check.stalled_s(progress.sample(), 5.0) for _ in range(21)]
    assert found == [None] * 19 + [95.0, 100.0]
    progress.expect(30.0, "starting the next")
    assert check.stalled_s(progress.sample(), 5.0) is None


def test_waiting_for_something_outside_is_no_stall() -> None:
    progress, check = Progress("part"), StallCheck(60.0, 10.0)
    progress.expect(UNLIMITED_S, "waiting for a frame")
    assert [check.stalled_s(progress.sample(), 10.0) for _ in range(100)] == [None] * 100


def test_waiting_is_not_counted_once_work_is_there() -> None:
    check = StallCheck(60.0, 10.0)
    for _ in range(100):
        check.stalled_s(ProgressSample("inference", 7, UNLIMITED_S, "no frame waits"), 10.0)
    working = ProgressSample("inference", 7, 0.0, "detecting")
    found = [check.stalled_s(working, 10.0) for _ in range(7)]
    assert found == [None] * 6 + [70.0]


def test_a_looker_that_was_frozen_does_not_count_that_time() -> None:
    progress, check = Progress("part"), StallCheck(60.0, 10.0)
    progress.expect(0.0, "working")
    check.stalled_s(progress.sample(), 0.0)
    assert check.stalled_s(progress.sample(), 3600.0) is None
