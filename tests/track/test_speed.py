"""Speed on the ground, from positions that jitter."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.track.speed import Speed


def test_a_steady_walk_has_its_speed_whatever_the_frame_rate() -> None:
    for fps in (5, 10, 30):
        speed = Speed()
        found = [speed.add(n / fps, 1.4 * n / fps, 0.0) for n in range(3 * fps)]
        assert found[0] is None
        assert found[-1] == pytest.approx(1.4, rel=0.02)


def test_jitter_of_a_standing_object_is_no_speed() -> None:
    random, speed = np.random.default_rng(1), Speed()
    found = [speed.add(n / 10, *random.normal(0, 0.05, 2).tolist()) for n in range(100)]
    assert max(value for value in found if value is not None) < 0.35


def test_positions_beyond_the_horizon_are_left_out() -> None:
    speed = Speed()
    assert speed.add(0.0, float("nan"), 1.0) is None
    for n in range(20):
        last = speed.add(n / 10, n / 10, 0.0)
    assert speed.add(2.0, float("nan"), 0.0) is None
    assert last == pytest.approx(1.0, rel=0.05)
