"""Metrics of a release, from messages as devices send them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from edgeagent.publisher.condition import FleetMeasurements
from edgeagent.publisher.fleet import Fleet
from edgeagent.timing.histogram import Histogram, bucket_of, middle_of


def deployment(state: str, version: str = "2.0.0", name: str = "tiny") -> dict[str, Any]:
    return {"state": state, "name": name, "version": version}


def telemetry(*frames_ms: float) -> dict[str, Any]:
    return {"cameras": {"yard": {"stages": {"end_to_end": end_to_end(*frames_ms)}}}}


def end_to_end(*frames_ms: float) -> dict[str, Any]:
    histogram = Histogram()
    for frame_ms in frames_ms:
        histogram.record(round(frame_ms * 1e6))
    return {"count": histogram.count, "buckets": histogram.buckets()}


def shown(frame_ms: float) -> float:
    """A duration as histograms give it back."""
    return round(middle_of(bucket_of(frame_ms)), 4)


class Village(Fleet):
    def tell(self, device: str, kind: str, message: Any) -> None:
        payload = message.encode() if isinstance(message, str) else json.dumps(message).encode()
        self.hear(f"edgeagent/v1/{device}/{kind}", payload)

    def of(self, metric: str) -> FleetMeasurements:
        return self.measure(metric, "tiny", "2.0.0")


def test_rates_are_of_the_devices_that_tried_it() -> None:
    fleet = Village()
    states = ["good", "good", "trial", "rolled_back", "rejected", "fetching", "gating"]
    for number, state in enumerate(states):
        fleet.tell(f"d{number}", "deployment", deployment(state))
    fleet.tell("other", "deployment", deployment("rolled_back", "1.0.0"))
    fleet.tell("another", "deployment", deployment("rolled_back", name="large"))
    assert fleet.of("rollback_rate") == FleetMeasurements(20.0, 5)
    assert fleet.of("rejected_rate") == FleetMeasurements(20.0, 5)
    for number, status in enumerate(["online", "offline", "stopped"]):
        fleet.tell(f"d{number}", "status", status)
    assert fleet.of("offline_rate") == FleetMeasurements(100 / 3, 3)
    fleet.tell("d3", "deployment", "")  # forgotten by its operator
    assert fleet.of("rollback_rate") == FleetMeasurements(0.0, 4)


def test_without_devices_nothing_is_known() -> None:
    assert {Village().of(metric) for metric in ("p99", "rollback_rate", "offline_rate")} == {
        FleetMeasurements(None, 0)
    }


def test_percentiles_are_of_all_frames_of_the_fleet() -> None:
    fleet = Village()
    frames = {"a": [10.0] * 590, "b": [20.0] * 62, "c": [300.0] * 10, "d": []}
    for device, durations in frames.items():
        fleet.tell(device, "deployment", deployment("good"))
        fleet.tell(device, "telemetry", telemetry(*durations))
    assert fleet.of("p50") == FleetMeasurements(shown(10.0), 3)
    assert fleet.of("p90") == FleetMeasurements(shown(20.0), 3)
    assert fleet.of("p99") == FleetMeasurements(shown(300.0), 3)


def test_few_frames_are_no_percentile() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("good"))
    fleet.tell("a", "telemetry", telemetry(*[10.0] * 63))
    assert (fleet.of("p90"), fleet.of("p50")) == (
        FleetMeasurements(None, 1),
        FleetMeasurements(shown(10.0), 1),
    )
    fleet.tell("a", "telemetry", telemetry(10.0))
    assert fleet.of("p90") == FleetMeasurements(shown(10.0), 1)


def test_all_cameras_count() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("trial"))
    message = telemetry(*[5.0] * 4)
    message["cameras"]["gate"] = {"stages": {"end_to_end": end_to_end(*[9.0] * 6)}}
    message["cameras"]["lost"] = {"state": "lost"}
    fleet.tell("a", "telemetry", message)
    assert fleet.of("p50") == FleetMeasurements(shown(9.0), 1)


def test_what_was_measured_before_an_outage_is_left_out() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("trial"))
    fleet.tell("a", "telemetry", telemetry(*[90.0] * 50) | {"historical": True})
    assert fleet.of("p50") == FleetMeasurements(None, 0)


def test_messages_of_another_model_do_not_count() -> None:
    fleet = Village()
    fleet.tell("a", "telemetry", telemetry(*[1.0] * 5))
    fleet.tell("a", "deployment", deployment("gating"))
    fleet.tell("a", "telemetry", telemetry(*[2.0] * 5))  # the old model still serves
    assert fleet.of("p50") == FleetMeasurements(None, 0)
    fleet.tell("a", "deployment", deployment("trial"))
    fleet.tell("a", "telemetry", telemetry(*[3.0] * 5))
    assert fleet.of("p50") == FleetMeasurements(shown(3.0), 1)
    fleet.tell("a", "deployment", deployment("good"))
    assert fleet.of("p50") == FleetMeasurements(shown(3.0), 1)
    fleet.tell("a", "deployment", deployment("trial", "3.0.0"))
    assert fleet.measure("p50", "tiny", "3.0.0") == FleetMeasurements(None, 0)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("deployment", "{"),
        ("deployment", "[]"),
        ("telemetry", "7"),
        ("telemetry", '{"cameras": 3}'),
        ("telemetry", '{"cameras": {"yard": {"stages": {"end_to_end": {"buckets": {"fast": 3}}}}}}'),
        ("telemetry", '{"cameras": {"yard": {"stages": {"end_to_end": {"buckets": {"99999": 3}}}}}}'),
        ("telemetry", '{"cameras": {"yard": {"stages": {"end_to_end": {"buckets": {"7": "x"}}}}}}'),
    ],
)
def test_what_is_not_as_documented_is_logged_and_left_out(
    caplog: pytest.LogCaptureFixture, kind: str, payload: str
) -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("good"))
    fleet.tell("a", "telemetry", telemetry(*[3.0] * 5))
    with caplog.at_level(logging.WARNING):
        fleet.tell("a", kind, payload)
    assert f"edgeagent/v1/a/{kind}: is not as documented" in caplog.text
    assert fleet.of("p50") == FleetMeasurements(shown(3.0), 1)
