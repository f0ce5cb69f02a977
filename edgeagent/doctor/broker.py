"""Check of the configured broker: connection and authentication; and of the device's name in topics."""

from __future__ import annotations

from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.device_name import passing_device_name
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.mqtt.broker_check import check_connection

DEADLINE_S = 5.0


def check_broker(system: ExaminedSystem) -> list[Finding]:
    """Connect with the agent's settings under another client ID."""
    if system.settings is None:
        return []
    name = passing_device_name(system.settings)
    if name is None:
        return _connection(system.settings.mqtt)
    return [Finding("device name", "problem", name), *_connection(system.settings.mqtt)]


def _connection(mqtt: MqttSettings) -> list[Finding]:
    if mqtt.host is None:
        return [Finding("broker", "not there", "none is configured: no telemetry over MQTT")]
    how = "TLS" if mqtt.tls else "clear text"
    who = "with a password" if mqtt.username else "without a password"
    address = host_and_port(str(mqtt.host), mqtt.port)
    reason = check_connection(mqtt, DEADLINE_S)
    if reason is None:
        return [Finding("broker", "ok", f"{address} accepts this device ({how}, {who})")]
    return [
        Finding(
            "broker",
            "problem",
            f"{address} {reason} ({how}, {who})",
            "see docs/mqtt.md for the broker settings",
        )
    ]
