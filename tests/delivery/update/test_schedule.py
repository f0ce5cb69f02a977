from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from edgeagent.delivery.update.schedule import next_look_s


def test_the_next_look_is_within_the_jitter() -> None:
    random = Random(1)
    looks = [next_look_s(3600.0, 0.5, "gate", random) for _ in range(2000)]
    assert 1800.0 <= min(looks) < 1900.0
    assert 5300.0 < max(looks) <= 5400.0
    assert sum(looks) / len(looks) == pytest.approx(3600.0, rel=0.03)
    assert next_look_s(3600.0, 0.0, "gate", random) == 3600.0


def test_devices_with_one_state_of_chance_are_spread_all_the_same() -> None:
    """Boards without entropy that start after one power cut."""
    looks = [next_look_s(1000.0, 0.5, f"device-{number}", Random(7)) for number in range(1000)]
    tenths = Counter(int((look - 500) // 100) for look in looks)
    assert set(tenths) == set(range(10))
    assert all(60 < count < 140 for count in tenths.values())
    assert looks[3] == next_look_s(1000.0, 0.5, "device-3", Random(7))
