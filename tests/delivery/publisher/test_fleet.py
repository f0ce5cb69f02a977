"""Metrics of a release, from messages as devices send them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from edgeagent.delivery.publisher.condition import Measured
from edgeagent.delivery.publisher.fleet import Fleet


def deployment(state: str, version: str = "2.0.0", name: str = "tiny") -> dict[str, Any]:
    return {"state": state, "name": name, "version": version}


def telemetry(**percentiles: float) -> dict[str, Any]:
    return {"cameras": {"yard": {"stages": {"end_to_end": {"count": 150, **percentiles}}}}}


class Village(Fleet):
    def tell(self, device: str, kind: str, message: Any) -> None:
        payload = message.encode() if isinstance(message, str) else json.dumps(message).encode()
        self.hear(f"edgeagent/v1/{device}/{kind}", payload)

    def of(self, metric: str) -> Measured:
        return self.measure(metric, "tiny", "2.0.0")


def test_rates_are_of_the_devices_that_tried_it() -> None:
    fleet = Village()
    states = ["good", "good", "trial", "rolled_back", "rejected", "fetching", "gating"]
    for number, state in enumerate(states):
        fleet.tell(f"d{number}", "deployment", deployment(state))
    fleet.tell("other", "deployment", deployment("rolled_back", "1.0.0"))
    fleet.tell("another", "deployment", deployment("rolled_back", name="large"))
    assert fleet.of("rollback_rate") == Measured(20.0, 5)
    assert fleet.of("rejected_rate") == Measured(20.0, 5)
    for number, status in enumerate(["online", "offline", "stopped"]):
        fleet.tell(f"d{number}", "status", status)
    assert fleet.of("offline_rate") == Measured(100 / 3, 3)
    fleet.tell("d3", "deployment", "")  # forgotten by its operator
    assert fleet.of("rollback_rate") == Measured(0.0, 4)


def test_without_devices_nothing_is_known() -> None:
    assert {Village().of(metric) for metric in ("p99", "rollback_rate", "offline_rate")} == {
        Measured(None, 0)
    }


def test_latency_is_the_worst_device_by_the_median_of_its_messages() -> None:
    fleet = Village()
    for device, values in {"a": [10, 11, 300], "b": [20, 21, 22], "c": []}.items():
        fleet.tell(device, "deployment", deployment("good"))
        for value in values:
            fleet.tell(device, "telemetry", telemetry(p90_ms=value))
        fleet.tell(device, "telemetry", telemetry())  # too few frames for a percentile
    assert fleet.of("p90") == Measured(21.0, 2)
    assert fleet.of("p99") == Measured(None, 0)


def test_the_slowest_camera_counts() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("trial"))
    message = telemetry(p50_ms=5.0)
    message["cameras"]["gate"] = telemetry(p50_ms=9.0)["cameras"]["yard"]
    message["cameras"]["lost"] = {"state": "lost"}
    fleet.tell("a", "telemetry", message)
    assert fleet.of("p50") == Measured(9.0, 1)


def test_messages_of_another_model_do_not_count() -> None:
    fleet = Village()
    fleet.tell("a", "telemetry", telemetry(p50_ms=1.0))
    fleet.tell("a", "deployment", deployment("gating"))
    fleet.tell("a", "telemetry", telemetry(p50_ms=2.0))  # the old model still serves
    assert fleet.of("p50") == Measured(None, 0)
    fleet.tell("a", "deployment", deployment("trial"))
    fleet.tell("a", "telemetry", telemetry(p50_ms=3.0))
    assert fleet.of("p50") == Measured(3.0, 1)
    fleet.tell("a", "deployment", deployment("good"))
    assert fleet.of("p50") == Measured(3.0, 1)
    fleet.tell("a", "deployment", deployment("trial", "3.0.0"))
    assert fleet.measure("p50", "tiny", "3.0.0") == Measured(None, 0)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("deployment", "{"),
        ("deployment", "[]"),
        ("telemetry", "7"),
        ("telemetry", '{"cameras": 3}'),
        ("telemetry", '{"cameras": {"yard": {"stages": {"end_to_end": {"p50_ms": "fast"}}}}}'),
    ],
)
def test_what_is_not_as_documented_is_logged_and_left_out(
    caplog: pytest.LogCaptureFixture, kind: str, payload: str
) -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("good"))
    fleet.tell("a", "telemetry", telemetry(p50_ms=3.0))
    with caplog.at_level(logging.WARNING):
        fleet.tell("a", kind, payload)
    assert f"edgeagent/v1/a/{kind}: is not as documented" in caplog.text
    assert fleet.of("p50") == Measured(3.0, 1)


def test_a_number_that_is_none_is_left_out() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", deployment("good"))
    fleet.tell("a", "telemetry", '{"cameras": {"y": {"stages": {"end_to_end": {"p50_ms": NaN}}}}}')
    assert fleet.of("p50") == Measured(None, 0)
