"""Mapping of the contract to Prometheus metrics.

Units and names follow prometheus.io, "Metric and label naming". An unknown value has no sample. Gauges are
those of the last telemetry message, except states of cameras and objects in the newest frame, which are read
at the request. Counters and histograms count from the start of the agent to the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from edgeagent.sensors.throttling import FLAGS
from edgeagent.telemetry.contract.messages import Alarm, ProblemCode, SystemReport, Telemetry
from edgeagent.telemetry.contract.streams import STREAMS
from edgeagent.timing.histogram import PER_DOUBLING, Histogram, middle_of
from edgeagent.version import __version__

EDGES = range(-2, 29)
"""Upper bounds of the buckets are 2^(edge/2) ms, 0.5 ms to 16.4 s; each is a bound of the histogram too."""


def bound_s(edge: int) -> float:
    """Return an upper bound in seconds."""
    return float(2 ** (edge / 2)) / 1000


def cumulative(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    """Return a histogram in Prometheus form: cumulative counts by upper bound, and the sum in seconds.

    The sum is taken over the bucket centres; a bucket is 1.09 % wide.
    """
    filled = histogram.buckets()
    found: list[tuple[str, float]] = []
    for edge in EDGES:
        last = edge * PER_DOUBLING // 2 - 1  # last bucket below this bound
        count = sum(number for index, number in filled.items() if index <= last)
        found.append((f"{bound_s(edge):.6g}", float(count)))
    found.append(("+Inf", float(sum(filled.values()))))
    return found, sum(middle_of(index) * number for index, number in filled.items()) / 1000


def stage_durations(times: Mapping[str, Mapping[str, Histogram]]) -> Metric:
    """Return the duration histograms, by camera and stage."""
    family = HistogramMetricFamily(
        "edgeagent_stage_duration_seconds", "Time of a stage of a frame", labels=("camera", "stage")
    )
    for camera, stages in times.items():
        for stage, histogram in stages.items():
            buckets, total = cumulative(histogram)
            family.add_metric((camera, stage), buckets, total)
    return family


def problem_metrics(alarm: Alarm) -> Metric:
    """Return 1 for each present problem, 0 for each other problem code of the contract."""
    present = {problem.code for problem in alarm.problems}
    family = GaugeMetricFamily("edgeagent_problem", "Whether the problem is present", labels=("code",))
    for code in get_args(ProblemCode):
        family.add_metric((code,), float(code in present))
    return family


def telemetry_metrics(telemetry: Telemetry) -> Iterator[Metric]:
    """Yield the metrics of a telemetry message, without histograms."""
    yield InfoMetricFamily("edgeagent_build", "Version of the agent", value={"version": __version__})
    yield GaugeMetricFamily("edgeagent_uptime_seconds", "Since the start", value=telemetry.uptime_s)
    yield from _cameras(telemetry)
    yield from _system(telemetry.system)
    dropped = CounterMetricFamily("edgeagent_messages_dropped", "Messages lost", labels=("stream",))
    sent = {stream.name: 0 for stream in STREAMS if stream.direction == "send"}
    for stream, count in {**sent, **telemetry.messages_dropped_by_stream}.items():
        dropped.add_metric((stream,), count)
    yield dropped
    if telemetry.commands_ignored is not None:
        about = "Commands ignored, as too many arrived"
        yield CounterMetricFamily("edgeagent_commands_ignored", about, value=telemetry.commands_ignored)
    certificates = GaugeMetricFamily(
        "edgeagent_certificate_remaining_seconds",
        "Time until it expires",
        labels=("certificate",),
    )
    for name, days in (telemetry.certificates_days_left or {}).items():
        certificates.add_metric((name,), days * 86400)
    yield certificates
    if (spool := telemetry.spool) is not None:
        yield GaugeMetricFamily("edgeagent_spool_messages", "Messages in the spool", value=spool.waiting)
        yield GaugeMetricFamily("edgeagent_spool_bytes", "Size of the spool", value=spool.size_mb * 1e6)


def _cameras(telemetry: Telemetry) -> Iterator[Metric]:
    up = GaugeMetricFamily("edgeagent_camera_up", "Whether the camera delivers frames", labels=("camera",))
    for camera, report in telemetry.cameras.items():
        up.add_metric((camera,), float(report.state == "running"))
    yield up
    for field in ("captured", "processed", "dropped", "failed"):
        family = CounterMetricFamily(f"edgeagent_frames_{field}", f"Frames {field}", labels=("camera",))
        for camera, report in telemetry.cameras.items():
            family.add_metric((camera,), getattr(report, f"frames_{field}"))
        yield family
    yield from _objects(telemetry)
    for field in ("reconnects", "failures"):
        family = CounterMetricFamily(f"edgeagent_camera_{field}", f"Camera {field}", labels=("camera",))
        for camera, report in telemetry.cameras.items():
            family.add_metric((camera,), getattr(report, field))
        yield family


def _objects(telemetry: Telemetry) -> Iterator[Metric]:
    labels = ("camera", "label")
    families = {
        "current": GaugeMetricFamily("edgeagent_objects", "Objects in the newest frame", labels=labels),
        "maximum": GaugeMetricFamily("edgeagent_objects_maximum", "Of the last interval", labels=labels),
        "mean": GaugeMetricFamily("edgeagent_objects_mean", "Of the last interval", labels=labels),
    }
    about = "Objects whose label is beyond the bounds"
    left_out = CounterMetricFamily("edgeagent_objects_left_out", about, labels=("camera",))
    for camera, report in telemetry.cameras.items():
        for label, objects in (report.objects or {}).items():
            for field, family in families.items():
                family.add_metric((camera, label), getattr(objects, field))
        if report.objects_left_out is not None:
            left_out.add_metric((camera,), report.objects_left_out)
    yield from families.values()
    yield left_out


def _system(system: SystemReport) -> Iterator[Metric]:
    values = {
        "edgeagent_cpu_usage_ratio": ("Load of all processors, 0..1", system.cpu_percent, 0.01),
        "edgeagent_process_cpu_usage_ratio": (
            "Load of the agent, in processors",
            system.agent_cpu_percent,
            0.01,
        ),
        "edgeagent_process_resident_memory_bytes": ("Memory of agent and worker", system.agent_rss_mb, 1e6),
        "edgeagent_memory_available_bytes": (
            "Available without swapping",
            system.memory_available_mb,
            1e6,
        ),
        "edgeagent_gpu_usage_ratio": ("Load of the GPU, 0..1", system.gpu_percent, 0.01),
        "edgeagent_frame_rate_limit": ("Frames per second of all cameras", system.fps_limit, 1.0),
    }
    for name, (about, value, factor) in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, about, value=value * factor)
    heat = GaugeMetricFamily("edgeagent_temperature_celsius", "Temperature", labels=("sensor",))
    for zone, degrees in system.temperatures_c.items():
        heat.add_metric((zone,), degrees)
    for chip, report in (system.accelerators or {}).items():
        if report.temperature_c is not None:
            heat.add_metric((chip,), report.temperature_c)
    yield heat
    labels = ("source", "quality")
    if (power := system.power) is not None:
        watts = GaugeMetricFamily("edgeagent_power_watts", "Electrical power", labels=labels)
        watts.add_metric((power.source, power.quality), power.watts)
        yield watts
    if (energy := system.energy) is not None:
        joules = CounterMetricFamily("edgeagent_energy_joules", "Energy used", labels=labels)
        joules.add_metric((energy.source, energy.quality), energy.total_j)
        yield joules
    if (each := system.joules_per_inference) is not None:
        about = "Energy per inference above idle, of the last interval"
        per_inference = GaugeMetricFamily("edgeagent_inference_energy_joules", about, labels=labels)
        per_inference.add_metric((each.source, each.quality), each.value_j)
        yield per_inference
    if system.throttled is not None:
        flags = GaugeMetricFamily("edgeagent_throttled", "Present flags of the firmware", labels=("flag",))
        for flag in FLAGS:
            flags.add_metric((flag,), float(flag in system.throttled.now))
        yield flags
