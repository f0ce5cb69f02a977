from __future__ import annotations

import pytest

from edgeagent.telemetry.rate_limit import RateLimit

SECOND = 1_000_000_000


@pytest.mark.parametrize(("rate", "fps"), [(5.0, 30.0), (5.0, 7.0), (1.0, 30.0), (0.5, 10.0)])
def test_the_rate_is_kept_and_never_exceeded(rate: float, fps: float) -> None:
    limit = RateLimit(rate)
    passed = [t for n in range(int(60 * fps)) if limit.allows(t := 7 * SECOND + int(n * SECOND / fps))]
    assert len(passed) <= 60 * rate + 1
    assert len(passed) >= 0.95 * 60 * min(rate, fps)


def test_after_a_pause_no_burst_is_let_through() -> None:
    limit = RateLimit(10.0)
    assert limit.allows(SECOND)
    late = 100 * SECOND
    assert [limit.allows(late + n * SECOND // 100) for n in range(10)].count(True) <= 2


def test_a_rate_of_nothing_lets_nothing_through() -> None:
    limit = RateLimit(0.0)
    assert not any(limit.allows(n * SECOND) for n in range(100))
