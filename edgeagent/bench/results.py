"""Report of ``edgeagent bench``: the types of its JSON file and their JSON Schema (docs/bench.schema.json).

Units are part of the field names. An unknown value is null, never 0, and ``absent`` of the row gives the
reason. Ratios are ratios of speed: above 1 is faster than the reference.

``python -m edgeagent.bench.results > docs/bench.schema.json`` writes the schema.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from edgeagent.bundle.task import MEASURES
from edgeagent.sensors.energy import Quality

SCHEMA_VERSION: Literal[1] = 1

Scenario = Literal["single-stream", "multi-stream", "offline", "camera"]
Milliseconds = Annotated[float, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class ReportSection(BaseModel):
    """Base of all sections of a report: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Times(ReportSection):
    """Durations of a stage.

    Attributes:
        count: number of samples.
        p50_ms: median; null below 5 samples.
        p90_ms: early-stopping estimate of the 90th percentile; null below 64 samples.
        p99_ms: early-stopping estimate of the 99th percentile; null below 662 samples.
    """

    count: Count
    p50_ms: Milliseconds | None = None
    p90_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None


class LatencyHistogram(ReportSection):
    """Histogram of the query latencies of a row.

    Attributes:
        edges_ms: edges of the bins, spaced logarithmically, the same for all rows of a report.
        counts: ``counts[i]`` is the number of queries between ``edges_ms[i]`` and ``edges_ms[i + 1]``.
    """

    edges_ms: tuple[Milliseconds, ...]
    counts: tuple[Count, ...]


class SpeedRatio(ReportSection):
    """Ratio of a row's speed to that of another row, measured in interleaved rounds.

    Attributes:
        reference: name of the other row.
        median: median over the rounds; the ratio of a round is that of the block medians, or of the rates.
        q1, q3: quartiles over the rounds.
        lowest, highest: range over the rounds.
        rounds: number of rounds.
    """

    reference: str
    median: Ratio
    q1: Ratio
    q3: Ratio
    lowest: Ratio
    highest: Ratio
    rounds: Annotated[int, Field(gt=0)]


class GoldenCheckReport(ReportSection):
    """Comparison of the outputs for the golden pictures with their reference.

    Attributes:
        mean_steps: mean absolute difference over all pictures and outputs, in steps of each output's grid;
            null when an output is not finite.
        worst_steps: largest mean absolute difference of one output for one picture; null when an output is
            not finite.
        tolerance_steps: limit of ``worst_steps`` in the bundle.
        within: whether all differences are within the tolerance.
        pictures: number of pictures.
    """

    mean_steps: float | None
    worst_steps: float | None
    tolerance_steps: float
    within: bool
    pictures: Annotated[int, Field(gt=0)]


class Memory(ReportSection):
    """Resident memory of a fresh process after loading and one inference, in MB (10^6 bytes).

    Attributes:
        rss_mb: resident memory of the whole process.
        growth_mb: growth by loading and the first inference, including the engine's package.
    """

    rss_mb: float
    growth_mb: float


class Energy(ReportSection):
    """Energy of one inference: (used - idle) / inferences.

    Attributes:
        per_inference_j: joules per inference; negative when the idle baseline was measured under load.
        used_j: energy of the measured blocks of the row.
        idle_j: idle power times the same time.
        seconds: duration of the measured blocks.
        inferences: number of inferences in that time, without the untimed first one of each block.
        source: name of the sensor.
        quality: coverage of the sensor.
    """

    per_inference_j: float
    used_j: float
    idle_j: float
    seconds: float
    inferences: Count
    source: str
    quality: Quality


