"""Estimate of the bytes of a day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edgeagent.doctor.examination import CHECKS
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.doctor.traffic import check_traffic, detection_bytes, telemetry_bytes
from tests.doctor.trees import CAMERA, configured

DOCUMENT = Path(__file__).parents[2] / "docs" / "mqtt.md"


def finding(**changes: Any) -> Finding:
    settings = configured(mqtt={"host": "broker.local"}, **changes)
    (found,) = check_traffic(ExaminedSystem(settings=settings))
    return found


def documented(row: str) -> float:
    """MB a day of a row of the table in docs/mqtt.md."""
    (line,) = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if row in line]
    return float(re.findall(r"[\d.]+", line)[-1])


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("changes", "`telemetry.detections: changes` (default) |"),
        ("frames", "`telemetry.detections: frames` |"),
    ],
)
def test_the_estimate_of_a_busy_scene_is_near_what_was_measured(mode: str, row: str) -> None:
    settings = configured(telemetry={"detections": mode})
    assert detection_bytes(settings)[1] / 1e6 == pytest.approx(documented(row), rel=0.1)
    assert telemetry_bytes(settings) / 1e6 == pytest.approx(documented("| `telemetry` | 8,640 "), rel=0.1)


def test_it_says_what_is_estimated_and_of_what() -> None:
    assert check_traffic in CHECKS
    assert finding() == Finding(
        "bytes a day",
        "ok",
        "estimated 48.2 MB a day in a busy scene: telemetry 37.2 MB, detections 11.0 MB "
        "(0.0 MB in a quiet scene)",
    )
    assert finding(telemetry={"detections": "off"}).found == (
        "estimated 37.2 MB a day: telemetry; detections are off"
    )
    assert finding(telemetry={"detections_rate": 0}).found.endswith("detections are off")


def test_frames_cost_more_and_it_says_what_to_do() -> None:
    found = finding(telemetry={"detections": "frames"})
    assert "detections 367.2 MB" in found.found
    assert "telemetry.detections: changes" in found.action


def test_cameras_intervals_and_rates_count() -> None:
    slow = [{**CAMERA, "fps": 1.0}]
    one = finding(cameras=slow, telemetry={"detections": "frames"})
    assert "detections 73.4 MB" in one.found
    two = [{**CAMERA, "name": name} for name in ("front", "back")]
    assert (
        "telemetry 12.6 MB, detections 22.0 MB" in finding(cameras=two, telemetry={"interval": "50s"}).found
    )
    rare = {"detections_changes": {"moves_every": "5min", "refresh": "1h"}}
    assert "detections 0.4 MB" in finding(telemetry=rare).found


def test_what_is_left_out_is_named() -> None:
    found = finding(home_assistant={"pictures_every": "10s"}, sparkplug={}).found
    assert found.endswith("; without pictures and Sparkplug")


def test_without_a_broker_there_is_nothing_to_estimate() -> None:
    assert check_traffic(ExaminedSystem(settings=configured())) == []
    assert check_traffic(ExaminedSystem()) == []
