"""Curves of a device: latency by stage, power, heat, energy, frame rate."""

from __future__ import annotations

from collections import defaultdict

from edgeagent.fleet.page.views.line_chart import Curve, line_chart
from edgeagent.fleet.queries.device_history import DeviceHistory, StagePoint
from edgeagent.fleet.queries.time_span import TimeSpan
from edgeagent.web.views.markup import empty

STAGES = ("inference", "preprocess", "decode", "queue", "age", "publish")
QUANTITIES = (
    ("fps", "Frame rate", "frames/s"),
    ("watts", "Power", "W"),
    ("temperature_c", "Hottest sensor", "°C"),
    ("joules_per_inference", "Energy per inference", "J"),
)


def device_charts(history: DeviceHistory, span: TimeSpan) -> str:
    """Return the curves of a span."""
    stages: dict[str, list[StagePoint]] = defaultdict(list)
    for point in history.stages:
        stages[point.stage].append(point)
    total = stages.get("end_to_end", [])
    drawn = [
        line_chart(
            "Latency, capture to detections",
            "ms",
            [
                Curve("p50", [(one.at, one.p50_ms) for one in total]),
                Curve("p90", [(one.at, one.p90_ms) for one in total]),
                Curve("p99", [(one.at, one.p99_ms) for one in total]),
            ],
            span.minutes,
        ),
        line_chart(
            "Median by stage",
            "ms",
            [
                Curve(stage, [(one.at, one.p50_ms) for one in stages[stage]])
                for stage in STAGES
                if stage in stages
            ],
            span.minutes,
        ),
        *(
            line_chart(
                title,
                unit,
                [Curve(title, [(one.point, getattr(one, name)) for one in history.system])],
                span.minutes,
            )
            for name, title, unit in QUANTITIES
        ),
    ]
    shown = "".join(drawn)
    if not shown:
        return empty(
            "No telemetry in this span", "Choose a longer one; what the board does not measure has no curve."
        )
    return f'<div class="charts">{shown}</div>'
