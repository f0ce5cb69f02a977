"""A subscriber that misses nothing: the broker keeps its session, over a restart of the broker too."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.broker import ANONYMOUS, PATIENCE

MARK = "mark"


def keeping_sessions(folder: Path, options: Iterable[str] = ANONYMOUS) -> tuple[str, ...]:
    """Options of a broker that writes its sessions to disk when it stops and reads them when it starts."""
    return (*options, "persistence true", f"persistence_location {folder}/")


@dataclass(frozen=True)
class Arrival:
    """A message with its flags as they were published."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Subscriber:
    """Collects what is published below a device's prefix.

    Args:
        port: of the broker on loopback.
        device: whose messages.
    """

    def __init__(self, port: int, device: str) -> None:
        self._prefix = f"edgeagent/v1/{device}/"
        self._arrivals: list[Arrival] = []
        self._changed = threading.Condition()
        subscribed = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"subscriber-{uuid.uuid4()}", protocol=paho.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)  # a broker may be away for long
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._collect
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def arrivals(self) -> list[Arrival]:
        """Everything so far, oldest first."""
        with self._changed:
            return list(self._arrivals)

    def payloads(self, topic: str) -> list[bytes]:
        """The payloads of one topic so far, oldest first."""
        return [arrival.payload for arrival in self.arrivals() if arrival.topic == topic]

    def wait_until(self, reached: Callable[[list[Arrival]], bool], patience: float = PATIENCE) -> None:
        """Wait until what has arrived is as wanted."""
        with self._changed:
            done = self._changed.wait_for(lambda: reached(self._arrivals), patience)
            assert done, self._arrivals

    def wait_for(self, topic: str, payload: bytes) -> Arrival:
        """Wait for a message, and return the first such."""

        def found(arrivals: list[Arrival]) -> list[Arrival]:
            return [arrival for arrival in arrivals if (arrival.topic, arrival.payload) == (topic, payload)]

        self.wait_until(lambda arrivals: bool(found(arrivals)))
        return found(self.arrivals())[0]

    def mark(self) -> None:
        """Send a message of its own below the prefix and wait for it: all that was on the way has arrived."""
        self._client.publish(self._prefix + MARK, b"", qos=1)
        self.wait_for(MARK, b"")

    def _subscribe(self, client: paho.Client, data: Any, flags: paho.ConnectFlags, *_: Any) -> None:
        if not flags.session_present:
            client.subscribe(self._prefix + "#", options=SubscribeOptions(qos=1, retainAsPublished=True))

    def _collect(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        arrival = Arrival(
            message.topic.removeprefix(self._prefix), bytes(message.payload), message.qos, message.retain
        )
        with self._changed:
            if message.dup and arrival in self._arrivals:
                return  # the broker had not seen our acknowledgement when it stopped
            self._arrivals.append(arrival)
            self._changed.notify_all()
