"""The ``telemetry`` section of the configuration: message rates and the spool."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Field,
)

from edgeagent.settings.types import Bytes, Seconds, SettingsSection


class SpoolSettings(SettingsSection):
    """Spool settings: storage of messages on disk while the broker is unreachable.

    Attributes:
        size: maximum file size in bytes; the oldest telemetry is evicted first, events last.
        age: maximum age of a message in seconds of agent run time.
        replay: replayed messages per second after a reconnect, in addition to new ones.
    """

    size: Annotated[Bytes, Field(ge=1_000_000)] = 50_000_000
    age: Seconds = 604800.0
    replay: Annotated[float, Field(gt=0)] = 20.0


class TelemetrySettings(SettingsSection):
    """Telemetry settings.

    Attributes:
        interval: seconds between telemetry messages.
        detections_rate: maximum detection messages per second and camera; 0 sends none.
        detections_empty: whether to report frames without detections.
        spool: storage of unsent messages on disk; None keeps them in memory only.
    """

    interval: Seconds = 10.0
    detections_rate: Annotated[float, Field(ge=0)] = 5.0
    detections_empty: bool = False
    spool: SpoolSettings | None = SpoolSettings()
