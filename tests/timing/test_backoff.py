from __future__ import annotations

from edgeagent.timing.backoff import Backoff


def test_delays_double_up_to_the_longest_with_jitter() -> None:
    backoff = Backoff(first=1.0, longest=10.0)
    for limit in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        assert backoff.current == limit
        assert limit / 2 <= backoff.next() <= limit
    backoff.reset()
    assert backoff.next() <= 1.0


def test_a_longest_delay_below_the_first_is_raised_to_it() -> None:
    backoff = Backoff(first=5.0, longest=1.0)
    assert [backoff.next() >= 2.5 for _ in range(3)] == [True, True, True]


def test_without_jitter_delays_are_exact() -> None:
    backoff = Backoff(first=1.0, longest=5.0, jitter=0.0)
    assert [backoff.next() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