class BenchRow(ReportSection):
    """Measurements of one artefact with one delegate.

    Attributes:
        name: delegate and file, such as ``onnxruntime-cpu model.onnx``.
        kind: ``candidate`` of the bundle, or the float ``reference``.
        engine, version, delegate: engine that ran the artefact; null when it did not load.
        artefact: file name.
        grid: quantization grid of the artefact, see docs/bundle.md; ``float`` for a reference.
        threads: threads of the engine.
        ok: whether the artefact loads, runs and gives the reference outputs.
        reason: why ``ok`` is false.
        count: number of timed queries.
        p50_ms, p90_ms, p99_ms: latency of a query, from the picture to the boxes; in the camera scenario the
            age of a frame at the delivery of its boxes. See :class:`Times`.
        samples_per_s: pictures per second over all queries.
        load_ms: load time in a fresh process, without the import of the engine's package.
        first_ms: duration of the first inference in that process.
        map50_95: COCO mAP at IoU .50:.95 on the labelled pictures of this run, 0..1 (detection).
        top1: the same of top-1 (classification).
        miou: the same of the mean intersection over union (segmentation).
        mask_map50_95: the same of the mAP of masks (instances).
        golden: comparison with the golden set.
        memory: resident memory.
        energy: energy of one inference.
        ratio_to_reference: speed ratio to the reference.
        stages: times per picture by stage: preprocess, inference, decode and end_to_end; in the camera
            scenario also age (capture to preprocess) and publish.
        histogram: histogram of the query latencies.
        absent: reason for each field above that is null, but for measures of other tasks.
    """

    name: str
    kind: Literal["candidate", "reference"] = "candidate"
    engine: str | None = None
    version: str | None = None
    delegate: str | None = None
    artefact: str
    grid: str
    threads: Annotated[int, Field(gt=0)]
    ok: bool
    reason: str | None = None
    count: Count | None = None
    p50_ms: Milliseconds | None = None
    p90_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None
    samples_per_s: float | None = None
    load_ms: Milliseconds | None = None
    first_ms: Milliseconds | None = None
    map50_95: float | None = None
    top1: float | None = None
    miou: float | None = None
    mask_map50_95: float | None = None
    golden: GoldenCheckReport | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    ratio_to_reference: SpeedRatio | None = None
    stages: dict[str, Times] = {}
    histogram: LatencyHistogram | None = None
    absent: dict[str, str] = {}

    @model_validator(mode="after")
    def _what_is_absent_has_a_reason(self) -> Self:
        fields = (name for name in type(self).model_fields if name != "reason")
        missing = {name for name in fields if getattr(self, name) is None}
        missing -= {one.field for one in MEASURES.values()} - set(self.absent)  # those of other tasks
        if missing != set(self.absent):
            raise ValueError(f"absent names {sorted(self.absent)}, null are {sorted(missing)}")
        if self.ok == (self.reason is not None):
            raise ValueError("a row that is not ok has a reason, and only such a row")
        return self


class ThermalState(ReportSection):
    """Temperatures and throttling at one time.

    Attributes:
        temperatures_c: degrees Celsius by thermal zone; powered-down and unreadable zones are absent.
        throttled: whether a clock is lowered; null when the system does not report it.
        signs: reported signs of throttling.
    """

    temperatures_c: dict[str, float]
    throttled: bool | None
    signs: tuple[str, ...] = ()


class BundleId(ReportSection):
    """Identity of the bundle.

    Attributes:
        name, version: name and version of the model.
        sha256: SHA-256 of the manifest, which contains the hashes of all files.
    """

    name: str
    version: str
    sha256: str


class Machine(ReportSection):
    """Machine of the run; unknown values are null.

    Attributes:
        model, architecture, system, kernel: see :class:`edgeagent.sensors.board.Board`.
        processors: number of processors available to the process.
    """

    model: str | None
    architecture: str
    system: str
    kernel: str
    processors: int


class RunConditions(ReportSection):
    """Conditions of the run.

    Attributes:
        scenario: see ``edgeagent bench --help``.
        duration_s: minimum duration of the queries per row.
        min_queries: minimum number of queries per row.
        seed: random seed of the picture order.
        rounds: number of interleaved rounds.
        samples_per_query: pictures per query; null in scenarios without a fixed number.
        pictures: description of the pictures.
        score_threshold, iou_threshold: thresholds of decoding and non-maximum suppression.
    """

    scenario: Scenario
    duration_s: float
    min_queries: int
    seed: int
    rounds: int
    samples_per_query: int | None
    pictures: str
    score_threshold: float
    iou_threshold: float


class BenchReport(ReportSection):
    """Report of a run.

    Attributes:
        edgeagent: version of edgeagent.
        time: end of the run, ISO 8601 in UTC.
        machine, bundle, conditions: machine, model and settings of the run.
        rows: measurements of the candidates and the reference.
        ratios: speed ratios of each row to every other row, by row name.
        idle_w: power without inference in watts, the baseline of the energies; null without a sensor.
        thermal_start, thermal_end: thermal state before the first and after the last round.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    edgeagent: str
    time: str
    machine: Machine
    bundle: BundleId
    conditions: RunConditions
    rows: tuple[BenchRow, ...]
    ratios: dict[str, tuple[SpeedRatio, ...]]
    idle_w: float | None
    thermal_start: ThermalState
    thermal_end: ThermalState

    def all_ok(self) -> bool:
        """Return whether all rows are ok."""
        return all(row.ok for row in self.rows)


def schema_text() -> str:
    """Return the JSON Schema of a report as the content of docs/bench.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **BenchReport.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
