"""The interval of a proportion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.accuracy.proportion import Z_95, wilson_interval


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_known_intervals(hits: int, count: int, low: float, high: float) -> None:
    """The last two are those of Newcombe 1998, Statistics in Medicine 17, table I."""
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_holds_the_share_and_solves_the_equation_of_the_score(of: tuple[int, int]) -> None:
    hits, count = of
    share, (low, high) = hits / count, wilson_interval(hits, count)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share - end) == pytest.approx(Z_95 * math.sqrt(end * (1 - end) / count), abs=1e-6)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    chance, truth, trials = np.random.default_rng(2), 0.9, 4000
    held = 0
    for hits in chance.binomial(40, truth, trials):
        low, high = wilson_interval(int(hits), 40)
        held += low <= truth <= high
    assert 0.92 < held / trials < 0.98


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_proportion(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(hits, count)
