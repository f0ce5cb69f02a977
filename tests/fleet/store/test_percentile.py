"""Percentiles in SQL: those of the program, and those of the raw durations within the bucket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.percentile import MERGED, count_of, percentile_of
from edgeagent.timing.histogram import QUANTILES, Histogram
from tests.fleet.rows import BEGIN, drawn, durations

BOUND = 0.0062
"""Largest relative error: half of a bucket of 1.09 %, and the rounding to four digits."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path_factory.mktemp("fleet"))
    yield opened
    opened.close()


def merged(store: EmbeddedStore, devices: int, each: int, name: str) -> tuple[object, ...]:
    rows = [
        {"device": f"{name}{seed}", "at": BEGIN, "stage": name, "buckets": durations(seed, each).buckets()}
        for seed in range(devices)
    ]
    store.insert("latency_minute", rows)
    wanted = ", ".join(percentile_of(MERGED, each_name) for each_name in QUANTILES)
    sql = f"SELECT {count_of(MERGED)}, {wanted} FROM latency_minute FINAL WHERE stage = {{stage:String}}"
    return store.query(sql, {"stage": name}).rows[0]


@pytest.mark.parametrize("devices", [1, 7, 40])
def test_merged_percentiles_are_exact_within_a_bucket(store: EmbeddedStore, devices: int) -> None:
    found = merged(store, devices, 700, f"many{devices}-")
    every = sorted(value for seed in range(devices) for value in drawn(seed, 700))
    assert found[0] == len(every)
    for (name, share), value in zip(QUANTILES.items(), found[1:], strict=True):
        exact = every[int(len(every) * share)] / 1e6
        assert value == pytest.approx(exact, rel=BOUND), name


def test_they_are_those_of_the_program(store: EmbeddedStore) -> None:
    total = Histogram()
    for seed in range(30):
        total.add(durations(seed, 60))
    expected = total.percentiles()
    assert merged(store, 30, 60, "same-") == (1800, expected.p50, expected.p90, expected.p99)


def test_too_few_durations_give_none(store: EmbeddedStore) -> None:
    assert merged(store, 1, 4, "four-") == (4, None, None, None)
    found = merged(store, 1, 661, "almost-")
    assert found[1] is not None
    assert found[2] is not None
    assert found[3] is None


def test_no_rows_give_none(store: EmbeddedStore) -> None:
    sql = f"SELECT {percentile_of(MERGED, 'p50')} FROM latency_minute FINAL WHERE stage = 'nothing'"
    assert store.query(sql).rows == [(None,)]
