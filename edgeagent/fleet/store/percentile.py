"""Percentiles of merged histograms as expressions of SQL, by the rule of :mod:`edgeagent.timing.histogram`.

Bucket ``i`` holds durations in (2^(i/64), 2^((i+1)/64)] ms. The percentile p of n durations is in the first
bucket whose cumulative count exceeds floor(n * p); its middle is wrong by at most 0.6 %, however many
histograms were merged.
"""

from __future__ import annotations

from edgeagent.timing.histogram import MINIMUM_COUNT, PER_DOUBLING, QUANTILES

MERGED = "sumMap(buckets)"
"""Histogram of all rows of a group, from the column ``buckets``."""


def count_of(buckets: str) -> str:
    """Return the expression of the number of durations in a map of buckets."""
    return f"arraySum(mapValues({buckets}))"


def percentile_of(buckets: str, name: str) -> str:
    """Return the expression of a percentile in milliseconds; NULL with too few durations for it.

    Args:
        buckets: expression or column of the map of buckets, such as :data:`MERGED`.
        name: ``p50``, ``p90`` or ``p99``.
    """
    keys, counts = f"mapKeys({buckets})", f"mapValues({buckets})"
    total = f"arraySum({counts})"
    ordered = f"arraySort((count, index) -> index, {counts}, {keys})"
    exceeds = f"below -> below > toUInt64(floor({total} * {QUANTILES[name]}))"
    index = f"arraySort({keys})[arrayFirstIndex({exceeds}, arrayCumSum({ordered}))]"
    return f"if({total} >= {MINIMUM_COUNT[name]}, round(pow(2, ({index} + 0.5) / {PER_DOUBLING}), 4), NULL)"
