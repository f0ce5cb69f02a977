"""Changes of state as events, through a real event log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.object_watch import PresenceChange
from edgeagent.daemon.state_messages import RetainedMessages, StateMessages
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.telemetry.contract.presence import Presence
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.certificates import CertificateExpiry
from edgeagent.telemetry.mqtt.interface import NoPublisher


class Recorder(NoPublisher):
    """Publisher that keeps retained messages."""

    def __init__(self, retained: dict[str, bytes]) -> None:
        super().__init__()
        self._retained = retained

    def retain(self, topic: str, payload: bytes) -> None:
        """Keep a message."""
        self._retained[topic] = payload


class Device:
    """State messages of a device, what was published, and what the broker would retain."""

    def __init__(self, state: Path) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.retained: dict[str, bytes] = {}
        publisher = Recorder(self.retained)
        settings = Settings(cameras=(CameraSettings(name="yard", source="0"),))
        alarms = Alarms()
        self.messages = StateMessages(
            alarms,
            RetainedMessages(alarms, settings.cameras),
            EventLog(17, lambda topic, payload: self.events.append((topic, json.loads(payload)))),
            publisher,
            Adapters(settings, publisher, state, {}),
        )

    @property
    def problems(self) -> list[str]:
        return [problem["code"] for problem in json.loads(self.retained["alarm"])["problems"]]

    def happened(self) -> tuple[str, dict[str, Any]]:
        """Topic and data of the last event."""
        topic, event = self.events[-1]
        return topic, event["data"]


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_throttling_begins_and_ends_as_an_event(device: Device) -> None:
    device.messages.board_changed("throttled", "the board is hot and has lowered its clock")
    assert device.happened() == ("events/board", {"problem": "throttled", "state": "begun"})
    assert device.problems == ["throttled"]
    device.messages.board_changed("throttled", None)
    assert device.happened() == ("events/board", {"problem": "throttled", "state": "ended"})
    assert device.problems == []


def test_an_expired_certificate_is_an_event_with_its_file(device: Device) -> None:
    file = Path("/etc/edgeagent/device.pem")
    device.messages.certificate_changed(CertificateExpiry("device", file, -0.52))
    topic, data = device.happened()
    assert topic == "events/certificate"
    assert data == {"certificate": "device", "file": str(file), "state": "expired", "days_left": -0.5}
    assert device.events[-1][1]["text"] == "/etc/edgeagent/device.pem has expired"


def test_a_fault_is_an_event(device: Device) -> None:
    device.messages.fault_changed("outbox failed and was started again: KeyError")
    assert device.happened() == ("events/fault", {"state": "begun"})
    device.messages.fault_changed(None)
    assert device.happened() == ("events/fault", {"state": "ended"})


def test_presence_is_retained_and_each_change_an_event(device: Device) -> None:
    message = Presence(time="2026-01-31T12:00:00.000Z", cameras={})
    device.messages.presence_changed(message, [])
    assert device.events == []
    device.messages.presence_changed(message, [PresenceChange("yard", "person", True, 2)])
    assert json.loads(device.retained["presence"])["cameras"] == {}
    topic, data = device.happened()
    assert topic == "events/presence"
    assert data == {"camera": "yard", "label": "person", "state": "appeared", "count": 2}
    assert device.events[-1][1]["text"] == "person appeared at camera yard"
