"""Messages that do not pass the outbox: retained ones, those of other systems, detections and pictures.

A broker of MQTT 5 answers a QoS 1 message that its access rules deny with a reason code of 128 or more in
PUBACK (MQTT 5, 3.4.2.1); a QoS 0 message has no answer. So the first QoS 0 message of each topic and
connection is sent with QoS 1: its answer tells whether the topic is allowed. Messages of a refused topic are
lost and counted; each of them asks again, one at a time, so that new access rules are noticed.
MQTT 3.1.1 has no reason codes: the losses there cannot be known.
"""

from __future__ import annotations

import threading

import paho.mqtt.client as paho

from edgeagent.telemetry.mqtt.client import HEADER
from edgeagent.telemetry.mqtt.losses import Losses

QUEUE_FULL = "the queue of the MQTT client is full"


class DirectMessages:
    """Sender of the messages that do not pass the outbox; thread-safe.

    Args:
        client: MQTT client.
        losses: counter of lost messages.
        prefix: prefix of the device's topics, without the last slash.
        reasons: whether acknowledgements have reason codes (MQTT 5).
    """

    def __init__(self, client: paho.Client, losses: Losses, prefix: str, reasons: bool) -> None:
        self._client, self._prefix, self._reasons = client, f"{prefix}/", reasons
        self.losses = losses
        self._largest: int | None = None  # packet size that the broker accepts (MQTT 5, 3.2.2.3.6)
        self._lock = threading.Lock()  # an acknowledgement may arrive before its message is recorded
        self._asked: dict[int, str] = {}  # topic by ID of the acknowledgement
        self._probed: set[str] = set()  # topics whose QoS 0 messages are allowed, or wait for the answer
        self._refused: set[str] = set()

    def connected(self, largest: int | None) -> None:
        """Begin a connection with the packet size (bytes) that the broker accepts, None for any."""
        self._largest = largest
        self.losses.reset_log()
        with self._lock:
            self._probed.clear()
            self._refused.clear()

    def too_large(self, topic: str, payload: bytes) -> str | None:
        """Return why a message is too large for the broker, which would close the connection; else None."""
        size = len(topic) + len(payload) + HEADER
        if self._largest is None or size <= self._largest:
            return None
        return f"{size} bytes, the broker takes {self._largest}; raise its maximum packet size"

    def retain(self, topic: str, payload: bytes) -> paho.MQTTMessageInfo | None:
        """Send a retained message; None where it is lost."""
        return self._send(topic, payload, retain=True)

    def send(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 1 that is not retained."""
        self._send(topic, payload, retain=False)

    def send_unacknowledged(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send a message with QoS 0, or with QoS 1 where it is not known whether the topic is allowed."""
        with self._lock:
            waits = topic in self._probed or not self._reasons
            refused = waits and topic in self._refused
            self._probed.add(topic)
        if refused:  # until the broker has answered the message before
            self.losses.count(self._name(topic))
        elif not waits:
            self._send(topic, payload, retain=retain)
        elif (problem := self.too_large(topic, payload)) is not None:
            self.losses.report(self._name(topic), problem)
        elif self._client.publish(topic, payload, 0, retain).rc != paho.MQTT_ERR_SUCCESS:
            self.losses.count(self._name(topic))

    def finish(self, mid: int, problem: str | None) -> None:
        """Process an acknowledgement, with why the message is refused; other messages are ignored."""
        with self._lock:
            topic = self._asked.pop(mid, None)
            if topic is None:
                return
            if problem is None:
                self._refused.discard(topic)
            else:
                self._refused.add(topic)
                self._probed.discard(topic)
        if problem is not None:
            self.losses.report(self._name(topic), problem)

    def _send(self, topic: str, payload: bytes, *, retain: bool) -> paho.MQTTMessageInfo | None:
        problem = self.too_large(topic, payload)
        if problem is None:
            with self._lock:
                message = self._client.publish(topic, payload, qos=1, retain=retain)
                if message.rc != paho.MQTT_ERR_QUEUE_SIZE:
                    self._asked[message.mid] = topic
                    return message
            problem = QUEUE_FULL
        with self._lock:
            self._probed.discard(topic)
        self.losses.report(self._name(topic), problem)
        return None

    def _name(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)
