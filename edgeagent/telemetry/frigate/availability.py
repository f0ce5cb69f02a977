"""Topic ``<prefix>/available``: ``online``, ``stopped``, and ``offline`` as a last will.

A connection has one last will (MQTT 5.0, section 3.1.2.5), and that of the device is ``status``. So this
topic has a connection of its own, which sends nothing else.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.settings.sections.frigate import FrigateSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.client import (
    STOP_TIMEOUT_S,
    connect_in_background,
    missing_acknowledgement,
    plain_client,
    retry_delays,
)

logger = logging.getLogger(__name__)


class FrigateAvailability:
    """Connection with the last will ``offline``.

    Args:
        settings: of the topics.
        mqtt: of the connection, with a host.
        device: name of the device.

    Raises:
        ConfigurationError: as :func:`edgeagent.telemetry.mqtt.client.plain_client`.
    """

    def __init__(self, settings: FrigateSettings, mqtt: MqttSettings, device: str) -> None:
        self._topic, self._mqtt = f"{settings.prefix}/available", mqtt
        self._client = plain_client(mqtt, f"edgeagent-{device}-frigate")
        self._client.reconnect_delay_set(*retry_delays(mqtt))
        self._client.will_set(self._topic, b"offline", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._connected = threading.Event()
        self._client.on_disconnect = lambda *_: self._connected.clear()

    def start(self) -> None:
        """Connect in the background, and reconnect whenever the connection is lost."""
        connect_in_background(self._client, self._mqtt)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Publish ``stopped`` and disconnect, waiting ``timeout_s`` at most."""
        problem: str | None = "not connected"
        if self._connected.is_set():
            last = self._client.publish(self._topic, b"stopped", qos=1, retain=True)
            problem = missing_acknowledgement(last, timeout_s)
            if problem is not None:
                logger.warning("%s: stopped was not acknowledged: %s", self._topic, problem)
        self._client.disconnect()
        if problem is None:  # else its thread may block on the network; it ends with the program
            self._client.loop_stop()

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        if code.is_failure:  # the connection of the device logs it, too
            logger.error("%s: the broker refused the connection: %s", self._topic, code)
            return
        self._connected.set()
        client.publish(self._topic, b"online", qos=1, retain=True)
