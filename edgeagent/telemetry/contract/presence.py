"""Type of the message ``presence`` (docs/mqtt.md)."""

from __future__ import annotations

from edgeagent.telemetry.contract.messages import Message


class LabelPresence(Message):
    """Whether a camera sees objects of a label, and since when."""

    present: bool
    since: str


class Presence(Message):
    """``presence``: labels that each camera sees, by camera and label; retained."""

    time: str
    boot_id: str | None = None
    run: int | None = None
    cameras: dict[str, dict[str, LabelPresence]]
