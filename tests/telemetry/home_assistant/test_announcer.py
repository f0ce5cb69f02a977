"""What is announced to Home Assistant through a real mosquitto, and taken away again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.telemetry.home_assistant.announcer import ANNOUNCED, AnnouncedDevice, Announcer, Withdrawal
from edgeagent.telemetry.mqtt.interface import ConnectionState, NoPublisher
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.home_assistant.values import documented
from tests.telemetry.publishing import settings

TOPIC = "homeassistant/device/board/config"
UPDATE = b'{"installed_version": "1.0.0", "latest_version": "1.0.0", "title": "x"}'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


class Connected(NoPublisher):
    """Publisher whose broker has everything."""

    state: ConnectionState = "connected"


class HomeAssistant:
    """Collects what is announced."""

    def __init__(self, port: int) -> None:
        self.changed = threading.Condition()
        self.arrived: list[bytes] = []
        subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe("homeassistant/device/#", qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._collect
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(PATIENCE)

    def __enter__(self) -> HomeAssistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _collect(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self.changed:
            self.arrived.append(bytes(message.payload))
            self.changed.notify_all()

    def wait_for(self, count: int) -> bytes:
        """Wait for so many messages, and return the last of them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.arrived) >= count, PATIENCE), self.arrived
            return self.arrived[count - 1]

    def wait_until(self, wanted: Callable[[dict[str, bool]], bool]) -> None:
        """Wait for a message whose components are as wanted; an older one may come before it."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: any(wanted(platforms(payload)) for payload in self.arrived), PATIENCE
            ), self.arrived


@contextmanager
def announcing(
    port: int,
    state: Path,
    cameras: tuple[str, ...] = ("yard",),
    chosen: HomeAssistantSettings | None = None,
    labels: tuple[str, ...] | None = ("person",),
) -> Iterator[Announcer]:
    publisher = MqttPublisher(settings(port), "board")
    device = AnnouncedDevice("board", cameras, commands=False, labels=labels)
    announcer = Announcer(publisher, chosen or HomeAssistantSettings(), device, state)
    announcer.update({})
    publisher.start()
    try:
        assert publisher.wait_for("connected", PATIENCE)
        yield announcer
    finally:
        publisher.stop()


def platforms(payload: bytes) -> dict[str, bool]:
    """The components of a message, and whether they are there, or taken away."""
    return {key: set(found) != {"p"} for key, found in json.loads(payload)["cmps"].items()}


def test_sensors_are_announced_with_their_first_value_and_all_of_it_again_at_birth(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with HomeAssistant(broker.port) as home, announcing(broker.port, tmp_path) as announcer:
        first = platforms(home.wait_for(1))
        assert "problem_not_detecting" in first
        assert "power" not in first
        announcer.record(documented())
        announcer.record(documented())
        second = home.wait_for(2)
        assert platforms(second)["power"]
        announcer.update({"update": UPDATE})
        third = home.wait_for(3)  # the second record has announced nothing
        assert platforms(third)["update"]
        home.client.publish("homeassistant/status", b"offline")
        home.client.publish("homeassistant/status", b"online")
        assert home.wait_for(4) == third
    with HomeAssistant(broker.port) as home:  # it is retained
        assert home.wait_for(1) == third


def test_a_start_takes_no_sensor_away_and_a_camera_that_is_gone_is_removed(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with announcing(broker.port, tmp_path) as announcer:
        announcer.record(documented())
    with announcing(broker.port, tmp_path), HomeAssistant(broker.port) as home:
        assert platforms(home.wait_for(1))["yard_fps_in"]
    with HomeAssistant(broker.port) as home, announcing(broker.port, tmp_path, ("gate",)) as announcer:
        home.wait_until(lambda found: not found["yard_fps_in"])
        telemetry = documented()
        gate = {"gate": telemetry.cameras["yard"]}
        announcer.record(telemetry.model_copy(update={"cameras": gate}))
        home.wait_until(
            lambda found: not found["yard_fps_in"] and found.get("gate_fps_in", False) and found["power"]
        )


def test_another_prefix_and_switching_off_leave_nothing_behind(broker: Mosquitto, tmp_path: Path) -> None:
    with announcing(broker.port, tmp_path):
        pass
    with HomeAssistant(broker.port) as home:
        home.wait_for(1)
        with announcing(broker.port, tmp_path, chosen=HomeAssistantSettings(prefix="other")):
            assert home.wait_for(2) == b""
    with announcing(broker.port, tmp_path), HomeAssistant(broker.port) as home:
        home.wait_for(1)
    with HomeAssistant(broker.port) as home:
        home.wait_for(1)
        publisher = MqttPublisher(settings(broker.port), "board")
        withdrawal = Withdrawal(publisher, tmp_path)
        withdrawal.record(documented())
        assert (tmp_path / ANNOUNCED).exists()  # the broker does not know yet
        publisher.start()
        assert publisher.wait_for("connected", PATIENCE)
        assert home.wait_for(2) == b""
        withdrawal.record(documented())
        publisher.stop()
    assert not (tmp_path / ANNOUNCED).exists()


def test_a_record_that_cannot_be_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system", str(path))

    content = {"topic": TOPIC, "by": [], "components": {}}
    (tmp_path / ANNOUNCED).write_text(json.dumps(content))
    withdrawal = Withdrawal(Connected(), tmp_path)
    monkeypatch.setattr(Path, "unlink", refuse)
    withdrawal.record(documented())
    withdrawal.record(documented())
    assert caplog.text.count("home-assistant.json: cannot be removed (Read-only file system)") == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"topic": 3, "by": [], "components": {}}'])
def test_a_file_that_is_garbled_is_told_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ANNOUNCED).write_bytes(content)
    publisher = MqttPublisher(settings(1883), "board")
    device = AnnouncedDevice("board", ("yard",), commands=False)
    announcer = Announcer(publisher, HomeAssistantSettings(), device, tmp_path)
    announcer.update({})
    assert "cannot be read" in caplog.text
    assert json.loads((tmp_path / ANNOUNCED).read_bytes())["topic"] == TOPIC


OBJECTS = ("yard_objects_car", "yard_presence_car", "yard_appeared_car", "yard_disappeared_car")


def test_objects_are_announced_and_stay_at_a_start_and_go_with_their_label(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with HomeAssistant(broker.port) as home, announcing(broker.port, tmp_path) as announcer:
        assert platforms(home.wait_for(1))["event"]
        announcer.record(documented())
        home.wait_until(lambda found: all(found.get(key) for key in OBJECTS))
    with announcing(broker.port, tmp_path), HomeAssistant(broker.port) as home:
        assert all(platforms(home.wait_for(1))[key] for key in OBJECTS)
    with announcing(broker.port, tmp_path, labels=()), HomeAssistant(broker.port) as home:
        home.wait_until(lambda found: not any(found[key] for key in OBJECTS))
        components = json.loads(home.arrived[-1])["cmps"]
        assert [components[key] for key in OBJECTS] == [
            {"p": platform}
            for platform in ("sensor", "binary_sensor", "device_automation", "device_automation")
        ]
