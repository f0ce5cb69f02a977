"""The broker of the configuration: whether it answers and takes this device."""

from __future__ import annotations

from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.telemetry.mqtt.broker_check import check_connection

DEADLINE_S = 5.0


def check_broker(around: ExaminedSystem) -> list[Finding]:
    """Connect as the agent would, under another client id."""
    if around.settings is None:
        return []
    mqtt = around.settings.mqtt
    if mqtt.host is None:
        return [Finding("broker", "not there", "none is configured: no telemetry over MQTT")]
    how = "TLS" if mqtt.tls else "clear text"
    who = "with a password" if mqtt.username else "without a password"
    address = f"{mqtt.host}:{mqtt.port}"
    reason = check_connection(mqtt, DEADLINE_S)
    if reason is None:
        return [Finding("broker", "ok", f"{address} accepts this device ({how}, {who})")]
    return [
        Finding(
            "broker", "problem", f"{address} {reason} ({how}, {who})", "see docs/mqtt.md for what it needs"
        )
    ]
