"""The connection to a real mosquitto: state, will, order, clean stop."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from edgeagent.telemetry.mqtt.interface import Arrival as Arrived
from tests.broker import ANONYMOUS, PATIENCE, Mosquitto, free_port
from tests.telemetry.publishing import INFO, PROTOCOLS, Protocol, numbered, publishing, settings
from tests.telemetry.subscriber import Arrival, Subscriber

DOCUMENT = Path(__file__).parents[3] / "docs" / "mqtt.md"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def retained(broker: Mosquitto) -> dict[str, bytes]:
    """What is there for somebody who comes now; the mark comes behind it."""
    with Subscriber(broker.port, "board") as late:
        late.mark()
        return {a.topic: a.payload for a in late.arrivals() if a.retain}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_state_and_info_are_there_for_whoever_comes_later(broker: Mosquitto, protocol: Protocol) -> None:
    with Subscriber(broker.port, "board") as early:
        with publishing(settings(broker.port, protocol=protocol)):
            early.wait_for("info", INFO)
            assert retained(broker) == {"status": b"online", "info": INFO}
        early.wait_for("status", b"stopped")
    assert retained(broker) == {"status": b"stopped", "info": INFO}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_qos_and_retain_are_as_documented(broker: Mosquitto, protocol: Protocol) -> None:
    rows = re.findall(
        r"^\| `([a-z<>/]+)` \| ([01]) \| (yes|no) \|", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    documented = {
        topic.replace("<camera>", "yard").replace("<kind>", "camera"): (int(qos), keep == "yes")
        for topic, qos, keep in rows
    }
    with (
        Subscriber(broker.port, "board") as subscriber,
        publishing(settings(broker.port, protocol=protocol)) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        publisher.publish("telemetry", b"{}", qos=1)
        publisher.publish("events/camera", b"{}", qos=1)
        # the first of a topic has QoS 1 in MQTT 5, to learn whether it is allowed
        publisher.publish("picture/yard", b"first", qos=0)
        publisher.publish("snapshot/yard", b"first", qos=0)
        publisher.retain_unacknowledged("detections/yard", b"first")
        for topic in ("picture/yard", "snapshot/yard", "detections/yard"):
            subscriber.wait_for(topic, b"first")
        publisher.publish("picture/yard", b"{}", qos=0)
        publisher.publish("snapshot/yard", b"{}", qos=0)
        publisher.publish("objects/yard", b"{}", qos=1)
        publisher.retain_unacknowledged("detections/yard", b"{}")
        retained = ("alarm", "accuracy", "presence", "deployment", "update", "armed", "zones/yard")
        for topic in retained:
            publisher.retain(topic, b"{}")
        publisher.publish("reply", b"{}", qos=1)
        for topic in (*retained, "reply", "telemetry", "events/camera", "objects/yard", "snapshot/yard"):
            subscriber.wait_for(topic, b"{}")
        subscriber.wait_for("events/camera", b"{}")
        subscriber.wait_for("detections/yard", b"{}")
        subscriber.wait_for("picture/yard", b"{}")
        seen = {arrival.topic: (arrival.qos, arrival.retain) for arrival in subscriber.arrivals()}
    assert seen == documented


def test_what_is_retained_is_published_at_once_and_again_at_every_connect(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, publishing(settings(broker.port)) as publisher:
        with Subscriber(broker.port, "board") as subscriber:
            assert publisher.wait_for("connected", PATIENCE)
            publisher.retain("alarm", b"one")
            subscriber.wait_for("alarm", b"one")
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        publisher.retain("alarm", b"two")
        broker.start()
        with Subscriber(broker.port, "board") as subscriber:
            subscriber.wait_for("alarm", b"two")


def test_messages_arrive_in_order(broker: Mosquitto) -> None:
    with Subscriber(broker.port, "board") as subscriber, publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        for number in range(200):
            publisher.publish("telemetry", numbered(number), qos=1)
        subscriber.wait_for("telemetry", numbered(199))
        assert subscriber.payloads("telemetry") == [numbered(number) for number in range(200)]
        assert not publisher.dropped


PUBLISH_AND_WAIT = """
import sys, threading
from edgeagent.settings.schema import MqttSettings
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
settings = MqttSettings(host="127.0.0.1", port=int(sys.argv[1]), protocol=sys.argv[2])
publisher = MqttPublisher(settings, "board")
publisher.start()
threading.Event().wait()
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_device_that_is_killed_is_offline_by_its_will(broker: Mosquitto, protocol: Protocol) -> None:
    with Subscriber(broker.port, "board") as subscriber:
        device = subprocess.Popen([sys.executable, "-c", PUBLISH_AND_WAIT, str(broker.port), protocol])
        try:
            subscriber.wait_for("status", b"online")
        finally:
            device.kill()
            device.wait()
        assert subscriber.wait_for("status", b"offline") == Arrival("status", b"offline", 1, True)
        assert subscriber.payloads("status") == [b"online", b"offline"]
    assert retained(broker)["status"] == b"offline"


def test_a_clean_stop_warns_of_nothing_and_leaves_no_will(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    with Subscriber(broker.port, "board") as subscriber:
        with publishing(settings(broker.port)) as publisher:
            assert publisher.wait_for("connected", PATIENCE)
        subscriber.mark()
        assert subscriber.payloads("status") == [b"online", b"stopped"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_broker_that_hangs_does_not_hold_up_the_stop(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    with publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publisher.stop()
        finally:
            os.kill(broker.pid, signal.SIGCONT)
    assert "the last message was not acknowledged: no answer" in caplog.text


def test_a_full_socket_does_not_hold_up_the_stop(broker: Mosquitto) -> None:
    with publishing(settings(broker.port, keepalive=3600.0)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            for _ in range(20):  # more than the two kernel buffers hold
                publisher.publish("detections/yard", bytes(1_000_000), qos=0)
            stopper = threading.Thread(target=publisher.stop, daemon=True)
            stopper.start()
            stopper.join(PATIENCE)
            assert not stopper.is_alive()
        finally:
            os.kill(broker.pid, signal.SIGCONT)


def test_a_broker_over_websockets(tmp_path: Path) -> None:
    """The second listener is on all interfaces: libwebsockets takes no address."""
    port = free_port()
    listener = (f"listener {port}", "protocol websockets")
    with (
        Mosquitto(tmp_path, (*ANONYMOUS, *listener)) as broker,
        Subscriber(broker.port, "board") as subscriber,
        publishing(settings(port, transport="websockets", path="/mqtt")) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        subscriber.wait_for("info", INFO)


def test_a_retained_message_that_comes_live_is_known_as_retained(broker: Mosquitto) -> None:
    """MQTT 5 only: a broker clears the mark for subscribers of 3.1.1."""
    arrived: Queue[Arrived] = Queue()
    with publishing(settings(broker.port, protocol="5")) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        publisher.subscribe("cmd", arrived.put)
        publisher.subscribe("telemetry", arrived.put)
        publisher.retain("cmd", b"retained")
        assert arrived.get(timeout=PATIENCE).retained
        publisher.publish("telemetry", b"not retained", qos=1)
        assert not arrived.get(timeout=PATIENCE).retained
