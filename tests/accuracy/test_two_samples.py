"""Indices and tests against what brute force finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.accuracy.two_samples import Counts, chi_square, kolmogorov_smirnov, stability_index

PERMUTATIONS = 4000


def counts(*values: int) -> Counts:
    return np.array(values, np.int64)


histograms = st.lists(st.integers(0, 500), min_size=5, max_size=5).filter(any).map(lambda v: counts(*v))


def test_equal_shares_are_no_change() -> None:
    one = counts(10, 40, 30, 20)
    assert stability_index(one, one) == 0
    assert kolmogorov_smirnov(one, one * 3, 100, 300) == 1
    assert chi_square(one, one * 3, 100, 300) > 0.9


def test_the_index_of_a_worked_example() -> None:
    before, now = counts(500, 300, 200), counts(300, 300, 400)
    shares = [(500, 300), (300, 300), (200, 400)]
    expected = sum((w - r) / 1000 * math.log(w / r) for r, w in shares)
    assert stability_index(before, now) == pytest.approx(expected, abs=2e-3)  # half a count is added


def test_a_bin_that_only_one_of_them_has_makes_no_infinity() -> None:
    assert 1 < stability_index(counts(100, 0, 0), counts(0, 100, 0)) < 20


@given(histograms, histograms)
def test_the_index_is_symmetric_and_never_negative(one: Counts, other: Counts) -> None:
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))
    assert stability_index(one, other) >= 0


@given(histograms, histograms, st.integers(1, 5000), st.integers(1, 5000))
def test_p_values_are_probabilities(one: Counts, other: Counts, n: int, m: int) -> None:
    for test in (kolmogorov_smirnov, chi_square):
        assert 0 <= test(one, other, n, m) <= 1


@given(histograms, histograms)
def test_more_evidence_makes_a_difference_less_likely_chance(one: Counts, other: Counts) -> None:
    for least, most in itertools.pairwise((200, 400, 800)):
        few = kolmogorov_smirnov(one, other, least, least)
        assert kolmogorov_smirnov(one, other, most, most) <= few + 1e-12


@pytest.mark.parametrize("empty", [(counts(0, 0), counts(1, 2)), (counts(1, 2), counts(0, 0))])
def test_what_is_empty_cannot_be_compared(empty: tuple[Counts, Counts]) -> None:
    with pytest.raises(ValueError, match="empty"):
        stability_index(*empty)
    with pytest.raises(ValueError, match="empty"):
        kolmogorov_smirnov(*empty, 1, 1)
    with pytest.raises(ValueError, match="empty"):
        chi_square(*empty, 1, 1)


def permuted(one: Counts, other: Counts, statistic: Callable[[Counts, Counts], float]) -> float:
    """The p-value by shuffling the samples between the two histograms."""
    chance = np.random.default_rng(3)
    bins = len(one)
    values = np.repeat(np.tile(np.arange(bins), 2), np.concatenate([one, other]))
    n = int(one.sum())
    seen, reached = statistic(one, other), 0
    for _ in range(PERMUTATIONS):
        chance.shuffle(values)
        first, second = np.bincount(values[:n], minlength=bins), np.bincount(values[n:], minlength=bins)
        reached += statistic(first, second) >= seen - 1e-12
    return reached / PERMUTATIONS


def largest_step(one: Counts, other: Counts) -> float:
    return float(np.abs(np.cumsum(one) / one.sum() - np.cumsum(other) / other.sum()).max())


def pearson(one: Counts, other: Counts) -> float:
    table = np.stack([one, other]).astype(float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())


TABLES = [
    (counts(30, 30, 30, 30), counts(24, 30, 34, 32)),
    (counts(40, 30, 20, 10), counts(28, 30, 22, 20)),
    (counts(50, 50, 50, 50), counts(25, 35, 45, 55)),
    (counts(10, 80, 60, 50, 20), counts(16, 64, 70, 44, 30)),
]


@pytest.mark.parametrize(("one", "other"), TABLES)
def test_chi_square_is_what_permutation_finds(one: Counts, other: Counts) -> None:
    found = chi_square(one, other, int(one.sum()), int(other.sum()))
    expected = permuted(one, other, pearson)
    assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / PERMUTATIONS))


@pytest.mark.parametrize(("one", "other"), TABLES)
def test_kolmogorov_smirnov_on_bins_never_claims_more_than_permutation(one: Counts, other: Counts) -> None:
    found = kolmogorov_smirnov(one, other, int(one.sum()), int(other.sum()))
    expected = permuted(one, other, largest_step)
    assert found >= expected - 3 * math.sqrt(0.25 / PERMUTATIONS)


def test_kolmogorov_smirnov_on_fine_bins_is_what_permutation_finds() -> None:
    chance = np.random.default_rng(5)
    edges = np.linspace(-6, 6, 400)
    one = np.histogram(chance.normal(0, 1, 150), edges)[0].astype(np.int64)
    other = np.histogram(chance.normal(0.25, 1, 120), edges)[0].astype(np.int64)
    found = kolmogorov_smirnov(one, other, 150, 120)
    assert found == pytest.approx(permuted(one, other, largest_step), abs=0.03)


def test_chance_alone_is_rarely_called_a_change() -> None:
    chance, shares, alarms = np.random.default_rng(11), np.array([0.4, 0.3, 0.2, 0.1]), [0, 0]
    for _trial in range(2000):
        one, other = (chance.multinomial(300, shares).astype(np.int64) for _ in range(2))
        for place, test in enumerate((kolmogorov_smirnov, chi_square)):
            alarms[place] += test(one, other, 300, 300) < 0.05
    assert alarms[0] <= 2000 * 0.06
    assert 2000 * 0.03 < alarms[1] < 2000 * 0.07


def test_rare_classes_are_put_together() -> None:
    one, other = counts(500, 400, 1, 0, 2, 0, 1), counts(500, 400, 0, 2, 0, 1, 1)
    assert chi_square(one, other, 904, 904) > 0.5
    assert chi_square(counts(1, 0), counts(0, 1), 1, 1) == 1, "one class is left"


@pytest.mark.parametrize(
    ("statistic", "classes", "p_value"),
    [(3.841, 2, 0.05), (9.488, 5, 0.05), (18.307, 11, 0.05), (16.27, 4, 0.001)],
)
def test_the_tail_is_that_of_the_tables(statistic: float, classes: int, p_value: float) -> None:
    """Quantiles as printed in every table of chi-square."""
    # two histograms whose statistic is that: the first two classes differ, all others are equal
    n, share = 10_000.0, 1 / classes
    step = math.sqrt(statistic * share / n)
    r, w = np.full(classes, share), np.full(classes, share)
    r[0], r[1], w[0], w[1] = share + step / 2, share - step / 2, share - step / 2, share + step / 2
    scaled = [np.round(shares * 1e12).astype(np.int64) for shares in (r, w)]
    assert chi_square(scaled[0], scaled[1], n, n) == pytest.approx(p_value, rel=0.15)
