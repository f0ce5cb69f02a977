"""The ``telemetry`` section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Field,
)

from edgeagent.settings.types import Bytes, Seconds, SettingsSection


class SpoolSettings(SettingsSection):
    """Where messages wait on the disk while the broker is away.

    Attributes:
        size: bytes of the file at most; the oldest telemetry makes room first, events last.
        age: of a message at most, in time for which the agent has run.
        replay: messages per second afterwards, beside new ones.
    """

    size: Annotated[Bytes, Field(ge=1_000_000)] = 50_000_000
    age: Seconds = 604800.0
    replay: Annotated[float, Field(gt=0)] = 20.0


class TelemetrySettings(SettingsSection):
    """What is reported, and how often.

    Attributes:
        interval: between telemetry messages.
        detections_rate: detection messages per second and camera at most; 0 sends none.
        detections_empty: also send frames without detections.
        spool: where messages wait on the disk; None keeps them in memory only.
    """

    interval: Seconds = 10.0
    detections_rate: Annotated[float, Field(ge=0)] = 5.0
    detections_empty: bool = False
    spool: SpoolSettings | None = SpoolSettings()
