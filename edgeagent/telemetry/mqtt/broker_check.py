"""Check of the broker connection that does not disturb a running agent.

A connection with the device's own client ID would end that of a running agent (MQTT 5, 3.1.4), and a last
will would report it offline; so the check uses an ID of its own, has no will, and publishes nothing.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.certificates import name_expired
from edgeagent.telemetry.mqtt.client import plain_client

_STEP = 0.1  # seconds for which one call of paho's loop may wait for the network


def check_connection(settings: MqttSettings, deadline: float) -> str | None:
    """Connect over TCP (and TLS), wait for the broker's CONNACK, and disconnect.

    Args:
        settings: connection settings, with a host.
        deadline: time limit of the whole check in seconds.

    Returns:
        None when the broker accepts the connection; else the reason, without secrets.

    Raises:
        ConfigurationError: password, certificate or key cannot be read.
    """
    client = plain_client(settings, f"edgeagent-doctor-{secrets.token_hex(4)}")
    codes: list[ReasonCode] = []

    def answered(client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        codes.append(code)

    client.on_connect = answered
    client.connect_timeout = deadline
    until = time.monotonic() + deadline
    expired = f"; {name}" if (name := name_expired(settings.tls)) else ""
    try:
        client.connect(settings.host or "", settings.port, keepalive=max(1, round(deadline)))
    except (OSError, ValueError) as error:  # unresolved names, refused ports, failed TLS
        return f"cannot be reached ({error}{expired})"
    try:
        state = paho.MQTT_ERR_SUCCESS
        while not codes and state == paho.MQTT_ERR_SUCCESS and time.monotonic() < until:
            state = client.loop(_STEP)
    finally:
        client.disconnect()
    if codes:
        return f"refuses the connection ({codes[0]})" if codes[0].is_failure else None
    if state != paho.MQTT_ERR_SUCCESS:
        return f"closed the connection before accepting it; check its port, TLS and the certificate{expired}"
    return f"did not answer within {deadline:g} s; is this port a broker's?"
