"""A live camera whose picture becomes black or freezes, with a real broker: alarm, event, Home Assistant."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.subscribe as mqtt
import pytest

from edgeagent.camera import health, sources
from edgeagent.camera.clip import ClipSource
from edgeagent.camera.source import SourceFacts
from edgeagent.daemon import camera_health
from edgeagent.daemon.agent import Agent
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Image
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from tests.broker import PATIENCE, Mosquitto
from tests.daemon.running import Consumer
from tests.included import QUICK_BUNDLE


class ClipCamera(ClipSource):
    """Live camera that shows a clip again and again, or what the test wants to see instead."""

    shows = "clip"
    _last: Image | None = None

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(live=True, fps=20.0)

    def read(self, into: Image | None) -> Image | None:
        time.sleep(0.05)
        if self.shows == "frozen" and self._last is not None:
            return np.array(self._last, np.uint8)
        image = super().read(None)
        if image is None:
            self.close()
            self.open()
            image = super().read(None)
        assert image is not None
        self._last = image
        return np.zeros_like(image) if self.shows == "black" else image


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> ClipCamera:
    """A camera of the source ``made:clip``; pictures are judged in seconds instead of half a minute."""
    made = ClipCamera(sample_clip(), 5.0)
    monkeypatch.setitem(sources._registered, "made", lambda settings: made)
    monkeypatch.setattr(health, "HOLD_S", 2.0)
    monkeypatch.setattr(camera_health, "SAMPLE_EVERY_S", 0.1)
    return made


def unhealthy(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [problem for problem in alarm["problems"] if problem["code"] == "camera_unhealthy"]


@pytest.mark.parametrize(
    ("fault", "text"), [("black", "the picture is black"), ("frozen", "the picture does not change at all")]
)
def test_a_useless_picture_is_an_alarm_until_it_is_as_usual_again(
    tmp_path: Path, camera: ClipCamera, fault: str, text: str
) -> None:
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board") as consumer:
        agent = Agent(
            Settings(
                device="board",
                state=tmp_path / "state",
                cameras=(CameraSettings(name="yard", source="made:clip"),),
                model=ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
                mqtt=MqttSettings(host="127.0.0.1", port=broker.port),
                home_assistant=HomeAssistantSettings(),
                accuracy=AccuracySettings(golden_every=None, drift=False),
            )
        )
        agent.start()
        try:
            consumer.wait_for("detections/yard", lambda m: m["sequence"] > 20)
            assert not any(unhealthy(json.loads(one)) for one in consumer.payloads("alarm"))
            camera.shows = fault
            (problem,) = unhealthy(consumer.wait_for("alarm", lambda m: bool(unhealthy(m))))
            assert problem["camera"] == "yard"
            assert text in problem["text"]
            event = consumer.wait_for("events/camera_health", lambda m: True)
            assert event["data"] == {"camera": "yard", "state": fault}
            camera.shows = "clip"
            event = consumer.wait_for("events/camera_health", lambda m: m["data"]["state"] == "ok")
            assert event["text"] == "the picture of camera yard is as usual again"
            assert agent.publisher.wait_for("connected", PATIENCE)
            topic = "homeassistant/device/board/config"
            message = mqtt.simple(topic, hostname="127.0.0.1", port=broker.port)  # type: ignore[no-untyped-call]
            assert "camera_unhealthy" in message.payload.decode()
            count = len(consumer.payloads("events/camera_health"))
        finally:
            agent.stop()
        assert count == 2, "once each"
        assert not unhealthy(json.loads(consumer.payloads("alarm")[-1]))
