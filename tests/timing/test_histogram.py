from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from edgeagent.timing.histogram import (
    FIRST,
    LAST,
    MAX_NS,
    MIN_NS,
    Histogram,
    StageTimes,
    bucket_of,
)


def filled(durations_ns: np.ndarray) -> Histogram:
    histogram = Histogram()
    for duration in durations_ns.tolist():
        histogram.record(int(duration))
    return histogram


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("middle_ns", [2e4, 3e5, 12e6, 5e9])
def test_percentiles_are_within_one_percent(middle_ns: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    durations = np.exp(random.normal(math.log(middle_ns), 1.0, 2000)).clip(MIN_NS, MAX_NS).astype(np.int64)
    found = filled(durations).percentiles()
    ordered = np.sort(durations) / 1e6
    assert found.count == 2000
    assert found.p50 == pytest.approx(ordered[1000], rel=0.01)
    assert found.p90 == pytest.approx(ordered[1800], rel=0.01)
    assert found.p99 == pytest.approx(ordered[1980], rel=0.01)


def test_the_shortest_durations_are_within_one_percent_too() -> None:
    for duration in range(MIN_NS, 20 * MIN_NS, 97):
        found = filled(np.full(5, duration)).percentiles()
        assert found.p50 == pytest.approx(duration / 1e6, rel=0.01)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, ""),
        (4, ""),
        (5, "p50"),
        (63, "p50"),
        (64, "p50 p90"),
        (661, "p50 p90"),
        (662, "p50 p90 p99"),
    ],
)
def test_a_percentile_is_shown_only_from_enough_samples(count: int, shown: str) -> None:
    found = filled(np.full(count, 5_000_000)).percentiles()
    assert [name for name in ("p50", "p90", "p99") if getattr(found, name) is not None] == shown.split()


def test_the_buckets_are_those_of_the_document() -> None:
    """Bucket i holds (2^(i/64), 2^((i+1)/64)] ms: powers of two close a bucket, and are exact."""
    for doublings in range(-6, 16):
        assert bucket_of(2.0**doublings) == 64 * doublings - 1
        assert bucket_of(math.nextafter(2.0**doublings, math.inf) * (1 + 1e-9)) == 64 * doublings
    assert filled(np.array([1_000_000, 1_000_001, 33_000_000, 33_000_000])).buckets() == {-1: 1, 0: 1, 322: 2}


def test_published_buckets_of_a_fleet_give_its_percentiles_not_a_mean_of_theirs() -> None:
    """A thousand fast frames and a few slow boards: the p99 is the slow boards'."""
    random = np.random.default_rng(5)
    boards = [random.normal(middle, middle / 20, 700).clip(MIN_NS) for middle in (20e6, 21e6, 19e6, 300e6)]
    fleet = Histogram()
    for board in boards:
        fleet.add(Histogram.of(filled(board).buckets()))
    everything = np.sort(np.concatenate(boards)) / 1e6
    found = fleet.percentiles()
    assert found.count == 2800
    assert found.p50 == pytest.approx(everything[1400], rel=0.01)
    assert found.p99 == pytest.approx(everything[2772], rel=0.01)
    means = [filled(board).percentiles().p99 for board in boards]
    assert sum(value or 0 for value in means) / 4 < 0.4 * everything[2772]


@pytest.mark.parametrize("buckets", [{FIRST - 1: 1}, {LAST + 1: 1}, {0: -1}])
def test_buckets_that_cannot_be_are_refused(buckets: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="bucket"):
        Histogram.of(buckets)


def test_histograms_add_up() -> None:
    random = np.random.default_rng(1)
    parts = [random.uniform(1e6, 9e7, 400) for _ in range(3)]
    total = Histogram()
    for part in parts:
        total.add(filled(part))
    assert total.percentiles() == filled(np.concatenate(parts)).percentiles()
    assert total.count == 1200


def test_durations_out_of_range_count_in_the_outermost_bins() -> None:
    low, high = filled(np.full(5, 0)), filled(np.full(5, 10 * MAX_NS))
    assert low.percentiles().p50 == pytest.approx(MIN_NS / 1e6, rel=0.01)
    assert high.percentiles().p50 == pytest.approx(MAX_NS / 1e6, rel=0.02)


def test_intervals_begin_anew_and_the_total_goes_on() -> None:
    times = StageTimes(("inference", "decode"))
    for _ in range(10):
        times.record("inference", 20_000_000)
    first = times.interval()
    assert (first["inference"].count, first["decode"].count) == (10, 0)
    for _ in range(7):
        times.record("inference", 40_000_000)
    second = times.interval()
    assert second["inference"].count == 7
    assert second["inference"].percentiles().p50 == pytest.approx(40, rel=0.01)
    assert times.total["inference"].count == 17
    assert times.interval()["inference"].percentiles().p50 is None


def test_buckets_are_those_of_one_moment_while_another_thread_records() -> None:
    histogram, ended = Histogram(), threading.Event()

    def record() -> None:
        while not ended.is_set():
            for exponent in range(14, 35):
                histogram.record(2**exponent)
            histogram._counts[:] = 0

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        for _ in range(3000):
            assert all(count >= 0 for count in histogram.buckets().values())
    finally:
        ended.set()
        recorder.join()
