"""Range search: the range with the least squared error of rounding and clipping, over a histogram."""

from __future__ import annotations

import numpy as np

from edgeagent.qat.core.codes import LEVELS
from edgeagent.qat.ptq.histogram import Reals

SHARES = np.geomspace(0.03, 1.0, 48)  # of the observed range, tried on each side
ROUNDS = 2


def least_error(
    values: Reals, counts: Reals, low: float, high: float, symmetric: bool = False
) -> tuple[float, float]:
    """Return the best (low, high) within the observed range, low <= 0 <= high.

    The wider side is narrowed first, then the other; both are repeated once.

    Args:
        values: centres of bins.
        counts: number of values, or sum of weights, in each bin.
        low: least observed value, or 0.
        high: greatest observed value, or 0.
        symmetric: whether the grid has as many codes below 0 as above.
    """
    seen = {"low": low, "high": high}
    best = dict(seen)
    sides = ("low", "high") if -low > high else ("high", "low")
    for side in sides * ROUNDS:
        tried = [{**best, side: float(share) * seen[side]} for share in SHARES]
        best = min(tried, key=lambda limits: error(values, counts, limits["low"], limits["high"], symmetric))
    return best["low"], best["high"]


def error(values: Reals, counts: Reals, low: float, high: float, symmetric: bool = False) -> float:
    """Return the sum of squared errors of values on the grid of a range; see :func:`least_error`."""
    if symmetric:
        scale = max(-low, high, 1e-6) / (LEVELS // 2 - 1)
        lowest, highest, zero = 1 - LEVELS // 2, LEVELS // 2 - 1, 0
    else:
        scale = max(high - low, 1e-6) / (LEVELS - 1)
        lowest, highest, zero = 0, LEVELS - 1, round(-low / scale)
    codes = np.clip(np.round(values / scale) + zero, lowest, highest)
    return float(np.sum(counts * ((codes - zero) * scale - values) ** 2))
