"""Mapping of the contract to metrics of a Sparkplug edge node: name, data type and value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from edgeagent.sensors.board import read_board
from edgeagent.telemetry.contract.messages import Alarm, CameraReport, ProblemCode, SystemReport, Telemetry
from edgeagent.telemetry.sparkplug.payload import DataType, MetricValue
from edgeagent.version import __version__

Readings = dict[str, tuple[DataType, MetricValue]]

STAGES = ("end_to_end", "inference")
PERCENTILES = ("p50_ms", "p90_ms", "p99_ms")


def properties() -> Readings:
    """Return the properties of the node: hardware, operating system and version."""
    board = read_board()
    texts = {
        "Properties/Hardware Make": board.maker,
        "Properties/Hardware Model": board.model or board.architecture,
        "Properties/OS": board.system,
        "Properties/OS Version": board.kernel,
        "Properties/FW": __version__,
    }
    return {name: (DataType.STRING, text) for name, text in texts.items() if text}


def alarm_readings(alarm: Alarm) -> Readings:
    """Return a Boolean for each problem code of the contract."""
    present = {problem.code for problem in alarm.problems}
    return {f"Problems/{code}": (DataType.BOOLEAN, code in present) for code in get_args(ProblemCode)}


def telemetry_readings(telemetry: Telemetry) -> Readings:
    """Return the metrics of an interval; those that a camera does not have yet are null."""
    found = dict(_system(telemetry.system))
    for camera, report in telemetry.cameras.items():
        found |= dict(_camera(f"Cameras/{camera}", report))
    found["Messages Dropped"] = (DataType.UINT64, telemetry.messages_dropped)
    return found


def _camera(place: str, report: CameraReport) -> Iterator[tuple[str, tuple[DataType, MetricValue]]]:
    yield f"{place}/State", (DataType.STRING, report.state)
    for field in ("fps_in", "fps_processed"):
        yield f"{place}/{field}", (DataType.DOUBLE, getattr(report, field))
    for field in ("frames_processed", "frames_dropped", "frames_failed"):
        yield f"{place}/{field}", (DataType.UINT64, getattr(report, field))
    for label, objects in (report.objects or {}).items():
        way = f"{place}/objects/{label.replace('/', '_')}"
        yield f"{way}/current", (DataType.UINT64, objects.current)
        yield f"{way}/maximum", (DataType.UINT64, objects.maximum)
        yield f"{way}/mean", (DataType.DOUBLE, objects.mean)
    for stage in STAGES:
        times = report.stages.get(stage)
        for percentile in PERCENTILES:
            yield f"{place}/{stage}/{percentile}", (DataType.DOUBLE, getattr(times, percentile, None))


def _system(system: SystemReport) -> Iterator[tuple[str, tuple[DataType, MetricValue]]]:
    power, energy, each = system.power, system.energy, system.joules_per_inference
    always = {
        "cpu_percent": system.cpu_percent,
        "agent_rss_mb": system.agent_rss_mb,
        "memory_available_mb": system.memory_available_mb,
    }
    sometimes = {
        "gpu_percent": system.gpu_percent,
        "fps_limit": system.fps_limit,
        "power_w": power.watts if power else None,
        "energy_total_j": energy.total_j if energy else None,
        "joules_per_inference": each.value_j if each else None,
        **{f"temperatures_c/{zone}": degrees for zone, degrees in system.temperatures_c.items()},
        **{
            f"temperatures_c/{chip}": report.temperature_c
            for chip, report in (system.accelerators or {}).items()
        },
    }
    known = {name: value for name, value in sometimes.items() if value is not None}
    for name, value in {**always, **known}.items():
        yield f"System/{name}", (DataType.DOUBLE, value)
    if power is not None:
        yield "System/power_quality", (DataType.STRING, power.quality)
