"""Scheduling order of cameras."""

from __future__ import annotations

from collections import Counter

from edgeagent.camera.fair_share import FairShare


def serve(shares: FairShare, waiting: set[int]) -> int:
    position = next(one for one in shares.order() if one in waiting)
    shares.served(position)
    return position


def test_equal_cameras_take_turns() -> None:
    shares = FairShare([1, 1, 1])
    assert [serve(shares, {0, 1, 2}) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_frames_go_by_weight() -> None:
    shares = FairShare([3, 1])
    served = Counter(serve(shares, {0, 1}) for _ in range(400))
    assert abs(served[1] - 100) <= 1


def test_one_that_was_away_does_not_catch_up() -> None:
    shares = FairShare([1, 1])
    for _ in range(100):
        assert serve(shares, {0}) == 0
    back = [serve(shares, {0, 1}) for _ in range(10)]
    assert Counter(back) == {0: 5, 1: 5}


def test_a_heavy_camera_starves_nobody() -> None:
    shares = FairShare([1000, 1])
    served = [serve(shares, {0, 1}) for _ in range(3000)]
    assert served.count(1) >= 2
