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


def test_a_burst_passes_at_once_and_the_rate_afterwards() -> None:
    limit = RateLimit(2.0, 32)
    assert [limit.allows(SECOND) for _ in range(40)] == 32 * [True] + 8 * [False]
    assert not limit.allows(SECOND + SECOND // 2 - 1)
    assert limit.allows(SECOND + SECOND // 2)
    assert sum(limit.allows(100 * SECOND) for _ in range(40)) == 32


def test_a_transfer_keeps_the_rate_after_its_first_burst() -> None:
    limit = RateLimit(1000.0, 250)
    now = 0
    for _ in range(100):
        now += round(limit.delay_s(100, now) * SECOND)
    assert now / SECOND == pytest.approx(9.75)


def test_a_transfer_has_its_burst_again_after_a_pause() -> None:
    limit = RateLimit(1000.0, 250)
    assert limit.delay_s(250, 3600 * SECOND) == 0.0
    assert limit.delay_s(100, 3600 * SECOND) == pytest.approx(0.1)
