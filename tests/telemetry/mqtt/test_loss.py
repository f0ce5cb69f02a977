"""A broker that is absent, goes away and comes back: what waits, what is dropped, what arrives."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import INFO, PROTOCOLS, Protocol, late, numbered, publishing, settings
from tests.telemetry.subscriber import Subscriber, keeping_sessions

pytestmark = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, keeping_sessions(tmp_path)) as broker:
        yield broker


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    """One whose session the broker has on disk."""
    with Subscriber(broker.port, "board") as subscriber:
        broker.stop()
        broker.start()
        yield subscriber


def publish(publisher: MqttPublisher, numbers: range) -> None:
    for number in numbers:
        publisher.publish("telemetry", numbered(number), qos=1)
    assert publisher.flush(PATIENCE)


def test_what_waits_for_an_absent_broker_is_bounded_and_arrives(
    broker: Mosquitto, subscriber: Subscriber, protocol: Protocol
) -> None:
    broker.stop()
    with publishing(settings(broker.port, queue=5, protocol=protocol)) as publisher:
        assert publisher.wait_for("disconnected", PATIENCE)
        assert "Connection refused" in (publisher.last_error or "")
        publish(publisher, range(8))  # returns, or the broker would never be started
        assert publisher.dropped == {"telemetry": 3}
        publisher.publish("detections/yard", b"{}", qos=0)
        assert publisher.dropped == {"telemetry": 3, "detections": 1}
        broker.start()
        subscriber.wait_for("telemetry", late(7))
        publish(publisher, range(8, 9))
        subscriber.wait_for("telemetry", numbered(8))
        assert publisher.dropped == {"telemetry": 3, "detections": 1}
    subscriber.wait_for("status", b"stopped")
    arrived = [(arrival.topic, arrival.payload) for arrival in subscriber.arrivals()]
    waited = [("telemetry", late(number)) for number in range(3, 8)]
    at_once = ("telemetry", numbered(8))
    assert arrived == [("status", b"online"), ("info", INFO), *waited, at_once, ("status", b"stopped")]


def test_an_outage_loses_no_telemetry(broker: Mosquitto, subscriber: Subscriber, protocol: Protocol) -> None:
    with publishing(settings(broker.port, protocol=protocol)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        publish(publisher, range(3))
        subscriber.wait_for("telemetry", numbered(2))
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        publish(publisher, range(3, 6))
        publisher.publish("detections/yard", b"{}", qos=0)
        broker.start()
        subscriber.wait_for("telemetry", late(5))
        assert publisher.dropped == {"detections": 1}
    assert subscriber.payloads("telemetry") == [*map(numbered, range(3)), *map(late, range(3, 6))]
    assert subscriber.payloads("detections/yard") == []


def test_messages_on_the_way_when_a_broker_dies_are_sent_again(
    broker: Mosquitto, subscriber: Subscriber, protocol: Protocol
) -> None:
    with publishing(settings(broker.port, protocol=protocol)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        publish(publisher, range(30))  # more than are in flight at once
        os.kill(broker.pid, signal.SIGKILL)
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        assert "was lost" in (publisher.last_error or "")
        publish(publisher, range(30, 35))
        broker.start()
        subscriber.wait_until(
            lambda arrivals: (
                {json.loads(a.payload)["sequence"] for a in arrivals if a.topic == "telemetry"}
                == set(range(35))
            )
        )
        assert not publisher.dropped


def test_a_full_queue_behind_a_broker_that_hangs_is_counted(
    broker: Mosquitto, subscriber: Subscriber, protocol: Protocol
) -> None:
    with publishing(settings(broker.port, queue=5, protocol=protocol)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        subscriber.wait_for("info", INFO)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publish(publisher, range(200))
            dropped = publisher.dropped["telemetry"]
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert 0 < dropped < 195
        arrived = 200 - dropped
        subscriber.wait_until(lambda arrivals: sum(a.topic == "telemetry" for a in arrivals) == arrived)


def test_what_is_larger_than_the_broker_takes_is_dropped_counted_and_told_once(
    tmp_path: Path, protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    if protocol != "5":
        pytest.skip("a broker says what it takes only in MQTT 5")
    large = b"x" * 3000
    with (
        Mosquitto(tmp_path, ("allow_anonymous true", "max_packet_size 2000")) as broker,
        Subscriber(broker.port, "board") as subscriber,
        publishing(settings(broker.port)) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        for _ in range(2):
            publisher.publish("telemetry", large, qos=1)
            publisher.publish("picture/yard", large, qos=0)
        publisher.retain("deployment", large)
        publisher.retain_absolute("homeassistant/device/board/config", large)
        publish(publisher, range(1))
        subscriber.wait_for("telemetry", numbered(0))
        assert publisher.dropped == {"telemetry": 2, "picture": 2, "deployment": 1, "homeassistant": 1}
        assert publisher.state == "connected"
        assert "disconnected" not in caplog.text
    assert caplog.text.count("a message of picture/yard is dropped") == 1
    assert "the broker takes 2000" in caplog.text
