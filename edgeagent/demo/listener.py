"""Telemetry consumer of the demo: counts the messages of all topics."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.telemetry.contract.messages import ROOT


class DemoListener:
    """Subscriber that counts messages.

    Args:
        port: TCP port of the broker on the loopback interface.

    Attributes:
        received: number of messages by topic below the device.
        subscribed: set once the subscription is acknowledged.
    """

    def __init__(self, port: int) -> None:
        self.received: Counter[str] = Counter()
        self.subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "edgeagent-demo-listener")
        self._client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._count
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _count(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        self.received[message.topic.removeprefix(f"{ROOT}/").partition("/")[2]] += 1
