from __future__ import annotations

from edgeagent.delivery.repository.throttled_reader import MinimumSpeed


def test_speed_is_judged_at_the_end_of_a_window() -> None:
    speed = MinimumSpeed(100.0, 10.0, 0.0)
    assert not speed.too_slow(1, 9.9)
    assert speed.too_slow(1, 10.0)
    assert not speed.too_slow(1500, 19.0)
    assert not speed.too_slow(0, 20.0)


def test_a_fast_beginning_does_not_excuse_a_slow_end() -> None:
    speed = MinimumSpeed(100.0, 10.0, 0.0)
    assert not speed.too_slow(1_000_000, 10.0)
    assert speed.too_slow(999, 20.0)
