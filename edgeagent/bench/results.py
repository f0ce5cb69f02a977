"""What a run of ``edgeagent bench`` found: the types of its JSON file (docs/bench.schema.json).

Units are in the field names. A value that is not known is null, never 0, and the row's ``absent`` says why.
Ratios are speeds: above 1 is faster than the reference.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self

from edgeagent.sensors.energy import Quality

SCHEMA_VERSION: Literal[1] = 1

Scenario = Literal["single-stream", "multi-stream", "offline", "camera"]
Milliseconds = Annotated[float, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """Base of all parts of a report: frozen, and no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Times(Part):
    """Durations of a stage.

    Attributes:
        count: samples.
        p50_ms: the median; null below 5 samples.
        p90_ms: early-stopping estimate; null below 64 samples.
        p99_ms: early-stopping estimate; null below 662 samples.
    """

    count: Count
    p50_ms: Milliseconds | None = None
    p90_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None


class LatencyHistogram(Part):
    """How the latencies of a row's queries are spread.

    ``counts[i]`` of them lie between ``edges_ms[i]`` and the next edge. The edges are spaced evenly by
    logarithm and are the same for all rows of a report.
    """

    edges_ms: tuple[Milliseconds, ...]
    counts: tuple[Count, ...]


class SpeedRatio(Part):
    """One row's speed over another's, measured in turns.

    Attributes:
        reference: name of the other row.
        median: over the rounds; each round's ratio is that of the medians of its blocks, or of its rates.
        q1, q3: quartiles over the rounds, between which half of them lie.
        lowest, highest: of the rounds.
        rounds: number of rounds.
    """

    reference: str
    median: Ratio
    q1: Ratio
    q3: Ratio
    lowest: Ratio
    highest: Ratio
    rounds: Annotated[int, Field(gt=0)]


class GoldenCheckReport(Part):
    """Outputs for the bundle's golden pictures beside their reference.

    Attributes:
        mean_steps: mean absolute difference over all pictures and outputs, in steps of each output's grid;
            null where an output is not a finite number.
        worst_steps: the largest of the means of one output for one picture, which the tolerance bounds;
            null likewise.
        tolerance_steps: allowed by the bundle.
        within: whether all of them are within the tolerance.
        pictures: number of pictures.
    """

    mean_steps: float | None
    worst_steps: float | None
    tolerance_steps: float
    within: bool
    pictures: Annotated[int, Field(gt=0)]


class Memory(Part):
    """Resident memory of a fresh process after loading and one inference, in MB.

    Attributes:
        rss_mb: of the whole process.
        growth_mb: by how much loading and the first inference made it larger, the engine's package included.
    """

    rss_mb: float
    growth_mb: float


class Energy(Part):
    """Energy of one inference: (used - idle) / inferences.

    Attributes:
        per_inference_j: the quotient; below 0 when the idle baseline was not quiet.
        used_j: during the row's measured blocks.
        idle_j: the idle baseline over the same time.
        seconds: that time.
        inferences: in that time, the first of each block, which is not timed, left out with its energy.
        source: the sensor.
        quality: what it covers.
    """

    per_inference_j: float
    used_j: float
    idle_j: float
    seconds: float
    inferences: Count
    source: str
    quality: Quality


class BenchRow(Part):
    """One artefact in one engine.

    Attributes:
        name: engine, device and file, such as ``onnxruntime-cpu model.onnx``.
        kind: ``candidate`` of the bundle, or the float ``reference``.
        engine, version, delegate: what ran it; null when it did not load.
        artefact: its file.
        grid: of the artefact, see docs/bundle.md; ``float`` for a reference.
        threads: of the engine.
        ok: it loads, runs and computes what was trained.
        reason: why it is not ok.
        count: queries that were timed.
        p50_ms, p90_ms, p99_ms: latency of a query, from the picture to the boxes; in the camera scenario the
            age of a frame when its boxes are delivered. See :class:`Times`.
        samples_per_s: pictures over the time of all queries.
        load_ms: loading in a fresh process, without importing the engine's package.
        first_ms: first inference after that.
        map50_95: on the labelled pictures, in this run.
        golden, memory, energy: see there.
        ratio_to_reference: speed over the reference's.
        stages: per picture: preprocess, inference, decode and end_to_end; for the camera also age (capture to
            preprocess) and publish.
        histogram: of the queries' latencies.
        absent: for each of the fields above that is null, why.
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
        if missing != set(self.absent):
            raise ValueError(f"absent explains {sorted(self.absent)}, null are {sorted(missing)}")
        if self.ok == (self.reason is not None):
            raise ValueError("a row that is not ok has a reason, and only such a row")
        return self


class ThermalState(Part):
    """Heat at one moment.

    Attributes:
        temperatures_c: by zone; a zone that is off or cannot be read is absent.
        throttled: null where the system does not tell.
        signs: of throttling.
    """

    temperatures_c: dict[str, float]
    throttled: bool | None
    signs: tuple[str, ...] = ()


class BundleId(Part):
    """Which model: ``sha256`` is that of the manifest, which holds those of all files."""

    name: str
    version: str
    sha256: str


class Machine(Part):
    """Where it ran; what is not known is null."""

    model: str | None
    architecture: str
    system: str
    kernel: str
    processors: int


class RunConditions(Part):
    """How it was measured.

    Attributes:
        scenario: see ``edgeagent bench --help``.
        duration_s: least time of queries for each row.
        min_queries: fewest queries for each row.
        seed: of the order of the pictures.
        rounds: turns that the rows took.
        samples_per_query: pictures in a query; null where a query has no fixed number.
        pictures: what was detected on.
        score_threshold, iou_threshold: of decoding.
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


class BenchReport(Part):
    """A run.

    Attributes:
        time: at its end, ISO 8601 in UTC.
        idle_w: power without inference, the baseline of the rows' energy; null without a sensor.
        ratios: by row, its speed over that of each other row.
        thermal_start, thermal_end: heat before the first and after the last round.
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
        """Return whether every check passed."""
        return all(row.ok for row in self.rows)
