"""The publisher of a device without a broker."""

from __future__ import annotations

from edgeagent.telemetry.mqtt.interface import Arrival, NoPublisher, Publisher
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.telemetry.publishing import settings


def test_a_device_without_a_broker_publishes_and_receives_nothing() -> None:
    arrived: list[Arrival] = []
    publisher = NoPublisher()
    publisher.subscribe("cmd", arrived.append)
    publisher.subscribe_absolute("homeassistant/status", arrived.append)
    publisher.start()
    publisher.publish("telemetry", b"{}", qos=1)
    publisher.retain("alarm", b"{}")
    publisher.retain_absolute("homeassistant/device/board/config", b"{}")
    assert not publisher.wait_for("connected", 60.0), "it returns at once"
    assert (publisher.state, publisher.spool, publisher.dropped) == ("disconnected", None, {})
    publisher.stop()
    assert arrived == []


def test_both_publishers_have_the_interface() -> None:
    publishers: list[Publisher] = [NoPublisher(), MqttPublisher(settings(1883), "board")]
    assert [publisher.state for publisher in publishers] == ["disconnected", "connecting"]
