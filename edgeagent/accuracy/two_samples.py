"""Comparison of two histograms: a stability index for the size of a change, and tests for its significance.

All functions take counts over the same bins. The tests assume independent samples. Detections of one frame
are not, so callers pass the number of frames as ``n`` and ``m``: the shares are those of the counts, the
sample sizes those of the frames.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

MOST_TERMS = 100
LEAST_EXPECTED = 5.0
"""Least expected count in each bin of a chi-square test (Cochran 1954); rarer bins are merged."""


def stability_index(reference: Counts, window: Counts) -> float:
    """Return the population stability index, 0 for equal shares: sum of (w - r) * ln(w / r) over the bins.

    It is the symmetric Kullback-Leibler divergence (Jeffreys 1946). The usual reading is no change below .1,
    and a large change above .25 (Siddiqi 2006, Credit Risk Scorecards). Bins that are empty in both are
    ignored; half a count is added to the others, which keeps the logarithm finite. By chance alone its mean
    is about (bins - 1) * (1 / n + 1 / m) (Yurdakul 2018), so small samples are not meaningful.

    Raises:
        ValueError: a histogram is empty.
    """
    _check(reference, window)
    seen = (reference + window) > 0
    r, w = reference[seen] + 0.5, window[seen] + 0.5
    r, w = r / r.sum(), w / w.sum()
    return float(((w - r) * np.log(w / r)).sum())


def kolmogorov_smirnov(reference: Counts, window: Counts, n: float, m: float) -> float:
    """Return the p-value of the two-sample test on binned data, for ordered quantities.

    D is the largest difference of the cumulative shares at the bin edges, at most that of the samples
    themselves, so p is an upper bound. p = Q((e + .12 + .11 / e) * D) with e the root of
    n * m / (n + m), and Q(x) = 2 * sum of (-1)^(j-1) * exp(-2 j^2 x^2) (Stephens 1970; Numerical Recipes,
    3rd edition, 14.3.3).

    Args:
        reference, window: counts.
        n, m: number of independent samples of each.

    Raises:
        ValueError: a histogram is empty.
    """
    _check(reference, window)
    shares = np.cumsum(reference) / reference.sum() - np.cumsum(window) / window.sum()
    root = math.sqrt(n * m / (n + m))
    return _q((root + 0.12 + 0.11 / root) * float(np.abs(shares).max()))


def chi_square(reference: Counts, window: Counts, n: float, m: float) -> float:
    """Return the p-value of the test of homogeneity, for classes, which have no order.

    The statistic is the sum of (n * m) * (r - w)^2 / (n * r + m * w) over the shares r and w, with one
    degree of freedom less than there are classes (Numerical Recipes, 3rd edition, 14.3.2). Classes with an
    expected count below :data:`LEAST_EXPECTED` are merged. The tail is that of the cube root, which is
    nearly normal (Wilson and Hilferty 1931).

    Args:
        reference, window: counts.
        n, m: number of independent samples of each.

    Raises:
        ValueError: a histogram is empty.
    """
    _check(reference, window)
    r, w = reference / reference.sum(), window / window.sum()
    expected = (n * r + m * w) / (n + m) * min(n, m)
    rare = expected < LEAST_EXPECTED
    r = np.append(r[~rare], r[rare].sum())
    w = np.append(w[~rare], w[rare].sum())
    seen = (r + w) > 0
    r, w = r[seen], w[seen]
    freedom = len(r) - 1
    if freedom == 0:
        return 1.0
    return _chi_square_tail(float((n * m * (r - w) ** 2 / (n * r + m * w)).sum()), freedom)


def _check(reference: Counts, window: Counts) -> None:
    if not reference.sum() or not window.sum():
        raise ValueError("an empty histogram cannot be compared")


def _q(x: float) -> float:
    """Return the tail of Kolmogorov's distribution."""
    if x < 0.2:  # 1 in double precision, where the series converges slowly
        return 1.0
    terms = ((1 if j % 2 else -1) * math.exp(-2 * j * j * x * x) for j in range(1, MOST_TERMS))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Return the probability of a larger value, by the transformation of Wilson and Hilferty."""
    variance = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - variance)) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2))
