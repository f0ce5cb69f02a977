"""Live table and summary of the demo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table

from edgeagent.daemon.agent import Agent
from edgeagent.daemon.reporter import stage_report
from edgeagent.detection.frame_result import STAGES
from edgeagent.telemetry.contract.messages import StageReport, Telemetry

TOO_FEW = "too few"


def live_table(agent: Agent, telemetry: Telemetry, totals: Counter[str], received: int) -> Group:
    """Return the live table: camera, engine, rates, power, stage times and detections."""
    ((name, camera),) = telemetry.cameras.items()
    facts = agent.models.serving.facts
    head = Table.grid(padding=(0, 3))
    head.add_row("camera", f"{name}, {camera.state}")
    head.add_row("engine", f"{facts.engine} {facts.version}, {facts.threads} threads")
    head.add_row("frames/s", f"{camera.fps_in:.1f} in, {camera.fps_processed:.1f} detected")
    head.add_row("power", _power(telemetry))
    head.add_row("MQTT", f"{received} messages received from the broker")
    stages = Table(title="milliseconds since the start")
    for column in ("stage", "p50", "p90", "samples"):
        stages.add_column(column, justify="left" if column == "stage" else "right")
    for stage in STAGES:
        percentiles = agent.times[name].total[stage].percentiles()
        stages.add_row(
            stage, _milliseconds(percentiles.p50), _milliseconds(percentiles.p90), str(percentiles.count)
        )
    found = Table(title="detections")
    found.add_column("class")
    found.add_column("count", justify="right")
    for label, count in totals.most_common(6):
        found.add_row(label, str(count))
    both = Table.grid(padding=(0, 4))
    both.add_row(stages, found)
    return Group(head, both)


def summary(
    agent: Agent, telemetry: Telemetry, totals: Mapping[str, int], received: Mapping[str, int], seconds: float
) -> dict[str, Any]:
    """Return the summary as plain data; percentiles with too few samples are absent."""
    ((name, _),) = telemetry.cameras.items()
    facts, manifest = agent.models.serving.facts, agent.models.bundle.manifest
    stages = {stage: stage_report(agent.times[name].total[stage]) for stage in STAGES}
    frames = stages["end_to_end"].count
    power = telemetry.system.power
    return {
        "frames": frames,
        "fps": round(frames / seconds, 2),
        "seconds": round(seconds, 2),
        "detections": dict(sorted(totals.items(), key=lambda item: -item[1])),
        "telemetry_messages": sum(received.values()),
        "messages_by_topic": dict(received),
        "engine": f"{facts.engine} {facts.version} {facts.delegate}, {facts.threads} threads",
        "bundle": f"{manifest.name} {manifest.version}",
        "stages": {stage: _plain(report) for stage, report in stages.items()},
        "power": power.model_dump() if power else "no power sensor found",
    }


def _plain(report: StageReport) -> dict[str, Any]:
    return report.model_dump(exclude_none=True, exclude={"buckets"})


def _milliseconds(value: float | None) -> str:
    return TOO_FEW if value is None else f"{value:.2f}"


def _power(telemetry: Telemetry) -> str:
    power = telemetry.system.power
    return f"{power.watts:.2f} W, {power.source} ({power.quality})" if power else "no power sensor found"
