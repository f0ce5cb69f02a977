"""Type of the message ``armed`` (docs/mqtt.md)."""

from __future__ import annotations

from edgeagent.telemetry.contract.messages import Message


class ArmedMessage(Message):
    """``armed``: whether events of zones and lines are published, and since when; retained."""

    time: str
    boot_id: str | None = None
    armed: bool
    since: str
