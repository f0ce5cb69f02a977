"""Sparkplug B 3.0 edge node, with a connection and a last will of its own.

::

    first telemetry -> CONNECT (will: NDEATH with bdSeq n) -> NBIRTH (seq 0, bdSeq n, every metric)
        -> waiting telemetry, as historical NDATA -> NDATA (seq 1, 2, ... 255, 0, ...), changes only -> ...
        -> a new metric, or "Node Control/Rebirth": NBIRTH again
        -> with a primary host: NBIRTH when it is online; when it goes offline, NDEATH, DISCONNECT, CONNECT
        -> connection lost: telemetry waits in memory, bdSeq n + 1 with the next CONNECT that is sent
        -> stop: NDEATH, DISCONNECT

Specification: Eclipse Sparkplug 3.0, chapters 5 (operational behavior) and 6 (payloads).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.sparkplug import SparkplugSettings
from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.telemetry.mqtt.client import (
    HEADER,
    STOP_TIMEOUT_S,
    connect_in_background,
    missing_acknowledgement,
    plain_client,
    retry_delays,
)
from edgeagent.telemetry.sparkplug import readings
from edgeagent.telemetry.sparkplug.bd_seq import BirthDeathNumber
from edgeagent.telemetry.sparkplug.host_state import HostState
from edgeagent.telemetry.sparkplug.payload import DataType, SparkplugMetric, decode_commands, encode_payload
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit

logger = logging.getLogger(__name__)

BD_SEQ, REBIRTH = "bdSeq", "Node Control/Rebirth"
MOST_WAITING = 360  # telemetry intervals kept in memory while the broker is away
REBIRTHS, REBIRTHS_PER_SECOND = 5, 0.2


class SparkplugNode:
    """Edge node of the device; thread-safe.

    Args:
        settings: group and node name.
        mqtt: connection settings of the broker.
        device: name of the device in topics.
        state: folder of the file with the birth-death sequence number.

    Raises:
        ConfigurationError: as :func:`edgeagent.telemetry.mqtt.client.plain_client`.
    """

    def __init__(self, settings: SparkplugSettings, mqtt: MqttSettings, device: str, state: Path) -> None:
        self._mqtt, self._bd_seq = mqtt, BirthDeathNumber(state)
        self._group, self._node = settings.group, settings.node or device
        self._lock = threading.Condition()  # protects all that follows; NBIRTH and NDATA are sent in order
        self._values = readings.properties()
        self._aliases: dict[str, int] = {}
        self._measured: set[str] = set()  # names of the metrics of all telemetry so far
        self._waiting: deque[tuple[int, readings.Readings]] = deque(maxlen=MOST_WAITING)
        self._allowance = RateLimit(REBIRTHS_PER_SECOND, REBIRTHS)
        self._connected = self._born = self._begun = False
        self._ending = self._stopping = False  # ending: the session, as the primary host is offline
        self._host = settings.primary_host
        self._host_state = HostState()
        self._largest: int | None = None
        self._seq = 0
        self._late_birth: threading.Timer | None = None
        self._client_id = f"edgeagent-{device}-sparkplug"
        self._client = self._build_client()

    def record_alarm(self, alarm: Alarm) -> None:
        """Publish changed problems."""
        with self._lock:
            self._report(readings.alarm_readings(alarm), _now_ms())

    def record(self, telemetry: Telemetry) -> None:
        """Publish changed metrics of an interval; the first one connects, as a birth needs all metrics."""
        moment = datetime.fromisoformat(telemetry.time.replace("Z", "+00:00"))
        values = readings.telemetry_readings(telemetry)
        with self._lock:
            gone = self._measured - values.keys()
            self._measured |= values.keys()
            values |= {name: (self._values[name][0], None) for name in gone}  # null, sent once
            self._report(values, round(moment.timestamp() * 1000))
        if not self._begun:
            self._begun = True
            connect_in_background(self._client, self._mqtt)

    def wait_for_connection(self, connected: bool, timeout: float) -> bool:
        """Wait until the connection is established, or lost; return False after ``timeout`` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: self._connected == connected, timeout)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Publish NDEATH and disconnect, waiting ``timeout_s`` at most for its acknowledgement."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        if self._begun and self._end_session(timeout_s):
            self._client.loop_stop()

    def _end_session(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Publish NDEATH and disconnect; return whether it was acknowledged, so that the thread ends soon."""
        with self._lock:
            client, topic, death = self._client, self._topic("NDEATH"), self._death(self._bd_seq.value)
            self._born = False
            if self._late_birth is not None:
                self._late_birth.cancel()
                self._late_birth = None
            message = client.publish(topic, death, qos=1) if self._connected else None
        problem = "not connected" if message is None else missing_acknowledgement(message, timeout_s)
        if message is not None and problem is not None:
            logger.warning("sparkplug: NDEATH was not acknowledged: %s", problem)
        client.disconnect()
        return problem is None

    def _begin_again(self) -> None:
        """End the session, as the primary host is offline, and connect anew."""
        self._end_session()
        with self._lock:
            while not self._stopping and self._ending:
                try:
                    self._client = self._build_client()
                except ConfigurationError as error:  # a file is replaced at the moment
                    logger.error("sparkplug: %s; trying again", error)
                    self._lock.wait(self._mqtt.retry_longest)
                else:
                    self._connected = self._ending = False
                    connect_in_background(self._client, self._mqtt)

    def _build_client(self) -> paho.Client:
        client = plain_client(self._mqtt, self._client_id)
        client.reconnect_delay_set(*retry_delays(self._mqtt))
        client.on_pre_connect = self._before_connect
        client.on_socket_open = self._before_connect_packet
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _report(self, values: readings.Readings, now_ms: int) -> None:
        new = [name for name in values if name not in self._values]
        changed = {name: it for name, it in values.items() if self._values.get(name) != it}
        self._values = {**self._values, **values}
        if not self._born:
            if self._begun:
                self._waiting.append((now_ms, values))
        elif new:
            self._birth()
        elif changed:
            self._send("NDATA", self._data(changed, now_ms), now_ms)

    def _birth(self) -> None:
        """Publish NBIRTH, which restarts the sequence numbers, and answers all orders so far."""
        if self._late_birth is not None:
            self._late_birth.cancel()
            self._late_birth = None
        now, self._seq = _now_ms(), 0
        metrics = [SparkplugMetric(BD_SEQ, DataType.INT64, self._bd_seq.value, now)]
        metrics.append(SparkplugMetric(REBIRTH, DataType.BOOLEAN, False, now))  # commands name it: no alias
        for name, (datatype, value) in self._values.items():
            metrics.append(SparkplugMetric(name, datatype, value, now, self._alias(name)))
        self._send("NBIRTH", metrics, now)

    def _data(self, values: readings.Readings, at_ms: int, historical: bool = False) -> list[SparkplugMetric]:
        return [
            SparkplugMetric(None, datatype, value, at_ms, self._alias(name), historical)
            for name, (datatype, value) in values.items()
        ]

    def _send(self, kind: str, metrics: list[SparkplugMetric], now_ms: int) -> None:
        topic, payload = self._topic(kind), encode_payload(metrics, now_ms, self._seq)
        size = len(topic) + len(payload) + HEADER
        if self._largest is not None and size > self._largest:
            logger.error("sparkplug: %s of %d bytes dropped, the broker takes %d", kind, size, self._largest)
            return
        self._client.publish(topic, payload, qos=0)
        self._seq = (self._seq + 1) % 256

    def _death(self, bd_seq: int) -> bytes:
        now = _now_ms()
        return encode_payload([SparkplugMetric(BD_SEQ, DataType.INT64, bd_seq, now)], now, None)

    def _alias(self, name: str) -> int:
        return self._aliases.setdefault(name, len(self._aliases))

    @property
    def _state_topic(self) -> str:
        return f"spBv1.0/STATE/{self._host}"

    def _topic(self, kind: str) -> str:
        return f"spBv1.0/{self._group}/{kind}/{self._node}"

    # The network's thread

    def _before_connect(self, client: paho.Client, data: Any) -> None:
        with self._lock:
            will = self._death(self._bd_seq.following)
            client.will_set(self._topic("NDEATH"), will, qos=1, retain=False)

    def _before_connect_packet(self, client: paho.Client, data: Any, connection: Any) -> None:
        """Count the CONNECT that is sent next; an attempt without a connection counts nothing."""
        with self._lock:
            self._bd_seq.count()

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:
            logger.warning("sparkplug: the broker refused the connection: %s", code)
            return
        with self._lock:
            self._largest = getattr(more, "MaximumPacketSize", None)
            self._connected, self._host_state = True, HostState()
            client.subscribe(self._topic("NCMD"), qos=1)
            self._lock.notify_all()
            if self._host is None:
                self._begin_session()
            else:
                client.subscribe(self._state_topic, qos=1)
                logger.info("sparkplug: connected; the primary host %s must be online first", self._host)

    def _begin_session(self) -> None:
        """Publish NBIRTH, and what has waited."""
        self._born = True
        self._birth()
        while self._waiting:
            at_ms, values = self._waiting.popleft()
            self._send("NDATA", self._data(values, at_ms, historical=True), _now_ms())
        logger.info("sparkplug: born as %s/%s, bdSeq %d", self._group, self._node, self._bd_seq.value)

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        with self._lock:
            if client is not self._client:  # of a session that was ended
                return
            lost, self._connected, self._born = self._connected, False, False
            self._lock.notify_all()
        if lost and code.is_failure:
            logger.warning("sparkplug: the connection was lost: %s", code)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.topic == self._state_topic:
            self._on_state(bytes(message.payload))
            return
        try:
            commands = decode_commands(bytes(message.payload))
        except ValueError as error:  # includes bytes that are not UTF-8
            logger.warning("sparkplug: an unreadable command is ignored: %s", error)
            return
        if not any(one.boolean and one.name == REBIRTH for one in commands):
            logger.warning("sparkplug: a command without %s is ignored", REBIRTH)
        elif not self._allowance.allows(time.monotonic_ns()):
            self._give_birth_later()
        else:
            self._give_birth()

    def _on_state(self, payload: bytes) -> None:
        """Begin or end the session, as the primary host says."""
        with self._lock:
            try:
                changed = self._host_state.update(payload)
            except ValueError as error:
                logger.warning("sparkplug: a STATE of %s is ignored: %s", self._host, error)
                return
            if not changed or self._ending:
                return
            if self._host_state.online:
                self._begin_session()
                return
            self._born, self._ending = False, True  # telemetry waits from now on
        logger.warning("sparkplug: the primary host %s is offline", self._host)
        again = GuardedThread(self._begin_again, "sparkplug-again")
        again.start()  # not here: the network thread must receive the acknowledgement of NDEATH

    def _give_birth(self) -> None:
        with self._lock:
            if self._born:
                self._birth()

    def _give_birth_later(self) -> None:
        """Answer orders beyond the allowance with one birth."""
        with self._lock:
            if self._late_birth is None:
                logger.warning("sparkplug: too many rebirths are requested; one follows for all of them")
                self._late_birth = threading.Timer(1 / REBIRTHS_PER_SECOND, self._give_birth)
                self._late_birth.daemon = True
                self._late_birth.start()


def _now_ms() -> int:
    return round(time.time() * 1000)
