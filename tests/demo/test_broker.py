from __future__ import annotations

import socket
import threading
from collections import Counter

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.demo.broker import EmbeddedBroker
from edgeagent.demo.listener import DemoListener
from edgeagent.errors import EdgeagentError
from edgeagent.telemetry.contract.messages import ROOT

WAIT_S = 10.0


def client(name: str, port: int) -> paho.Client:
    """Return a connected client."""
    connected = threading.Event()
    made = paho.Client(CallbackAPIVersion.VERSION2, name)
    made.on_connect = lambda *_: connected.set()
    made.connect("127.0.0.1", port)
    made.loop_start()
    assert connected.wait(WAIT_S)
    return made


def stop(made: paho.Client) -> None:
    made.disconnect()
    made.loop_stop()


class AwaitedCounter(Counter[str]):
    """Counter that sets an event once its total reaches ``awaited``."""

    def __init__(self, awaited: int) -> None:
        super().__init__()
        self._awaited, self.full = awaited, threading.Event()

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        if self.total() >= self._awaited:
            self.full.set()


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_go_through(qos: int) -> None:
    with EmbeddedBroker() as broker:
        arrived, subscribed = threading.Event(), threading.Event()
        found: list[tuple[str, bytes]] = []
        reader = client("reader", broker.port)
        reader.on_subscribe = lambda *_: subscribed.set()

        def on_message(_: paho.Client, data: object, message: paho.MQTTMessage) -> None:
            found.append((message.topic, bytes(message.payload)))
            arrived.set()

        reader.on_message = on_message
        reader.subscribe("a/#", qos=qos)
        assert subscribed.wait(WAIT_S)
        writer = client("writer", broker.port)
        writer.publish("b", b"not asked for", qos=qos)
        writer.publish("a/b", b"\x00\xff", qos=qos)
        assert arrived.wait(WAIT_S)
        assert found == [("a/b", b"\x00\xff")]
        stop(writer)
        stop(reader)


def test_the_listener_counts_by_topic_below_the_device() -> None:
    with EmbeddedBroker() as broker:
        listener = DemoListener(broker.port)
        assert listener.subscribed.wait(WAIT_S)
        received = listener.received = AwaitedCounter(6)
        writer = client("writer", broker.port)
        for topic, count in (("telemetry", 3), ("detections/front", 2), ("other", 1)):
            for _ in range(count):
                root = ROOT if topic != "other" else "elsewhere"
                writer.publish(f"{root}/device-1/{topic}", b"{}", qos=1).wait_for_publish(WAIT_S)
        last = writer.publish(f"{ROOT}/device-1/status", b"stopped", qos=1)
        last.wait_for_publish(WAIT_S)
        stop(writer)
        assert received.full.wait(WAIT_S)
        listener.stop()
        assert dict(received) == {"telemetry": 3, "detections/front": 2, "status": 1}


def test_two_brokers_have_ports_of_their_own() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.port != other.port
        for broker in (one, other):
            stop(client("somebody", broker.port))


def test_the_broker_stops_at_the_end() -> None:
    threads = set(threading.enumerate())
    with EmbeddedBroker() as broker:
        port = broker.port
        stop(client("somebody", port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), WAIT_S).close()
    assert {thread for thread in threading.enumerate() if thread.name == "broker"} <= threads


def test_it_ends_with_an_error_inside() -> None:
    with pytest.raises(RuntimeError, match="inside"), EmbeddedBroker() as broker:
        raise RuntimeError("inside")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), WAIT_S).close()


def test_a_port_that_is_taken() -> None:
    broker = EmbeddedBroker()
    with socket.socket() as other:
        other.bind(("127.0.0.1", broker.port))
        other.listen()
        with pytest.raises(EdgeagentError, match="the demo's broker did not start: "), broker:
            pass
