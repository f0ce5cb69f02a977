from __future__ import annotations

import pytest

from edgeagent.delivery.repository.transfer_speed import Bucket, Speed


def test_a_bucket_keeps_the_rate() -> None:
    bucket = Bucket(1000.0, 0.0)
    now = 0.0
    for _ in range(100):
        now += bucket.take(100, now)
    assert now == pytest.approx(10.0)


def test_a_bucket_gives_a_quarter_second_at_once_after_a_pause() -> None:
    bucket = Bucket(1000.0, 0.0)
    assert bucket.take(250, 3600.0) == 0.0
    assert bucket.take(100, 3600.0) == pytest.approx(0.1)


def test_speed_is_judged_at_the_end_of_a_window() -> None:
    speed = Speed(100.0, 10.0, 0.0)
    assert not speed.too_slow(1, 9.9)
    assert speed.too_slow(1, 10.0)
    assert not speed.too_slow(1500, 19.0)
    assert not speed.too_slow(0, 20.0)


def test_a_fast_beginning_does_not_excuse_a_slow_end() -> None:
    speed = Speed(100.0, 10.0, 0.0)
    assert not speed.too_slow(1_000_000, 10.0)
    assert speed.too_slow(999, 20.0)
