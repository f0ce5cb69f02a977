"""Publisher on an MQTT broker: last will, retained messages, counted losses.

At every connect the device publishes ``status`` (``online``) and all retained messages; the broker publishes
``offline`` for it when the connection breaks; a clean stop publishes ``stopped``. QoS 1 messages pass
:mod:`edgeagent.telemetry.mqtt.outbox`, where they wait while the broker is away; QoS 0 messages are dropped
then. Every loss that the device can know of is counted. The device keeps no session: messages to it while it
is away are lost.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.messages import ROOT, Status
from edgeagent.telemetry.mqtt.certificates import name_expired
from edgeagent.telemetry.mqtt.client import (
    connect_in_background,
    missing_acknowledgement,
    plain_client,
    retry_delays,
)
from edgeagent.telemetry.mqtt.client_id_conflict import ClientIdConflict
from edgeagent.telemetry.mqtt.direct import DirectMessages
from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.telemetry.mqtt.interface import STOP_S, Arrival, ConnectionState, Receive
from edgeagent.telemetry.mqtt.losses import Losses
from edgeagent.telemetry.mqtt.outbox import WINDOW, Outbox
from edgeagent.telemetry.mqtt.spool import Spool
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.progress import Progress
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

RETAINED_WINDOW = 100  # messages that paho queues besides those of the outbox: the retained ones
TAKEN_OVER = 142  # reason code of MQTT 5, 3.14.2.1: session taken over
REPLAY_RATE = 20.0  # messages per second


class MqttPublisher:
    """Publisher of one device's messages. Callers never wait for the network.

    Args:
        settings: connection settings, with a host.
        device: name of this device, a topic level.
        open_spool: opens the spool on the disk; None keeps QoS 1 messages in memory only.
        replay: highest rate of messages from the spool, per second.

    Attributes:
        state: state of the connection; ``connected`` only once the broker has accepted it.
        last_error: why the connection was refused or lost last.
        changed: condition that is notified of every change of ``state``.

    Raises:
        ConfigurationError: the host is no valid name, or password, certificate or key cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        device: str,
        open_spool: Callable[[], Spool] | None = None,
        replay: float = REPLAY_RATE,
    ) -> None:
        self._settings, self._device, self._prefix = settings, device, f"{ROOT}/{device}"
        self._retained: dict[str, bytes] = {}
        self._unacknowledged: dict[str, bytes] = {}  # retained messages of QoS 0
        self.state: ConnectionState = "connecting"
        self.last_error: str | None = None
        self.changed = threading.Condition()
        self._receivers: dict[str, Receive] = {}
        self._stopping = False
        self._refused = 0  # IDs of messages that are not passed to paho are negative
        self._client_id_conflict = ClientIdConflict()
        self._repeats, self._connected_since, self._told = RepeatLimit(), 0.0, True
        self._client = self._build_client(device)
        self._losses = Losses()
        self._direct = DirectMessages(self._client, self._losses, self._prefix, settings.protocol == "5")
        self._outbox = Outbox(self._send, settings.queue, replay, open_spool, self._direct)

    @property
    def address(self) -> str:
        """Address of the broker, host:port."""
        return host_and_port(str(self._settings.host), self._settings.port)

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Subscribe to a topic below the device's prefix, now or at the next connect.

        ``receive`` is called in the network thread and must not block.
        """
        self.subscribe_absolute(self._full(topic), receive)

    def subscribe_absolute(self, topic: str, receive: Receive) -> None:
        """As :meth:`subscribe`, for a complete topic, such as one outside of the device's prefix."""
        with self.changed:
            self._receivers[topic] = receive
            if self.state != "connected":
                return
        self._subscribe(self._client, topic)

    def _subscribe(self, client: paho.Client, topic: str) -> None:
        """Subscribe; with MQTT 5 a message that is to be retained keeps that mark when it comes live.

        Option "Retain As Published", MQTT 5.0, section 3.8.3.1; MQTT 3.1.1 has none.
        """
        if self._settings.protocol == "5":
            client.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True))
        else:
            client.subscribe(topic, qos=1)

    @property
    def dropped(self) -> Counter[str]:
        """Number of lost messages by stream: evicted, refused, too large, or not connected (QoS 0)."""
        return self._losses.counts

    @property
    def spool(self) -> SpoolState | None:
        """State of the spool after the last change; None without one."""
        return self._outbox.state

    @property
    def progress(self) -> Progress:
        """Progress of the outbox, for the watchdog."""
        return self._outbox.progress

    def start(self) -> None:
        """Connect in the background, and reconnect whenever the connection is lost."""
        self._outbox.start()
        connect_in_background(self._client, self._settings)

    def publish(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Publish a message that the broker does not retain; ``topic`` is below the device's prefix."""
        if qos == 1:
            self._outbox.post(topic, payload)
            return
        self.publish_absolute(self._full(topic), payload, qos=qos)

    def publish_absolute(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """As :meth:`publish`, for a complete topic; without a connection the message is lost and counted."""
        if self.state != "connected":
            self._losses.count(topic.removeprefix(f"{self._prefix}/"))
        elif qos == 1:
            self._direct.send(topic, payload)
        else:
            self._direct.send_unacknowledged(topic, payload)

    def flush(self, timeout: float) -> bool:
        """Wait until every QoS 1 message so far is sent, on the disk, or waits in memory."""
        return self._outbox.flush(timeout)

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message now, if connected, and at every connect from now on."""
        self.retain_absolute(self._full(topic), payload)

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        """As :meth:`retain`, for a complete topic, such as one outside of the device's prefix."""
        with self.changed:
            self._retained[topic] = payload
            if self.state != "connected":
                return
        self._direct.retain(topic, payload)

    def retain_unacknowledged(self, topic: str, payload: bytes) -> None:
        """As :meth:`retain`, with QoS 0; a message that is lost with its connection is sent at the next."""
        with self.changed:
            self._unacknowledged[self._full(topic)] = payload
            if self.state != "connected":
                return
        self._direct.send_unacknowledged(self._full(topic), payload, retain=True)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Publish ``stopped`` and disconnect; all waits together take ``timeout_s`` at most.

        A quarter of the time is kept for the messages that the broker does not acknowledge: they are stored.
        """
        self._stopping = True
        deadline, keep_s = Deadline(timeout_s), timeout_s / 4
        self.flush(deadline.share_s(timeout_s / 2))
        if self.state == "connected":
            last = self._publish_status("stopped")
            problem = (
                "not sent" if last is None else missing_acknowledgement(last, deadline.share_s(keep_s=keep_s))
            )
            if problem is not None:
                logger.warning("broker %s: the last message was not acknowledged: %s", self.address, problem)
        else:
            problem = "not connected"
        self._client.disconnect()
        if problem is None:  # else its thread may block on the network; it ends with the program
            self._client.loop_stop()
        self._outbox.close(deadline.left_s)

    def wait_for(self, state: ConnectionState, timeout: float) -> bool:
        """Wait until the connection is in ``state``; return False after ``timeout`` seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: self.state == state, timeout)

    def _build_client(self, device: str) -> paho.Client:
        client = plain_client(self._settings, f"edgeagent-{device}")
        client.max_queued_messages_set(WINDOW + RETAINED_WINDOW)
        client.reconnect_delay_set(*retry_delays(self._settings))
        client.will_set(f"{self._prefix}/status", b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _send(self, topic: str, payload: bytes) -> int | None:
        """Pass a QoS 1 message to paho, which sends it until it is acknowledged; return its ID."""
        problem = self._direct.too_large(self._full(topic), payload)
        if problem is not None:
            self._refused -= 1
            self._outbox.acknowledge(self._refused, problem)
            return self._refused
        result = self._client.publish(self._full(topic), payload, qos=1)
        return None if result.rc == paho.MQTT_ERR_QUEUE_SIZE else result.mid

    def _full(self, topic: str) -> str:
        return f"{self._prefix}/{topic}"

    def _publish_status(self, status: Status) -> paho.MQTTMessageInfo | None:
        return self._direct.retain(self._full("status"), status.encode())

    def _set_state(self, state: ConnectionState, error: str | None = None) -> None:
        """Record a state; a failure is logged once and then at growing intervals, not at every attempt."""
        now = time.monotonic()
        with self.changed:
            if self.state == "connected":
                self._repeats.worked(now - self._connected_since)
            self.state = state
            if error is not None:
                self.last_error = error
            self.changed.notify_all()
        if state == "connected":
            self._connected_since = now
            level = logging.INFO if self._told else logging.DEBUG
            logger.log(level, "connected to broker %s", self.address)
        elif not self._stopping:
            text = error or "disconnected"
            self._told = self._repeats.allows(text, now)
            level = logging.ERROR if state == "refused" else logging.WARNING  # a refusal needs a person
            logger.log(
                level if self._told else logging.DEBUG, "broker %s %s; trying again", self.address, text
            )

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:
            self._set_state("refused", f"refused the connection: {code}")
            return
        with self.changed:
            self._direct.connected(getattr(more, "MaximumPacketSize", None))
            for topic in self._receivers:  # before ``online``, so that whoever sees it can send commands
                self._subscribe(client, topic)
            self._client_id_conflict.connected(time.monotonic())
            self._publish_status("online")
            for topic, payload in self._retained.items():
                self._direct.retain(topic, payload)
            for topic, payload in self._unacknowledged.items():
                self._direct.send_unacknowledged(topic, payload, retain=True)
            self._outbox.set_connected(True)
            self._set_state("connected")

    def _on_subscribe(
        self, client: paho.Client, data: Any, message: int, codes: list[ReasonCode], more: Any
    ) -> None:
        for code in codes:
            if code.is_failure:
                topics = ", ".join(topic.removeprefix(f"{self._prefix}/") for topic in self._receivers)
                logger.error("broker %s refused the subscription to %s: %s", self.address, topics, code)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        receive = self._receivers.get(message.topic)
        if receive is not None:
            receive(Arrival(bytes(message.payload), message.retain))

    def _on_publish(self, client: paho.Client, data: Any, mid: int, code: ReasonCode, more: Any) -> None:
        # paho holds a lock that publishing needs, so nothing here may block
        problem = f"the broker refuses it ({code}); check its access rules" if code.is_failure else None
        self._outbox.acknowledge(mid, problem)

    def _on_connect_fail(self, client: paho.Client, data: Any) -> None:
        # paho calls this while it handles the exception, but does not pass it
        error = sys.exc_info()[1]
        self._set_state("disconnected", f"cannot be reached: {error or 'no answer'}{self._expired()}")

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        self._outbox.set_connected(False)
        if self.state == "refused":
            return  # the reason of the refusal is more specific
        if code.is_failure and self.state != "connected":
            # A clear-text broker does not answer TLS, nor the reverse; one that requires a certificate
            # closes the connection without a reason.
            problem = "closed the connection before accepting it; check its port, TLS and the certificate"
            self._set_state("disconnected", f"{problem} ({code}){self._expired()}")
        elif code.is_failure:
            self._back_off(code)
            self._set_state("disconnected", f"was lost: {code}")
        else:
            self._set_state("disconnected")

    def _expired(self) -> str:
        """Return what to add to the reason of a failure: the certificate files that have expired."""
        expired = name_expired(self._settings.tls)
        return f"; {expired}" if expired else ""

    def _back_off(self, code: ReasonCode) -> None:
        """Back off when another client uses this ID: each would disconnect the other for ever."""
        taken_over = code.value == TAKEN_OVER
        pause = self._client_id_conflict.lost(time.monotonic(), taken_over)
        if pause is None:
            self._client.reconnect_delay_set(*retry_delays(self._settings))
            return
        why = (
            f"another client uses the ID of this device, edgeagent-{self._device}, and has taken over its "
            "connection; give each device a name of its own (`device` of the configuration)"
            if taken_over
            else "the connection is repeatedly lost soon after it was established: does another client use "
            f"the ID edgeagent-{self._device}, or does the broker reject a message for its size?"
        )
        logger.error("broker %s: %s; next attempt in %d s", self.address, why, pause)
        self._client.reconnect_delay_set(pause, pause)
