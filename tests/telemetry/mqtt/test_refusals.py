"""Topics that the broker's access rules deny: each message is counted, each topic logged once."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import publishing, settings
from tests.telemetry.subscriber import Subscriber

ALLOWED = "topic readwrite edgeagent/v1/board/status\ntopic readwrite edgeagent/v1/board/telemetry\n"


def wait_for_losses(publisher: MqttPublisher, wanted: dict[str, int]) -> None:
    """Wait until exactly these losses are counted."""
    deadline = time.monotonic() + PATIENCE
    while publisher.dropped != Counter(wanted):
        assert time.monotonic() < deadline, publisher.dropped
        assert publisher.flush(PATIENCE)


def rules(folder: Path, text: str) -> tuple[str, str]:
    (folder / "acl").write_text(text, encoding="utf-8")
    return "allow_anonymous true", f"acl_file {folder / 'acl'}"


def test_refused_retained_messages_are_counted_and_each_topic_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Mosquitto(tmp_path, rules(tmp_path, ALLOWED)) as broker,
        publishing(settings(broker.port)) as publisher,  # publishes info
    ):
        assert publisher.wait_for("connected", PATIENCE)
        for topic in ("alarm", "alarm", "accuracy"):
            publisher.retain(topic, b"{}")
        publisher.retain_absolute("homeassistant/device/board/config", b"{}")
        wait_for_losses(publisher, {"info": 1, "alarm": 2, "accuracy": 1, "homeassistant": 1})
    lines = [record.getMessage() for record in caplog.records if "is dropped" in record.getMessage()]
    assert sorted(lines) == [
        f"a message of {topic} is dropped, and so will be others of it: "
        "the broker refuses it (Not authorized); check its access rules"
        for topic in ("accuracy", "alarm", "homeassistant/device/board/config", "info")
    ]


def test_refused_messages_of_qos_0_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        Mosquitto(tmp_path, rules(tmp_path, ALLOWED)) as broker,
        publishing(settings(broker.port)) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        for number in range(1, 4):
            publisher.publish("picture/yard", b"JPEG", qos=0)
            publisher.publish("detections/yard", b"{}", qos=0)
            wait_for_losses(publisher, {"info": 1, "picture": number, "detections": number})
    assert caplog.text.count("a message of picture/yard is dropped") == 1


def test_an_allowed_topic_is_asked_once_and_then_sent_with_qos_0(tmp_path: Path) -> None:
    allowed = f"{ALLOWED}topic readwrite edgeagent/v1/board/picture/#\n"
    with (
        Mosquitto(tmp_path, rules(tmp_path, allowed)) as broker,
        Subscriber(broker.port, "board") as subscriber,
        publishing(settings(broker.port)) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        for payload in (b"1", b"2"):
            publisher.publish("picture/yard", payload, qos=0)
            subscriber.wait_for("picture/yard", payload)
        assert [a.qos for a in subscriber.arrivals() if a.topic == "picture/yard"] == [1, 0]
        wait_for_losses(publisher, {"info": 1})
