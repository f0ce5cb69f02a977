from __future__ import annotations

import pytest

from edgeagent.bench.interleaving import round_order, speed_ratio
from tests.bench.made import block


def test_each_round_begins_with_the_next_one() -> None:
    assert [round_order("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert round_order([], 3) == []


def test_twice_as_fast_is_two() -> None:
    slow, fast = [block([10.0] * 5)] * 3, [block([5.0] * 5)] * 3
    found = speed_ratio("slow", slow, fast, "single-stream")
    assert (found.reference, found.median, found.q1, found.q3, found.rounds) == ("slow", 2.0, 2.0, 2.0, 3)
    assert speed_ratio("fast", fast, slow, "single-stream").median == 0.5


def test_a_slowdown_of_both_rows_does_not_change_the_ratio() -> None:
    reference = [block([10.0 * slow] * 5) for slow in (1, 8, 1, 3)]
    other = [block([5.0 * slow] * 5) for slow in (1, 8, 1, 3)]
    found = speed_ratio("reference", reference, other, "single-stream")
    assert (found.lowest, found.median, found.highest) == (2.0, 2.0, 2.0)


def test_one_slow_query_does_not_change_a_median_but_a_rate() -> None:
    reference, other = [block([10.0] * 9)], [block([10.0] * 8 + [100.0])]
    assert speed_ratio("r", reference, other, "single-stream").median == 1.0
    assert speed_ratio("r", reference, other, "offline").median == pytest.approx(0.5)


def test_quartiles_and_range_of_a_ratio() -> None:
    reference = [block([10.0] * 5)] * 5
    other = [block([value] * 5) for value in (10.0, 5.0, 4.0, 2.5, 2.0)]
    found = speed_ratio("r", reference, other, "single-stream")
    assert (found.lowest, found.q1, found.median, found.q3, found.highest) == (1.0, 2.0, 2.5, 4.0, 5.0)
