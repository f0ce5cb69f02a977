from __future__ import annotations

import itertools

import pytest

from edgeagent.timing.rate_limit import RateLimit

SECOND = 1_000_000_000


@pytest.mark.parametrize(("rate", "fps"), [(5.0, 30.0), (5.0, 7.0), (1.0, 30.0), (0.5, 10.0)])
def test_the_rate_is_kept_and_never_exceeded(rate: float, fps: float) -> None:
    limit = RateLimit(rate)
    passed = [t for n in range(int(60 * fps)) if limit.allows(t := 7 * SECOND + int(n * SECOND / fps))]
    assert len(passed) <= 60 * rate + 1
    assert len(passed) >= 0.95 * 60 * min(rate, fps)


@pytest.mark.parametrize(("rate", "fps"), [(5.0, 30.0), (5.0, 7.0), (1.0, 30.0), (3.0, 25.0), (0.5, 10.0)])
def test_events_pass_evenly_from_the_first_on(rate: float, fps: float) -> None:
    limit = RateLimit(rate)
    passed = [t for n in range(int(20 * fps)) if limit.allows(t := 7 * SECOND + int(n * SECOND / fps))]
    gaps = [(after - before) / SECOND for before, after in itertools.pairwise(passed)]
    assert passed[0] == 7 * SECOND
    # an event waits for its slot, so it is late by less than the time between two events
    assert min(gaps) > 1 / rate - 1 / fps
    assert max(gaps) < 1 / rate + 1 / fps


def test_events_rarer_than_the_rate_all_pass() -> None:
    limit = RateLimit(5.0)
    assert all(limit.allows(n * SECOND) for n in range(1, 50))


def test_after_a_pause_no_burst_is_let_through() -> None:
    limit = RateLimit(10.0)
    assert limit.allows(SECOND)
    late = 100 * SECOND
    assert [limit.allows(late + n * SECOND // 100) for n in range(10)] == [True] + 9 * [False]
    assert limit.allows(late + SECOND // 10)


def test_a_rate_of_nothing_lets_nothing_through() -> None:
    limit = RateLimit(0.0)
    assert not any(limit.allows(n * SECOND) for n in range(100))
