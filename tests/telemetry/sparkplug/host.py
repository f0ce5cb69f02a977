"""A Sparkplug host application: collects what nodes say, and gives commands to the node ``board``."""

from __future__ import annotations

import json
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import PATIENCE
from tests.telemetry.sparkplug import independent

NCMD = "spBv1.0/edgeagent/NCMD/board"
STATE = "spBv1.0/STATE/scada"


class Host:
    """Connected between ``with`` and its end."""

    def __init__(self, port: int) -> None:
        self.changed = threading.Condition()
        self.arrived: list[tuple[str, Any, int, bool]] = []
        subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("spBv1.0/#", qos=1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._collect
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(PATIENCE)

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _collect(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        kind = message.topic.split("/")[2]
        if message.topic in (NCMD, STATE):
            return
        with self.changed:
            payload = independent.parse(bytes(message.payload))
            self.arrived.append((kind, payload, message.qos, message.retain))
            self.changed.notify_all()

    def wait_for(self, kind: str, count: int = 1) -> Any:
        """Wait for so many messages of a kind, and return the last of them."""

        def found() -> list[Any]:
            return [payload for name, payload, _, _ in self.arrived if name == kind]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= count, PATIENCE), self.arrived
            return found()[count - 1]

    def order(self, payload: bytes) -> None:
        self.client.publish(NCMD, payload, qos=1).wait_for_publish(PATIENCE)

    def state(self, online: bool, timestamp: int) -> None:
        """Publish the state of the host ``scada``."""
        self.state_payload(json.dumps({"online": online, "timestamp": timestamp}).encode())

    def state_payload(self, payload: bytes) -> None:
        self.client.publish(STATE, payload, qos=1, retain=True).wait_for_publish(PATIENCE)

    def kinds(self) -> list[str]:
        """Kinds of all messages so far, oldest first."""
        with self.changed:
            return [kind for kind, _, _, _ in self.arrived]
