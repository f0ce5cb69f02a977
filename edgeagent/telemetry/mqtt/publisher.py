"""The connection to the broker: last will, retained state, honest failures.

On every connect the device publishes ``status`` (``online``), ``info`` and ``alarm``, all retained; the
broker publishes ``offline`` for it when it vanishes; a clean stop publishes ``stopped``. QoS 1 messages go
through :mod:`edgeagent.telemetry.mqtt.outbox`, where they wait while the broker is away; QoS 0 messages are
dropped then. Every loss is counted. What others send while the device is away is lost: it keeps no session.
"""

from __future__ import annotations

import logging
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.messages import ROOT, Status
from edgeagent.telemetry.mqtt.client_id_conflict import ClientIdConflict
from edgeagent.telemetry.mqtt.fault_tolerant_spool import SpoolState
from edgeagent.telemetry.mqtt.outbox import WINDOW, Outbox
from edgeagent.telemetry.mqtt.spool import Spool

logger = logging.getLogger(__name__)

State = Literal["connecting", "connected", "refused", "disconnected"]
PROTOCOLS = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311}
STOP_TIMEOUT_S = 1.0
BESIDE_WINDOW = 100  # messages that paho holds beside those of the outbox: state, published at every connect
TAKEN_OVER = 142  # reason code of MQTT 5, 3.14.2.1: session taken over
HEADER = 16  # bytes of a PUBLISH packet beside topic and payload
REPLAY_RATE = 20.0  # messages per second


@dataclass(frozen=True)
class Arrival:
    """A message that came from the broker.

    Attributes:
        payload: as sent.
        retained: the broker had kept it from before, so it may be of any age.
    """

    payload: bytes
    retained: bool


