"""Rows of a report, computed from the measurements of a candidate, with reasons for absent values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgeagent.bench.cold_start import ColdStart
from edgeagent.bench.early_stopping import MIN_FOR_MEDIAN, estimate, median, minimum_count
from edgeagent.bench.load_generator import Block
from edgeagent.bench.measured_candidates import MeasuredCandidate
from edgeagent.bench.results import (
    BenchRow,
    Energy,
    GoldenCheckReport,
    LatencyHistogram,
    Memory,
    SpeedRatio,
    Times,
)
from edgeagent.bundle.task import MEASURES, Measure
from edgeagent.detection.golden_check import GoldenResult
from edgeagent.engines.engine import EngineFacts
from edgeagent.sensors.energy import EnergyMeter

BINS = 60
MIN_QUERIES = {"p50_ms": MIN_FOR_MEDIAN, "p90_ms": minimum_count(1, 0.9), "p99_ms": minimum_count(1, 0.99)}
"""Queries that each percentile needs."""


@dataclass
class CandidateMeasurements:
    """Measurements of a candidate; None where unknown.

    Attributes:
        candidate: artefact and delegate.
        threads: requested threads of the engine.
        facts: properties of the loaded engine.
        cold: measurements of the cold start.
        golden: result of the golden check over ``golden_pictures`` pictures.
        measure: measure of the task.
        accuracy: its value on the labelled pictures, 0..1.
        blocks: measured blocks, one per round.
        failure: reason why the measurements ended early.
    """

    candidate: MeasuredCandidate
    threads: int
    facts: EngineFacts | None = None
    cold: ColdStart | None = None
    golden: GoldenResult | None = None
    golden_pictures: int = 0
    measure: Measure = MEASURES["detection"]
    accuracy: float | None = None
    blocks: list[Block] = field(default_factory=list)
    failure: str | None = None


@dataclass(frozen=True)
class RunEnvironment:
    """Common data of all rows of a run.

    Attributes:
        scenario: scenario of the run.
        meter: energy meter; None without a sensor.
        no_meter: reason for the missing meter.
        idle_w: power without inference in watts; None when unknown.
        edges_ms: edges of the histograms in milliseconds.
    """

    scenario: str
    meter: EnergyMeter | None
    no_meter: str
    idle_w: float | None
    edges_ms: Sequence[float]


def make_row(
    item: CandidateMeasurements, environment: RunEnvironment, ratio: SpeedRatio | None, no_ratio: str
) -> BenchRow:
    """Return the row of a candidate.

    Args:
        item: measurements of the candidate.
        environment: common data of the run.
        ratio: speed ratio to the reference.
        no_ratio: reason for a missing ratio.
    """
    candidate, facts, cold = item.candidate, item.facts, item.cold
    golden, reason = _golden(item), item.failure
    if reason is None and item.golden is not None and not item.golden.right:
        what = "boxes" if item.golden.outputs_right else "outputs"
        of = "golden labels" if item.golden.outputs_right else "reference outputs"
        reason = f"its {what} differ from the {of}: {item.golden.describe()}"
    failed = "not measured: it failed" if item.failure else None
    blocks = [] if item.failure else item.blocks
    queries = [time for block in blocks for time in block.queries_ns]
    times = make_times(queries)
    values: dict[str, Any] = {
        "engine": facts.engine if facts else None,
        "version": facts.version if facts else None,
        "delegate": facts.delegate if facts else None,
        "load_ms": round(cold.load_ms, 3) if cold else None,
        "first_ms": round(cold.first_ms, 3) if cold else None,
        "memory": Memory(rss_mb=round(cold.rss_mb, 1), growth_mb=round(cold.growth_mb, 1)) if cold else None,
        "golden": golden,
        item.measure.field: None if item.accuracy is None else round(item.accuracy, 4),
        "energy": _energy(blocks, environment),
        "ratio_to_reference": ratio,
        "count": None if failed else times.count,
        "samples_per_s": _rate(blocks),
        "histogram": _histogram(queries, environment.edges_ms) if queries else None,
        **{name: getattr(times, name) for name in MIN_QUERIES},
    }
    why: dict[str, str] = dict.fromkeys(values, failed or "not measured")
    if not failed:
        why.update({name: f"requires at least {least} queries" for name, least in MIN_QUERIES.items()})
        why[item.measure.field] = "no labelled pictures: give --dataset, or --val-images and --val-labels"
        why["golden"] = _no_golden(candidate)
        why["energy"] = environment.no_meter if environment.meter is None else "the sensor gave no reading"
        why["ratio_to_reference"] = no_ratio
        if environment.scenario == "offline":
            for name in (*MIN_QUERIES, "histogram"):
                values[name], why[name] = None, "offline measures samples/s, not latency"
    return BenchRow(
        name=candidate.name,
        kind="reference" if candidate.reference else "candidate",
        artefact=candidate.file if not candidate.reference else candidate.name.split(maxsplit=1)[1],
        grid=candidate.grid,
        threads=item.threads,
        ok=reason is None,
        reason=reason,
        stages=_stages(blocks),
        absent={name: why[name] for name, value in values.items() if value is None},
        **values,
    )


def make_times(durations_ns: Sequence[int]) -> Times:
    """Return the percentiles of durations in nanoseconds, where their number suffices."""
    found = {
        "p50_ms": median(durations_ns),
        "p90_ms": estimate(durations_ns, 0.9),
        "p99_ms": estimate(durations_ns, 0.99),
    }
    return Times(
        count=len(durations_ns),
        **{name: None if value is None else round(value / 1e6, 4) for name, value in found.items()},
    )


def histogram_edges(items: Sequence[CandidateMeasurements]) -> list[float]:
    """Return the common histogram edges of all rows in ms, spaced logarithmically; empty without queries."""
    queries = [time / 1e6 for item in items for block in item.blocks for time in block.queries_ns]
    if not queries:
        return []
    low, high = min(queries) * 0.99, max(queries) * 1.01
    return [float(edge) for edge in np.geomspace(low, high, BINS + 1)]


def _histogram(queries_ns: Sequence[int], edges_ms: Sequence[float]) -> LatencyHistogram:
    counts, _ = np.histogram(np.asarray(queries_ns) / 1e6, edges_ms)
    return LatencyHistogram(
        edges_ms=tuple(round(edge, 5) for edge in edges_ms), counts=tuple(int(count) for count in counts)
    )


def _stages(blocks: Sequence[Block]) -> dict[str, Times]:
    names = blocks[0].stages_ns if blocks else ()
    together: Mapping[str, list[int]] = {
        name: [time for block in blocks for time in block.stages_ns[name]] for name in names
    }
    return {name: make_times(times) for name, times in together.items()}


def _rate(blocks: Sequence[Block]) -> float | None:
    seconds = sum(block.seconds for block in blocks)
    return round(sum(block.samples for block in blocks) / seconds, 3) if seconds else None


def _golden(item: CandidateMeasurements) -> GoldenCheckReport | None:
    found = item.golden
    if found is None:
        return None
    mean, worst = found.mean, found.worst
    return GoldenCheckReport(
        mean_steps=round(mean, 4) if math.isfinite(mean) else None,
        worst_steps=round(worst, 4) if math.isfinite(worst) else None,
        tolerance_steps=found.tolerance,
        within=found.right,
        pictures=item.golden_pictures,
    )


def _no_golden(candidate: MeasuredCandidate) -> str:
    if candidate.reference:
        return "the golden set is that of the bundle's artefacts"
    return "the bundle has no golden set"


def _energy(blocks: Sequence[Block], environment: RunEnvironment) -> Energy | None:
    used = [block.energy_j for block in blocks]
    if environment.meter is None or environment.idle_w is None or not used or None in used:
        return None
    used_j = sum(joules for joules in used if joules is not None)
    seconds, inferences = sum(block.energy_s for block in blocks), sum(block.samples for block in blocks)
    idle_j = environment.idle_w * seconds
    return Energy(
        per_inference_j=round((used_j - idle_j) / inferences, 6),
        used_j=round(used_j, 4),
        idle_j=round(idle_j, 4),
        seconds=round(seconds, 4),
        inferences=inferences,
        source=environment.meter.source,
        quality=environment.meter.quality,
    )
