"""Retained messages of cameras at a real mosquitto: removed when the camera has none any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.retained_cameras import RetainedCameras
from edgeagent.settings.schema import Settings
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import publishing, settings
from tests.telemetry.subscriber import Subscriber

TOPICS = ("detections/yard", "zones/yard")
GATE = {"name": "gate", "polygon": [[0, 0], [1, 0], [1, 1]]}
THEN: list[dict[str, Any]] = [
    {"telemetry": {"detections": "off"}, "tracking": {"tracker": "off"}},
    {"telemetry": {"detections": "frames"}, "camera": "shed"},
    {"camera": "shed"},
]


def configured(folder: Path, camera: str = "yard", **sections: Any) -> Settings:
    cameras = [{"name": camera, "source": "0", "zones": [GATE] if camera == "yard" else []}]
    if "tracking" in sections:
        cameras[0]["zones"] = []
    return Settings.model_validate({"device": "board", "state": folder, "cameras": cameras, **sections})


@pytest.mark.parametrize("then", THEN)
def test_the_messages_of_a_camera_that_has_none_any_more_are_removed(
    tmp_path: Path, then: dict[str, Any]
) -> None:
    with Mosquitto(tmp_path) as broker:
        with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
            assert publisher.wait_for("connected", PATIENCE)
            RetainedCameras(configured(tmp_path), publisher).stop()
            for topic in TOPICS:
                publisher.retain(topic, b"{}")
                subscriber.wait_for(topic, b"{}")
        with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
            removed = RetainedCameras(configured(tmp_path, **then), publisher)
            for topic in TOPICS:
                subscriber.wait_for(topic, b"")
            assert publisher.wait_for("connected", PATIENCE)
            removed.stop()
            with Subscriber(broker.port, "board") as late:
                publisher.publish("picture/yard", b"end", qos=0)
                late.wait_for("picture/yard", b"end")
                assert [late.payloads(topic) for topic in TOPICS] == [[], []]
    recorded = json.loads((tmp_path / "detections-retained.json").read_bytes())
    assert recorded == ([] if "telemetry" in then else ["shed"])
    assert json.loads((tmp_path / "zones-retained.json").read_bytes()) == []
