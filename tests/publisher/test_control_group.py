"""Comparison of two groups of devices: against plain arithmetic, and its interval against known truth."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.publisher.control_group import (
    CONFIDENCE,
    DeviceValue,
    compare_groups,
    student_quantile,
)


def devices(board: str | None, *values: float) -> list[DeviceValue]:
    return [DeviceValue(board, value) for value in values]


def test_quantiles_of_student_are_those_of_the_tables() -> None:
    table = {1: 63.657, 2: 9.925, 3: 5.841, 4: 4.604, 5: 4.032, 10: 3.169, 30: 2.750, 1000: 2.581}
    for degrees, expected in table.items():
        assert student_quantile(0.995, degrees) == pytest.approx(expected, rel=0.01)


def test_control_devices_are_weighted_to_the_boards_of_the_treated() -> None:
    treated = [*devices("pi", 10, 10, 10), *devices("jetson", 2, 2)]
    control = [*devices("pi", 10, 10), *devices("jetson", *[2.0] * 8), *devices("coral", 99, 99)]
    difference = compare_groups(treated, control, relative=False)
    assert difference is not None
    assert difference.treated == pytest.approx((3 * 10 + 2 * 2) / 5)
    assert difference.control == pytest.approx(difference.treated)
    assert (difference.low, difference.high) == pytest.approx((0.0, 0.0))
    assert (difference.treated_devices, difference.control_devices) == (5, 10)


def test_one_device_of_a_board_is_no_group() -> None:
    assert compare_groups(devices("pi", 1), devices("pi", 1, 2, 3), relative=False) is None
    assert compare_groups(devices("pi", 1, 2), devices("jetson", 1, 2, 3), relative=False) is None
    assert compare_groups([], [], relative=False) is None


def test_a_share_of_nothing_is_unknown() -> None:
    assert compare_groups(devices("pi", 1, 2), devices("pi", 0, 0), relative=True) is None


@pytest.mark.parametrize(("treated", "control"), [(5, 60), (30, 30)])
def test_the_interval_holds_the_truth_as_often_as_it_says(treated: int, control: int) -> None:
    """1,000 comparisons without a difference: the interval leaves 0 out in about 1 % of them."""
    random = np.random.default_rng(11)
    missed = 0
    for seed in range(1000):
        groups = [devices("pi", *random.lognormal(3.0, 0.2, count)) for count in (treated, control)]
        difference = compare_groups(groups[0], groups[1], relative=True, seed=seed)
        assert difference is not None
        missed += not difference.low <= 0 <= difference.high
    assert missed <= 1000 * (1 - CONFIDENCE) * 2


def test_many_devices_are_merged_into_blocks_without_a_change_of_the_interval() -> None:
    random = np.random.default_rng(3)
    groups = [devices("pi", *random.normal(20.0, 2.0, count)) for count in (2000, 4000)]
    difference = compare_groups(groups[0], groups[1], relative=False)
    assert difference is not None
    expected = 2 * student_quantile((1 + CONFIDENCE) / 2, 1999) * 2.0 * np.sqrt(1 / 2000 + 1 / 4000)
    assert difference.high - difference.low == pytest.approx(expected, rel=0.15)
