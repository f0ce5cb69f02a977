"""Metrics of a release, from messages as devices send them."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.publisher.condition import FleetMeasurements
from edgeagent.publisher.fleet import Fleet, FleetEvidence
from edgeagent.publisher.rollout_steps import RolledOut
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


START = utcnow()
RELEASE = RolledOut("stable", "tiny", "2.0.0")


class Village(Fleet):
    def tell(self, device: str, kind: str, message: Any) -> None:
        payload = message.encode() if isinstance(message, str) else json.dumps(message).encode()
        self.hear(f"edgeagent/v1/{device}/{kind}", payload)

    def of(self, metric: str) -> FleetMeasurements:
        return FleetEvidence(self, RELEASE, START).measure(metric)


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


def village(treated: tuple[int, float], control: tuple[int, float], board: str = "Pi 5") -> Village:
    """Return a fleet of which some took the release; number and milliseconds of each group's devices."""
    fleet = Village()
    for version, (count, frame_ms) in {"2.0.0": treated, "1.0.0": control}.items():
        for number in range(count):
            name = f"{version}-{number}"
            fleet.tell(name, "info", {"board": {"model": board}})
            fleet.tell(name, "deployment", deployment("good", version))
            fleet.tell(name, "telemetry", telemetry(*[frame_ms + number % 3] * 700))
    return fleet


def test_groups_are_compared_over_the_same_hours() -> None:
    fleet = village(treated=(5, 30.0), control=(20, 20.0))
    difference = FleetEvidence(fleet, RELEASE, START).compare("p99", relative=True)
    assert difference is not None
    means = [np.exp(np.mean([np.log(shown(ms + n % 3)) for n in range(c)])) for c, ms in ((5, 30), (20, 20))]
    assert (difference.treated, difference.control) == pytest.approx(tuple(means), rel=0.01)
    assert 0.2 < difference.low < means[0] / means[1] - 1 < difference.high
    later = START + timedelta(hours=1)
    assert FleetEvidence(fleet, RELEASE, later).compare("p99", relative=True) is None


def test_devices_of_other_boards_are_no_control_group() -> None:
    fleet = village(treated=(5, 30.0), control=(20, 20.0))
    for name in [name for name in fleet.devices if name.startswith("1.0.0")]:
        fleet.tell(name, "info", {"board": {"model": "Jetson"}})
    assert FleetEvidence(fleet, RELEASE, START).compare("p99", relative=True) is None


def test_a_device_that_never_had_a_deployment_is_in_the_control_group() -> None:
    fleet = village(treated=(5, 30.0), control=(0, 0.0))
    for number in range(5):
        bundle = {"name": "tiny", "version": "1.0.0"}
        fleet.tell(f"new-{number}", "info", {"board": {"model": "Pi 5"}, "bundle": bundle})
        fleet.tell(f"new-{number}", "telemetry", telemetry(*[20.0] * 700))
    difference = FleetEvidence(fleet, RELEASE, START).compare("p50", relative=False)
    assert difference is not None
    assert difference.control_devices == 5


def test_alarms_agreement_and_energy_are_averaged_over_devices() -> None:
    fleet = village(treated=(4, 30.0), control=(4, 30.0))
    for number, name in enumerate(fleet.devices):
        new = name.startswith("2.0.0")
        fleet.tell(name, "alarm", {"problems": [{}] * (new and number % 2)})
        fleet.tell(name, "accuracy", {"agreement": {"recent": {"matched_share": 0.9 if new else 0.95}}})
        energy = {"value_j": 0.2 if new else 0.1, "inferences": 100}
        fleet.tell(name, "telemetry", {"cameras": {}, "system": {"joules_per_inference": energy}})
    evidence = FleetEvidence(fleet, RELEASE, START)
    assert evidence.measure("alarm_rate") == FleetMeasurements(50.0, 4)
    measured = evidence.measure("joules")
    assert measured.devices == 4
    assert measured.value == pytest.approx(0.2)
    agreement, joules = (
        evidence.compare("agreement", relative=False),
        evidence.compare("joules", relative=True),
    )
    assert agreement is not None
    assert joules is not None
    assert agreement.high == pytest.approx(-5.0)
    assert joules.low == pytest.approx(1.0)


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
    assert FleetEvidence(fleet, RolledOut("stable", "tiny", "3.0.0"), START).measure(
        "p50"
    ) == FleetMeasurements(None, 0)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("deployment", "{"),
        ("deployment", "[]"),
        ("telemetry", "7"),
        ("alarm", '{"problems": 3}'),
        ("accuracy", '{"agreement": {"recent": 5}}'),
        ("info", '{"board": 1}'),
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
