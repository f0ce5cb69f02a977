"""Confidence interval of a proportion."""

from __future__ import annotations

import math

Z_95 = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


def wilson_interval(hits: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Return the bounds of the score interval of a proportion, 0..1 (Wilson 1927, JASA 22, 209-212).

    Unlike the normal approximation it stays within 0..1 and keeps its coverage with few samples and near the
    ends. It assumes independent samples.

    Args:
        hits: number of positive samples, 0..count.
        count: number of samples, at least 1.
        z: quantile of the normal distribution.

    Raises:
        ValueError: there is no sample, or there are more hits than samples.
    """
    if not 0 <= hits <= count or count == 0:
        raise ValueError(f"{hits} of {count} is no proportion")
    share, square = hits / count, z * z
    middle = share + square / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    low, high = (middle - half) / (1 + square / count), (middle + half) / (1 + square / count)
    return max(0.0, low), min(1.0, high)
