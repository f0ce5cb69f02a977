from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.bench.early_stopping import (
    MIN_FOR_MEDIAN,
    estimate,
    highest_to_drop,
    median,
    minimum_count,
    probability_of_at_most,
)
from edgeagent.timing.histogram import MINIMUM_COUNT

TABLE = {0.9: {1: 64, 2: 81, 5: 127, 10: 197}, 0.99: {1: 662, 2: 838, 5: 1307, 10: 2010}}
"""inference_rules.adoc of MLPerf, appendix Early Stopping."""


@pytest.mark.parametrize(("percentile", "t"), [(p, t) for p, row in TABLE.items() for t in row])
def test_minimum_counts_are_those_that_mlperf_publishes(percentile: float, t: int) -> None:
    assert minimum_count(t, percentile) == TABLE[percentile][t]
    assert highest_to_drop(TABLE[percentile][t], percentile) == t
    assert highest_to_drop(TABLE[percentile][t] - 1, percentile) == (t - 1 or None)


def test_telemetry_and_bench_need_the_same_counts() -> None:
    assert {
        "p50": MIN_FOR_MEDIAN,
        "p90": minimum_count(1, 0.9),
        "p99": minimum_count(1, 0.99),
    } == MINIMUM_COUNT


def test_probabilities_by_hand() -> None:
    assert probability_of_at_most(0, 2, 0.9) == pytest.approx(0.81)
    assert probability_of_at_most(1, 2, 0.9) == pytest.approx(0.99)
    assert probability_of_at_most(2, 2, 0.9) == pytest.approx(1.0)
    assert probability_of_at_most(0, 100_000, 0.9) == pytest.approx(0.0)


def test_t_counts_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        minimum_count(0, 0.9)


@pytest.mark.parametrize("count", [0, 1, 63])
def test_too_few_samples_give_no_percentile(count: int) -> None:
    assert estimate(list(range(count)), 0.9) is None


def test_the_highest_are_dropped_and_the_highest_of_the_rest_reported() -> None:
    assert estimate(list(range(64)), 0.9) == 63
    assert estimate(list(range(81, 0, -1)), 0.9) == 80
    assert estimate(list(range(197)), 0.9) == 197 - 10
    assert estimate(list(range(661)), 0.99) is None
    assert estimate(list(range(2010)), 0.99) == 2010 - 10


@given(st.integers(64, 5000))
def test_an_estimate_lies_above_the_plain_percentile(count: int) -> None:
    found = estimate(list(range(count)), 0.9)
    assert found is not None
    assert found >= int(count * 0.9)


def test_the_estimate_holds_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(0)
    truth = -np.log(0.1)  # p90 of the exponential distribution
    held = [(estimate(list(generator.exponential(size=150)), 0.9) or 0.0) >= truth for _ in range(2000)]
    assert np.mean(held) > 0.985


def test_a_median_is_a_sample() -> None:
    assert median([5.0, 1.0, 3.0, 2.0, 4.0]) == 3.0
    assert median([6.0, 5.0, 1.0, 3.0, 2.0, 4.0]) == 4.0
    assert median([1.0] * 4) is None
