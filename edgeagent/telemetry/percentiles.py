"""Times of the stages, as histograms: fixed memory, mergeable, and percentiles that can be trusted.

Bins grow by 1 % each, from 10 us to 60 s, so that a percentile is off by at most 1 % however many histograms
were added up (the idea of HdrHistogram). The percentile p of n samples is sorted[floor(n * p)], as MLPerf's
LoadGen takes it, and it is given only from the sample count on at which MLPerf's early-stopping rule lets
one claim it: 64 for p90, 662 for p99 (inference_rules.adoc; confidence .99).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LEAST_NS = 10_000
MOST_NS = 60_000_000_000
GROWTH = 1.01
MINIMUM_COUNT = {"p50": 5, "p90": 64, "p99": 662}
QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}

_LOG_GROWTH = math.log(GROWTH)
_LOG_LEAST = math.log(LEAST_NS)
BINS = math.ceil((math.log(MOST_NS) - _LOG_LEAST) / _LOG_GROWTH) + 1


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles in milliseconds; None where there were too few samples to claim one."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None


class Histogram:
    """Counts of durations by bin. One thread records; reading takes what is there."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self.count = 0

    def record(self, duration_ns: int) -> None:
        """Add a duration in nanoseconds; those out of range count in the outermost bins."""
        limited = min(max(duration_ns, LEAST_NS), MOST_NS)
        self._counts[int((math.log(limited) - _LOG_LEAST) / _LOG_GROWTH)] += 1
        self.count += 1

    def add(self, other: Histogram) -> None:
        """Add another histogram's counts."""
        self._counts += other._counts
        self.count += other.count

    def percentiles(self) -> Percentiles:
        """Return the percentiles that the number of samples allows."""
        counts = self._counts.copy()
        total = int(counts.sum())
        below = np.cumsum(counts)

        def value(name: str) -> float | None:
            if total < MINIMUM_COUNT[name]:
                return None
            position = math.floor(total * QUANTILES[name])
            index = int(np.searchsorted(below, position, side="right"))
            # 4 digits: with 3, rounding alone would be wrong by 5 % at 10 us
            return round(float(LEAST_NS * GROWTH ** (index + 0.5) / 1e6), 4)

        return Percentiles(total, value("p50"), value("p90"), value("p99"))


class StageTimes:
    """Histograms of one camera's stages, for the current interval and for the whole run.

    Each stage is recorded by one thread. :meth:`interval` is called by one other.
    """

    def __init__(self, stages: tuple[str, ...]) -> None:
        self._stages = stages
        self._current = {stage: Histogram() for stage in stages}
        self.total = {stage: Histogram() for stage in stages}

    def record(self, stage: str, duration_ns: int) -> None:
        """Add a duration in nanoseconds to a stage."""
        self._current[stage].record(duration_ns)
        self.total[stage].record(duration_ns)

    def interval(self) -> dict[str, Percentiles]:
        """Return the percentiles since the last call, and begin a new interval."""
        ended = self._current
        self._current = {stage: Histogram() for stage in self._stages}
        return {stage: histogram.percentiles() for stage, histogram in ended.items()}
