"""How did one device do over time? Latency by stage, power, heat, energy and frame rate, by model."""

from __future__ import annotations

from datetime import datetime

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.queries.time_span import SPAN, TimeSpan
from edgeagent.fleet.store.percentile import MERGED, count_of, percentile_of
from edgeagent.fleet.store.protocol import FleetStore

_OF_DEVICE = f"""
WHERE device = {{device:String}} AND tenant = {{owner:String}} AND {OF_TENANT}
    AND at >= {{since:DateTime64(3, 'UTC')}} AND at <= now() + 3600"""
_POINT = "toStartOfInterval(at, toIntervalMinute({minutes:UInt32}), 'UTC')"
_PERCENTILES = ", ".join(f"{percentile_of('merged', name)} AS {name}_ms" for name in ("p50", "p90", "p99"))


def _latency(rolled: str) -> str:
    return f"""
SELECT point AS at, stage, {count_of("merged")} AS frames, {_PERCENTILES} FROM (
    SELECT {_POINT} AS point, stage, {MERGED} AS merged FROM latency_{rolled} FINAL {_OF_DEVICE}
    GROUP BY point, stage)
WHERE frames > 0 ORDER BY stage, at"""


def _system(rolled: str) -> str:
    return f"""
SELECT {_POINT} AS point, sum(frames) / nullIf(sum(seconds), 0) AS fps,
    sum(energy_j) / nullIf(sum(energy_covered_s), 0) AS watts, max(temperature_max_c) AS temperature_c,
    (sum(inference_used_j) - sum(inference_idle_j)) / nullIf(sum(inferences), 0) AS joules_per_inference,
    sum(throttled_messages) / sum(messages) AS throttled_share, avg(cpu_mean_percent) AS cpu_percent
FROM system_{rolled} FINAL {_OF_DEVICE} AND messages > 0
GROUP BY point ORDER BY point"""


_LATENCIES = {rolled: _latency(rolled) for rolled in ("minute", "hour", "day")}
_SYSTEMS = {rolled: _system(rolled) for rolled in ("minute", "hour", "day")}
MODELS = f"""
SELECT bundle, bundle_version, delegate, first, last, frames, p50_ms, p90_ms, p99_ms, joules_per_inference,
    fps, temperature_c
FROM (
    SELECT bundle, bundle_version, delegate, min(at) AS first, max(at) AS last, sum(frames) / nullIf(sum(seconds), 0) AS fps,
        max(temperature_max_c) AS temperature_c,
        (sum(inference_used_j) - sum(inference_idle_j)) / nullIf(sum(inferences), 0) AS joules_per_inference
    FROM system_hour FINAL {_OF_DEVICE} AND messages > 0 GROUP BY bundle, bundle_version, delegate) AS s
LEFT JOIN (
    SELECT bundle, bundle_version, delegate, {count_of("merged")} AS frames, {_PERCENTILES} FROM (
        SELECT bundle, bundle_version, delegate, {MERGED} AS merged FROM latency_hour FINAL {_OF_DEVICE}
            AND stage = 'end_to_end' GROUP BY bundle, bundle_version, delegate)) AS l
USING (bundle, bundle_version, delegate) ORDER BY first""".replace("s.frames", "frames")


class StagePoint(FleetRow):
    """Latency of a stage from one time to the next; percentiles are None with too few frames."""

    at: UtcTime
    stage: str
    frames: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


class SystemPoint(FleetRow):
    """Means and maxima from one time to the next; what the board does not measure is None."""

    point: UtcTime
    fps: float | None
    watts: float | None
    temperature_c: float | None
    joules_per_inference: float | None
    throttled_share: float | None
    cpu_percent: float | None


class ServedModel(FleetRow):
    """Model that served on a device: how it did, so that before and after an update can be compared."""

    bundle: str
    bundle_version: str
    delegate: str
    first: UtcTime
    last: UtcTime
    frames: int | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    joules_per_inference: float | None
    fps: float | None
    temperature_c: float | None


class DeviceHistory(FleetRow):
    """History of a device.

    Attributes:
        since: beginning of the span.
        stages: points of each stage, one after another.
        system: points.
        models: in the order of their first service.
    """

    since: UtcTime
    stages: list[StagePoint]
    system: list[SystemPoint]
    models: list[ServedModel]


def device_history(
    store: FleetStore,
    tenant: str,
    owner: str,
    device: str,
    span: TimeSpan = SPAN["24h"],
    now: datetime | None = None,
) -> DeviceHistory:
    """Return the history of a device.

    Args:
        store: to ask.
        tenant: of the visitor.
        owner: tenant of the device.
        device: its name.
        span: of time.
        now: end of the span; None is now.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    since = span.since(now)
    parameters = {
        "tenant": tenant,
        "owner": owner,
        "device": device,
        "since": since,
        "minutes": span.minutes,
    }
    return DeviceHistory(
        since=since,
        stages=read_records(store, StagePoint, _LATENCIES[span.rolled], parameters),
        system=read_records(store, SystemPoint, _SYSTEMS[span.rolled], parameters),
        models=read_records(store, ServedModel, MODELS, parameters),
    )
