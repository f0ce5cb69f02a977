from __future__ import annotations

from math import inf

import pytest
from pydantic import ValidationError

from edgeagent.bench.interleaving import speed_ratio
from edgeagent.bench.results import BenchRow
from edgeagent.bench.rows import (
    CandidateMeasurements,
    RunEnvironment,
    histogram_edges,
    make_row,
    make_times,
)
from edgeagent.detection.golden_check import GoldenResult
from tests.bench.made import MS, ScriptedMeter, block, candidate, measured


def environment(scenario: str = "single-stream", **changes: object) -> RunEnvironment:
    values = {
        "scenario": scenario,
        "meter": None,
        "no_meter": "no sensor",
        "idle_w": None,
        "edges_ms": (1, 10),
    }
    return RunEnvironment(**{**values, **changes})  # type: ignore[arg-type]


def row(item: CandidateMeasurements, **changes: object) -> BenchRow:
    return make_row(item, environment(**changes), None, "is the reference")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "known"),
    [
        (4, set()),
        (5, {"p50_ms"}),
        (63, {"p50_ms"}),
        (64, {"p50_ms", "p90_ms"}),
        (661, {"p50_ms", "p90_ms"}),
        (662, {"p50_ms", "p90_ms", "p99_ms"}),
    ],
)
def test_a_percentile_without_enough_queries_is_absent_and_says_how_many_it_needs(
    count: int, known: set[str]
) -> None:
    found = row(measured([block([5.0] * count)]))
    names = {"p50_ms", "p90_ms", "p99_ms"}
    assert {name for name in names if getattr(found, name) is not None} == known
    for name in names - known:
        least = {"p50_ms": 5, "p90_ms": 64, "p99_ms": 662}[name]
        assert found.absent[name] == f"requires at least {least} queries"
    assert found.count == count


def test_numbers_of_a_row() -> None:
    found = row(measured([block([4.0] * 50), block([6.0] * 50)]))
    assert (found.p50_ms, found.samples_per_s) == (6.0, 200.0)
    assert (found.load_ms, found.first_ms) == (100.0, 20.0)
    assert found.memory is not None
    assert (found.memory.rss_mb, found.memory.growth_mb) == (120.0, 50.0)
    assert found.stages["inference"].p50_ms == pytest.approx(4.8)
    assert found.stages["end_to_end"].count == 100
    assert found.ok


def test_what_is_absent_is_null_with_a_reason() -> None:
    found = row(measured([block([5.0] * 700)]))
    assert found.absent == {
        "map50_95": "no labelled pictures: give --dataset, or --val-images and --val-labels",
        "energy": "no sensor",
        "ratio_to_reference": "is the reference",
    }


def test_outputs_outside_the_tolerance_are_not_ok_and_keep_their_numbers() -> None:
    found = row(measured([block([5.0] * 70)], steps=2.5))
    assert not found.ok
    assert (
        found.reason
        == "its outputs differ from the reference outputs: 2.50 steps off on average at worst, 2 allowed"
    )
    assert found.p90_ms == 5.0
    assert found.golden is not None
    assert not found.golden.within


def test_outputs_that_are_not_finite_are_outside_and_are_no_number() -> None:
    item = measured([block([5.0] * 5)])
    item.golden = GoldenResult(inf, 2.0, inf)
    found = row(item)
    assert found.golden is not None
    assert (found.golden.worst_steps, found.golden.mean_steps, found.golden.within) == (None, None, False)
    assert "infinitely many steps off" in str(found.reason)


def test_a_candidate_that_failed_has_no_numbers() -> None:
    found = row(CandidateMeasurements(candidate(), 1, failure="it took its process down (SIGABRT)"))
    assert (found.ok, found.reason) == (False, "it took its process down (SIGABRT)")
    assert (found.count, found.p50_ms, found.engine, found.stages) == (None, None, None, {})
    assert set(found.absent.values()) == {"not measured: it failed"}
    late = measured([block([5.0] * 100)])
    late.failure = "the engine was pulled out"
    assert row(late).p50_ms is None


def test_offline_has_a_rate_and_no_percentiles() -> None:
    found = row(measured([block([5.0] * 700)]), scenario="offline")
    assert (found.samples_per_s, found.p50_ms, found.p99_ms) == (200.0, None, None)
    assert found.absent["p99_ms"] == "offline measures samples/s, not latency"


def test_energy_is_what_was_used_less_the_idle_baseline() -> None:
    blocks = [block([10.0] * 100, energy_j=8.0), block([10.0] * 100, energy_j=6.0)]
    found = row(measured(blocks), meter=ScriptedMeter(0.0), idle_w=2.0).energy
    assert found is not None
    assert (found.used_j, found.idle_j, found.inferences) == (14.0, 4.0, 200)
    assert found.per_inference_j == pytest.approx(0.05)
    assert (found.source, found.quality) == ("a bench supply", "whole board")


@pytest.mark.parametrize("readings", [(None, 1.0), (1.0, None)])
def test_energy_with_a_gap_is_absent(readings: tuple[float | None, ...]) -> None:
    blocks = [block([10.0] * 100, energy_j=value) for value in readings]
    found = row(measured(blocks), meter=ScriptedMeter(0.0), idle_w=2.0)
    assert found.energy is None
    assert found.absent["energy"] == "the sensor gave no reading"


def test_the_histogram_holds_every_query_and_its_edges_are_common() -> None:
    items = [measured([block([3.0, 30.0] * 10)]), measured([block([4.0] * 7)], "b.onnx")]
    edges = histogram_edges(items)
    for item, count in zip(items, (20, 7), strict=True):
        found = row(item, edges_ms=edges).histogram
        assert found is not None
        assert sum(found.counts) == count
        assert found.edges_ms[0] < 3.0 < 30.0 < found.edges_ms[-1]


def test_no_duration_gives_no_percentile() -> None:
    assert make_times([]).model_dump() == {"count": 0, "p50_ms": None, "p90_ms": None, "p99_ms": None}
    assert make_times([2 * MS] * 5).p50_ms == 2.0


def test_a_row_must_say_why_something_is_absent() -> None:
    plain = row(measured([block([5.0] * 70)])).model_dump()
    with pytest.raises(ValidationError, match="absent names"):
        BenchRow(**{**plain, "absent": {}})
    with pytest.raises(ValidationError, match="has a reason"):
        BenchRow(**{**plain, "ok": False})


def test_a_row_with_its_ratio() -> None:
    ratio = speed_ratio("the other", [block([10.0] * 9)], [block([5.0] * 9)], "single-stream")
    found = make_row(measured([block([5.0] * 9)]), environment(), ratio, "")
    assert found.ratio_to_reference == ratio
    assert "ratio_to_reference" not in found.absent
