"""Publishing for many devices over few connections, with QoS 1, as fast as the broker acknowledges."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.errors import EdgeagentError
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.client import plain_client

MOST_IN_FLIGHT = 200
"""Messages of a connection that the broker has not acknowledged."""
CONNECT_S = 30.0


@dataclass
class _Connection:
    client: paho.Client
    room: threading.Semaphore
    connected: threading.Event
    refused: str | None = None


class FleetConnections:
    """Connections; a context manager. A device always has the same one: its messages keep their order.

    Args:
        broker: settings.
        count: number of connections.
        name: prefix of the client IDs.

    Attributes:
        acknowledged: number of messages that the broker has.
    """

    def __init__(self, broker: MqttSettings, count: int, name: str = "edgeagent-simulator") -> None:
        self._broker, self._count, self._name = broker, count, name
        self._all: list[_Connection] = []
        self._changed = threading.Condition()
        self._sent = 0
        self.acknowledged = 0

    def __enter__(self) -> FleetConnections:
        address = host_and_port(str(self._broker.host), self._broker.port)
        for number in range(self._count):
            connection = self._open(number)
            try:
                connection.client.connect(self._broker.host or "", self._broker.port)
            except OSError as error:
                raise EdgeagentError(f"broker {address} cannot be reached ({error})") from None
            connection.client.loop_start()
            self._all.append(connection)
        for connection in self._all:
            if not connection.connected.wait(CONNECT_S) or connection.refused:
                self.__exit__()
                raise EdgeagentError(f"broker {address}: {connection.refused or 'no answer'}")
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._all:
            connection.client.disconnect()
            connection.client.loop_stop()

    def publish(self, device: int, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish for the device of a number; waits while the connection has too many messages in flight."""
        connection = self._all[device % len(self._all)]
        connection.room.acquire()
        with self._changed:
            self._sent += 1
        connection.client.publish(topic, payload, qos=1, retain=retain)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the broker has all messages; return False after the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.acknowledged >= self._sent, timeout_s)

    def _open(self, number: int) -> _Connection:
        client = plain_client(self._broker, f"{self._name}-{number}")
        client.max_inflight_messages_set(MOST_IN_FLIGHT)
        connection = _Connection(client, threading.Semaphore(2 * MOST_IN_FLIGHT), threading.Event())

        def on_connect(client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
            connection.refused = str(code) if code.is_failure else None
            connection.connected.set()

        def on_publish(client: paho.Client, data: Any, mid: int, code: ReasonCode, more: Any) -> None:
            connection.room.release()
            with self._changed:
                self.acknowledged += 1
                self._changed.notify_all()

        client.on_connect, client.on_publish = on_connect, on_publish
        return connection
