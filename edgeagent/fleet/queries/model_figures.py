"""How do models do? Latency, energy and accuracy of each on each board and delegate."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from edgeagent.fleet.queries.accuracy_claims import BELOW
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.queries.time_span import SPAN, TimeSpan
from edgeagent.fleet.store.percentile import MERGED, count_of, percentile_of
from edgeagent.fleet.store.protocol import FleetStore

MOST_FIGURES = 500
_KEY = "bundle, bundle_version, delegate, board"
_WHERE = f"""WHERE {OF_TENANT} AND at >= {{since:DateTime64(3, 'UTC')}} AND at <= now() + 3600
    AND ({{bundle:String}} = '' OR bundle = {{bundle:String}})
    AND ({{version:String}} = '' OR bundle_version = {{version:String}})
    AND ({{delegate:String}} = '' OR delegate = {{delegate:String}})
    AND ({{board:String}} = '' OR board = {{board:String}})"""


def _percentiles(prefix: str) -> str:
    return ", ".join(f"{percentile_of(prefix, name)} AS {prefix}_{name}_ms" for name in ("p50", "p90", "p99"))


FIGURES = f"""
SELECT s.bundle AS bundle, s.bundle_version AS version, s.delegate AS delegate, s.board AS board,
    s.first AS first, s.last AS last, s.frames AS frames, s.dropped_share AS dropped_share,
    s.joules_per_inference AS joules_per_inference, s.watts AS watts, s.throttled_share AS throttled_share,
    l.total_p50_ms AS p50_ms, l.total_p90_ms AS p90_ms, l.total_p99_ms AS p99_ms, l.counted AS counted,
    l.inference_p50_ms AS inference_p50_ms, l.inference_p99_ms AS inference_p99_ms,
    d.devices AS devices, d.map50_95 AS map50_95, d.map_claimed AS map_claimed, d.measured AS measured,
    d.below AS below
FROM (
    SELECT {_KEY}, min(at) AS first, max(at) AS last, sum(m.frames) AS frames,
        sum(m.frames_dropped) / nullIf(sum(m.frames) + sum(m.frames_dropped), 0) AS dropped_share,
        (sum(inference_used_j) - sum(inference_idle_j)) / nullIf(sum(inferences), 0) AS joules_per_inference,
        sum(energy_j) / nullIf(sum(energy_covered_s), 0) AS watts,
        sum(throttled_messages) / sum(messages) AS throttled_share
    FROM models_hour AS m FINAL {_WHERE} AND messages > 0 GROUP BY {_KEY}) AS s
LEFT JOIN (
    SELECT {_KEY}, {_percentiles("total")}, {count_of("total")} AS counted, {_percentiles("inference")}
    FROM (
        SELECT {_KEY}, sumMapIf(buckets, stage = 'end_to_end') AS total,
            sumMapIf(buckets, stage = 'inference') AS inference
        FROM models_latency_hour FINAL {_WHERE} AND stage IN ('end_to_end', 'inference') GROUP BY {_KEY})) AS l
USING ({_KEY})
LEFT JOIN (
    SELECT ifNull(v.bundle, '') AS bundle, ifNull(v.bundle_version, '') AS bundle_version,
        ifNull(v.delegate, '') AS delegate, ifNull(v.board, '') AS board, count() AS devices,
        avg(v.map50_95) AS map50_95, any(v.map_claimed) AS map_claimed, count(v.map50_95) AS measured,
        countIf({BELOW}) AS below
    FROM devices AS v FINAL WHERE {OF_TENANT} GROUP BY bundle, bundle_version, delegate, board) AS d
USING ({_KEY})
ORDER BY bundle, version DESC, board, delegate LIMIT {MOST_FIGURES}
SETTINGS join_use_nulls = 1"""

HISTOGRAM = f"""
SELECT {MERGED} AS merged FROM models_latency_hour FINAL {_WHERE} AND stage = {{stage:String}}"""


class ModelFilter(BaseModel):
    """Conditions, all of which hold; an empty one is none."""

    model_config = ConfigDict(frozen=True)

    bundle: str = ""
    version: str = ""
    delegate: str = ""
    board: str = ""

    def holds(self, figures: ModelFigures) -> bool:
        """Return whether figures fulfil the conditions."""
        return all(value in ("", getattr(figures, name)) for name, value in self.model_dump().items())


class ModelFigures(FleetRow):
    """Figures of a model on a board and delegate, over all its devices.

    Attributes:
        bundle, version, delegate, board: what the figures are of; "" where devices have not said it.
        devices: that run it now; None for none.
        first, last: hours of the first and last telemetry in the span.
        frames: processed.
        dropped_share: of the frames, 0..1.
        p50_ms, p90_ms, p99_ms: from capture to detections; None with too few frames.
        counted: frames that the percentiles are of.
        inference_p50_ms, inference_p99_ms: of the inference alone.
        joules_per_inference: above the idle baseline; None where no board measures it.
        watts: mean power of the board.
        throttled_share: of the messages, 0..1.
        map50_95: mean over devices that measured it on their golden pictures.
        map_claimed: by the bundle.
        measured: number of these devices.
        below: of them, those below the claim by more than its tolerance.
    """

    bundle: str
    version: str
    delegate: str
    board: str
    devices: int | None
    first: UtcTime
    last: UtcTime
    frames: float
    dropped_share: float | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    counted: int | None
    inference_p50_ms: float | None
    inference_p99_ms: float | None
    joules_per_inference: float | None
    watts: float | None
    throttled_share: float | None
    map50_95: float | None
    map_claimed: float | None
    measured: int | None
    below: int | None


def model_figures(
    store: FleetStore,
    tenant: str,
    condition: ModelFilter = ModelFilter(),  # noqa: B008 (frozen)
    span: TimeSpan = SPAN["7d"],
    now: datetime | None = None,
) -> list[ModelFigures]:
    """Return figures by model, newest version first, at most :data:`MOST_FIGURES`.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"tenant": tenant, "since": span.since(now), **condition.model_dump()}
    return read_records(store, ModelFigures, FIGURES, parameters)


def model_histogram(
    store: FleetStore,
    tenant: str,
    condition: ModelFilter,
    stage: str = "end_to_end",
    span: TimeSpan = SPAN["7d"],
    now: datetime | None = None,
) -> dict[int, int]:
    """Return the buckets of a stage, index to count (:mod:`edgeagent.timing.histogram`); empty without frames.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"tenant": tenant, "since": span.since(now), "stage": stage, **condition.model_dump()}
    merged = store.query(HISTOGRAM, parameters).rows[0][0]
    return {int(index): int(count) for index, count in merged.items()}
