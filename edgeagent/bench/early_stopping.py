"""Percentile estimates by MLPerf's early-stopping rule.

Of n samples, at most t lie above the true percentile p with the probability P(Binomial(n, 1 - p) <= t). Where
this is at most 1 - confidence, the t-th highest sample is an upper bound of the percentile: the t - 1 highest
samples are dropped and the highest remaining one is the estimate, for the largest such t (MLPerf
``inference_rules.adoc``, appendix Early Stopping, tolerance d = 0, confidence .99). Below the sample count
that allows t = 1 (64 for p90, 662 for p99) there is no estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.99
MIN_FOR_MEDIAN = 5
"""Samples that a median needs, as in :mod:`edgeagent.timing.histogram`; the rule applies to tails only."""


def probability_of_at_most(t: int, n: int, percentile: float) -> float:
    """Return the probability that at most ``t`` of ``n`` samples lie above the true percentile.

    Args:
        t: number of samples, 0..n.
        n: total number of samples.
        percentile: 0 < p < 1, such as 0.9.
    """
    return math.fsum(_exactly(k, n, percentile) for k in range(t + 1))


def minimum_count(t: int, percentile: float) -> int:
    """Return the minimum number of samples for which the ``t``-th highest is an estimate of the percentile.

    This is MLPerf's h_min(t) plus the ``t`` samples above: 64, 81, 127 and 197 for p90 and t = 1, 2, 5 and
    10; 662, 838, 1307 and 2010 for p99.

    Raises:
        ValueError: ``t`` is less than 1.
    """
    if t < 1:
        raise ValueError(f"t counts from 1, got {t}")
    least, most = t, 2 * t
    while not _allowed(t, most, percentile):
        least, most = most, 2 * most
    while most - least > 1:  # the probability decreases with n
        middle = (least + most) // 2
        if _allowed(t, middle, percentile):
            most = middle
        else:
            least = middle
    return most


def highest_to_drop(n: int, percentile: float) -> int | None:
    """Return the largest t allowed for ``n`` samples; None when t = 1 is not allowed."""
    probability, t = _exactly(0, n, percentile), 0
    while t < n and (probability := probability + _exactly(t + 1, n, percentile)) <= 1 - CONFIDENCE:
        t += 1
    return t or None


def estimate(samples: Sequence[float], percentile: float) -> float | None:
    """Return the early-stopping estimate of a percentile; None with too few samples."""
    t = highest_to_drop(len(samples), percentile)
    return None if t is None else sorted(samples)[len(samples) - t]


def median(samples: Sequence[float]) -> float | None:
    """Return the middle sample (the upper of two); None below :data:`MIN_FOR_MEDIAN` samples."""
    return None if len(samples) < MIN_FOR_MEDIAN else sorted(samples)[len(samples) // 2]


def _allowed(t: int, n: int, percentile: float) -> bool:
    return probability_of_at_most(t, n, percentile) <= 1 - CONFIDENCE


def _exactly(k: int, n: int, percentile: float) -> float:
    """Return the binomial probability of k in n, by logarithms: p**n underflows for thousands of samples."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log1p(-percentile) + (n - k) * math.log(percentile))
