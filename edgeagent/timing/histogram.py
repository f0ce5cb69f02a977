"""Latency histograms: fixed memory, mergeable over devices, percentiles with a minimum sample count.

The buckets are those of OpenTelemetry's exponential histogram at scale 6 (data model, "Exponential
Buckets"), in milliseconds: bucket ``i`` holds durations in (2^(i/64), 2^((i+1)/64)] ms, so each is 1.09 %
wider than the one before, and the error of a percentile is at most 0.6 %, however many histograms are merged.
The percentile p of n samples is sorted[floor(n * p)], as in MLPerf's LoadGen. It is None below the sample
count of MLPerf's early-stopping rule: 64 for p90, 662 for p99 (inference_rules.adoc; confidence .99).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MIN_NS = 10_000
MAX_NS = 60_000_000_000
SCALE = 6
PER_DOUBLING: int = 2**SCALE
MINIMUM_COUNT = {"p50": 5, "p90": 64, "p99": 662}
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}


def bucket_of(duration_ms: float) -> int:
    """Return the index of the bucket of a duration in milliseconds, above 0."""
    return math.ceil(math.log2(duration_ms) * PER_DOUBLING) - 1


def middle_of(index: int) -> float:
    """Return the geometric middle of a bucket, in milliseconds."""
    return float(2 ** ((index + 0.5) / PER_DOUBLING))


FIRST, LAST = bucket_of(MIN_NS / 1e6), bucket_of(MAX_NS / 1e6)
"""Outermost buckets; shorter and longer durations count in them."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles in milliseconds; None below :data:`MINIMUM_COUNT` samples."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None


class Histogram:
    """Counts of durations by bucket. One thread records; others may read at any time."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts = np.zeros(LAST - FIRST + 1, np.int64)
        self.count = 0

    @classmethod
    def of(cls, buckets: Mapping[int, int]) -> Histogram:
        """Return a histogram with these buckets, index to count, as they are published.

        Raises:
            ValueError: an index is out of range, or a count is negative.
        """
        histogram = cls()
        for index, count in buckets.items():
            if not FIRST <= index <= LAST or count < 0:
                raise ValueError(f"bucket {index}: {count}; expected {FIRST} to {LAST} and a count")
            histogram._counts[index - FIRST] = count
            histogram.count += count
        return histogram

    def record(self, duration_ns: int) -> None:
        """Add a duration in nanoseconds; one out of range counts in an outermost bucket."""
        limited = min(max(duration_ns, MIN_NS), MAX_NS)
        self._counts[bucket_of(limited / 1e6) - FIRST] += 1
        self.count += 1

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        self._counts += other._counts
        self.count += other.count

    def buckets(self) -> dict[int, int]:
        """Return the buckets that are not empty, index to count, as they are published."""
        counts = self._counts.copy()  # another thread may record
        return {FIRST + int(place): int(counts[place]) for place in np.flatnonzero(counts)}

    def percentiles(self) -> Percentiles:
        """Return the percentiles; None for those with too few samples."""
        counts = self._counts.copy()
        total = int(counts.sum())
        below = np.cumsum(counts)

        def value(name: str) -> float | None:
            if total < MINIMUM_COUNT[name]:
                return None
            position = math.floor(total * QUANTILES[name])
            index = int(np.searchsorted(below, position, side="right"))
            # 4 digits: with 3, rounding alone would be wrong by 5 % at 10 us
            return round(middle_of(FIRST + index), 4)

        return Percentiles(total, value("p50"), value("p90"), value("p99"))


class StageTimes:
    """Histograms of one camera's stages, for the current interval and for the whole run.

    One thread records each stage; one other calls :meth:`interval`.

    Args:
        stages: their names.

    Attributes:
        total: histogram of the whole run by stage.
    """

    def __init__(self, stages: tuple[str, ...]) -> None:
        self._stages = stages
        self._current = {stage: Histogram() for stage in stages}
        self.total = {stage: Histogram() for stage in stages}

    def record(self, stage: str, duration_ns: int) -> None:
        """Add a duration in nanoseconds to a stage."""
        self._current[stage].record(duration_ns)
        self.total[stage].record(duration_ns)

    def interval(self) -> dict[str, Histogram]:
        """Return the histograms since the last call, by stage, and begin a new interval."""
        ended = self._current
        self._current = {stage: Histogram() for stage in self._stages}
        return ended
