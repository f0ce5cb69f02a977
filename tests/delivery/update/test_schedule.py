from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from edgeagent.delivery.update.schedule import next_check_s


def test_the_next_check_is_within_the_jitter() -> None:
    random = Random(1)
    times = [next_check_s(3600.0, 0.5, "gate", random) for _ in range(2000)]
    assert 1800.0 <= min(times) < 1900.0
    assert 5300.0 < max(times) <= 5400.0
    assert sum(times) / len(times) == pytest.approx(3600.0, rel=0.03)
    assert next_check_s(3600.0, 0.0, "gate", random) == 3600.0


def test_devices_with_one_state_of_chance_are_spread_all_the_same() -> None:
    """Boards without entropy that start after one power cut."""
    times = [next_check_s(1000.0, 0.5, f"device-{number}", Random(7)) for number in range(1000)]
    tenths = Counter(int((time - 500) // 100) for time in times)
    assert set(tenths) == set(range(10))
    assert all(60 < count < 140 for count in tenths.values())
    assert times[3] == next_check_s(1000.0, 0.5, "device-3", Random(7))
