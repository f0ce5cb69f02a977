"""The daemon on this machine, whose power is declared, with a real broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.daemon.running import Consumer, running
from tests.included import QUICK_NAME


def test_a_budget_that_cannot_be_kept_lowers_the_rate_and_says_so(tmp_path: Path) -> None:
    wanted = {
        "device": "board",
        "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "telemetry": {"interval": "1s"},
        "power": {"idle_w": 3.0, "full_w": 8.0, "budget_w": 0.1},
        "adaptive": {"hold_fall": "1s"},
    }
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board") as consumer:
        wanted["mqtt"] = {"host": "127.0.0.1", "port": broker.port}
        with running(tmp_path, wanted) as daemon:
            daemon.wait_until_detecting()
            event = consumer.wait_for("events/rate", lambda m: "from_fps" not in m["data"])
            limited = consumer.wait_for("telemetry", lambda m: "fps_limit" in m["system"])
            assert daemon.stop() == 0, daemon.log()
    assert (event["kind"], event["data"]["reasons"]) == ("rate", "power_budget")
    assert limited["system"]["fps_limit"] <= event["data"]["to_fps"]
    messages = [json.loads(payload)["system"] for payload in consumer.payloads("telemetry")]
    parts = [system["joules_per_inference"] for system in messages if "joules_per_inference" in system]
    assert parts
    if parts[0]["quality"] == "estimated":  # a machine with a sensor measures
        for part in parts:
            assert part["idle"] == "declared"
            expected = (part["used_j"] - part["idle_j"]) / part["inferences"]
            assert part["value_j"] == pytest.approx(expected, abs=1e-3)