class MqttPublisher:
    """Publishes one device's messages. Callers never wait for the network.

    Args:
        settings: with a host.
        device: name of this device, a topic level.
        retained: payloads of topics that are published, retained, at every connect.
        open_spool: opens the spool on the disk; None keeps QoS 1 messages in memory only.
        replay: messages per second from the spool at most.

    Attributes:
        state: of the connection; ``connected`` only once the broker has accepted it.
        last_error: why the broker was refused or lost last.

    Raises:
        ConfigurationError: the host cannot be a name, or password, certificate or key cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        device: str,
        retained: Mapping[str, bytes],
        open_spool: Callable[[], Spool] | None = None,
        replay: float = REPLAY_RATE,
    ) -> None:
        self._settings, self._device, self._prefix = settings, device, f"{ROOT}/{device}"
        self._retained = {self._full(topic): payload for topic, payload in retained.items()}
        self.state: State = "connecting"
        self.last_error: str | None = None
        self.changed = threading.Condition()
        self._receivers: dict[str, Callable[[Arrival], None]] = {}
        self._stopping = False
        self._unsent: Counter[str] = Counter()  # not by the outbox
        self._largest: int | None = None  # packet that the broker takes (MQTT 5, 3.2.2.3.6)
        self._refused = 0  # ids of messages that are not given to paho are below 0
        self._complained: set[str] = set()
        self._takeovers = ClientIdConflict()
        self._client = self._make_client(device)
        self._outbox = Outbox(self._hand_over, settings.queue, replay, open_spool)

    @property
    def address(self) -> str:
        """The broker as host:port."""
        return f"{self._settings.host}:{self._settings.port}"

    def subscribe(self, topic: str, receive: Callable[[Arrival], None]) -> None:
        """Let ``receive`` have the messages of a topic below the device's prefix; to be called before start.

        It is called by the network's thread, so it hands over what may take long.
        """
        self._receivers[self._full(topic)] = receive

    def subscribe_beside(self, topic: str, receive: Callable[[Arrival], None]) -> None:
        """As :meth:`subscribe`, for a whole topic that is not below the device's prefix."""
        self._receivers[topic] = receive

    @property
    def dropped(self) -> Counter[str]:
        """Lost messages by stream: without room to wait, refused, too large, or not connected (QoS 0)."""
        with self.changed:
            return self._unsent + self._outbox.dropped

    @property
    def spool(self) -> SpoolState | None:
        """The spool at the last change; None without one."""
        return self._outbox.state

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._outbox.start()
        host, port = self._settings.host or "", self._settings.port
        self._client.connect_async(host, port, keepalive=max(1, round(self._settings.keepalive)))
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        """Hand a message over; ``topic`` is below the device's prefix."""
        if qos == 1:
            self._outbox.post(topic, payload)
            return
        if self.state == "connected":
            problem = self._too_large(self._full(topic), payload)
            if problem is None:
                if self._client.publish(self._full(topic), payload, 0).rc == paho.MQTT_ERR_SUCCESS:
                    return
            else:
                self._complain(topic, problem)
        with self.changed:
            self._unsent[topic.partition("/")[0]] += 1

    def flush(self, timeout: float) -> bool:
        """Wait until all QoS 1 messages so far are with the client, on the disk, or wait in memory."""
        return self._outbox.flush(timeout)

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message now, if connected, and at every connect from now on."""
        self.retain_beside(self._full(topic), payload)

    def retain_beside(self, topic: str, payload: bytes) -> None:
        """As :meth:`retain`, for a whole topic that is not below the device's prefix."""
        with self.changed:
            self._retained[topic] = payload
            if self.state != "connected":
                return
        self._send_retained(topic, payload)

    def stop(self) -> None:
        """Publish ``stopped`` and disconnect, within :data:`STOP_TIMEOUT_S` and the broker's answer."""
        self._stopping = True
        self.flush(STOP_TIMEOUT_S)
        acknowledged = self.state == "connected" and self._await(self._publish_status("stopped"))
        self._client.disconnect()
        if acknowledged:  # else its thread may sit in a connect or on a full socket; it ends with the program
            self._client.loop_stop()
        self._outbox.close(STOP_TIMEOUT_S)

    def wait_for(self, state: State, timeout: float) -> bool:
        """Wait until the connection is in ``state``; False after ``timeout`` seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: self.state == state, timeout)

    def _make_client(self, device: str) -> paho.Client:
        settings = self._settings
        client = plain_client(settings, f"edgeagent-{device}")
        client.max_queued_messages_set(WINDOW + BESIDE_WINDOW)
        client.reconnect_delay_set(max(1, round(settings.retry_first)), max(1, round(settings.retry_longest)))
        client.will_set(f"{self._prefix}/status", b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _hand_over(self, topic: str, payload: bytes) -> int | None:
        """Give a QoS 1 message to paho, which sends it until it is acknowledged."""
        problem = self._too_large(self._full(topic), payload)
        if problem is not None:
            self._refused -= 1
            self._outbox.acknowledged(self._refused, problem)
            return self._refused
        result = self._client.publish(self._full(topic), payload, qos=1)
        return None if result.rc == paho.MQTT_ERR_QUEUE_SIZE else result.mid

    def _send_retained(self, topic: str, payload: bytes) -> None:
        problem = self._too_large(topic, payload)
        if problem is None:
            self._client.publish(topic, payload, qos=1, retain=True)
            return
        name = topic.removeprefix(f"{self._prefix}/")
        self._complain(name, problem)
        with self.changed:
            self._unsent[name.partition("/")[0]] += 1

    def _too_large(self, topic: str, payload: bytes) -> str | None:
        """Say why a message is more than the broker takes; it would close the connection."""
        size = len(topic) + len(payload) + HEADER
        if self._largest is None or size <= self._largest:
            return None
        return f"{size} bytes, the broker takes {self._largest}; raise its maximum packet size"

    def _complain(self, topic: str, problem: str) -> None:
        """Tell of a message that cannot be sent, once for each topic and connection."""
        if topic not in self._complained:
            self._complained.add(topic)
            logger.error("a message of %s is dropped, and so will be others of it: %s", topic, problem)

    def _full(self, topic: str) -> str:
        return f"{self._prefix}/{topic}"

    def _await(self, message: paho.MQTTMessageInfo) -> bool:
        """Wait until the broker has acknowledged a message, or warn; return whether it has."""
        try:
            message.wait_for_publish(STOP_TIMEOUT_S)
            problem = None if message.is_published() else "no answer"
        except (RuntimeError, ValueError) as error:
            problem = str(error)
        if problem:
            logger.warning("broker %s: the last message was not acknowledged: %s", self.address, problem)
        return problem is None

    def _publish_status(self, status: Status) -> paho.MQTTMessageInfo:
        return self._client.publish(f"{self._prefix}/status", status.encode(), qos=1, retain=True)

    def _set_state(self, state: State, error: str | None = None) -> None:
        """Note a change; a failure is logged once, not at every attempt."""
        with self.changed:
            news = (state, error) != (self.state, self.last_error)
            self.state = state
            if error is not None:
                self.last_error = error
            self.changed.notify_all()
        if state == "connected":
            logger.info("connected to broker %s", self.address)
        elif news and not self._stopping:
            logger.warning("broker %s %s; trying again", self.address, error or "disconnected")

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:
            self._set_state("refused", f"refused the connection: {code}")
            return
        for topic in self._receivers:  # first, so that who sees ``online`` will be heard
            client.subscribe(topic, qos=1)
        self._largest = getattr(more, "MaximumPacketSize", None)
        self._complained.clear()
        self._takeovers.connected(time.monotonic())
        self._publish_status("online")
        with self.changed:
            for topic, payload in self._retained.items():
                self._send_retained(topic, payload)
            self._outbox.connection(True)
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
        # paho holds a lock that publishing takes, so nothing may be waited for here
        self._outbox.acknowledged(mid, str(code) if code.is_failure else None)

    def _on_connect_fail(self, client: paho.Client, data: Any) -> None:
        # paho calls this while it handles the exception, but does not pass it on
        error = sys.exc_info()[1]
        self._set_state("disconnected", f"cannot be reached: {error or 'no answer'}")

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        self._outbox.connection(False)
        if self.state == "refused":
            return  # the refusal says more
        if code.is_failure and self.state != "connected":
            # A broker in clear text does not answer TLS, nor the reverse; one that asks for a certificate
            # closes without a word.
            problem = "closed the connection before accepting it; check its port, TLS and the certificate"
            self._set_state("disconnected", f"{problem} ({code})")
        elif code.is_failure:
            self._pause_after(code)
            self._set_state("disconnected", f"was lost: {code}")
        else:
            self._set_state("disconnected")

    def _pause_after(self, code: ReasonCode) -> None:
        """Let another device of the same name be, if there is one: each would push the other off for ever."""
        settings = self._settings
        taken_over = code.value == TAKEN_OVER
        pause = self._takeovers.lost(time.monotonic(), taken_over)
        first, longest = max(1, round(settings.retry_first)), max(1, round(settings.retry_longest))
        if pause is None:
            self._client.reconnect_delay_set(first, longest)
            return
        why = (
            f"another client pushes it off that has the id of this device, edgeagent-{self._device}; give "
            "each device a name of its own (`device` of the configuration)"
            if taken_over
            else "the connection breaks again and again soon after it was made: has another client the id "
            f"edgeagent-{self._device}, or does the broker refuse a message for its size?"
        )
        logger.error("broker %s: %s; next attempt in %d s", self.address, why, pause)
        self._client.reconnect_delay_set(pause, pause)


def plain_client(settings: MqttSettings, client_id: str) -> paho.Client:
    """Return a client with the protocol, password and certificates of the settings, not yet connected.

    Raises:
        ConfigurationError: the host cannot be a name, or password, certificate or key cannot be read.
    """
    _check_host(settings.host)
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=PROTOCOLS[settings.protocol]
    )
    if settings.username is not None:
        path = settings.password_file
        password = read_secret(path, "the broker's password") if path is not None else None
        client.username_pw_set(settings.username, password)
    if settings.tls is not None:
        client.tls_set_context(_tls_context(settings))
    return client


def _check_host(host: str | None) -> None:
    """Refuse a host at which the resolver raises UnicodeError, on which paho's thread would end."""
    try:
        (host or "").encode("idna")
    except UnicodeError as error:
        raise ConfigurationError(f"mqtt host {host!r} cannot be a host name ({error})") from None


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    tls = settings.tls
    if tls is None:
        raise ValueError("no TLS settings")
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(path) for path in (tls.ca, tls.certificate, tls.key) if path)
        raise ConfigurationError(f"TLS files {files}: cannot be used ({error})") from None
    return context
